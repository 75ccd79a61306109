"""How a run tells what it is doing; the command line shows it, a library user may ignore it."""

from __future__ import annotations

from typing import Protocol

from adaptstilts.experiment.stage import Stage


class Watcher(Protocol):
    """What is called while a plan is carried out."""

    def noticed(self, text: str) -> None:
        """Something was chosen or found that the user should know."""

    def started(self, stage: Stage, total: int, unit: str) -> None:
        """A stage begins; it has `total` units of work, such as steps or sentences."""

    def advanced(self, done: int, detail: str) -> None:
        """So many units of the current stage are done."""

    def finished(self, stage: Stage, *, is_cached: bool, seconds: float) -> None:
        """A stage is done, or was found done."""


class Silence:
    """A watcher that tells nobody."""

    def noticed(self, text: str) -> None:
        """Ignores it."""

    def started(self, stage: Stage, total: int, unit: str) -> None:
        """Ignores it."""

    def advanced(self, done: int, detail: str) -> None:
        """Ignores it."""

    def finished(self, stage: Stage, *, is_cached: bool, seconds: float) -> None:
        """Ignores it."""
