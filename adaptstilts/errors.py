"""What a user can be told: one class for each kind of trouble, each with the exit code of the CLI.

Every message says what happened, where, and what to do about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


class AdaptstiltsError(Exception):
    """Base of all errors that are meant for a user's eyes."""

    exit_code: ClassVar[int] = 1


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake in a recipe: where it stands and what to do.

    Attributes:
        line: Line in the recipe file, counted from 1; 0 for an override or a missing file.
        column: Column, counted from 1; 0 where `line` is 0.
        path: Place in the tree, such as `adapters.sst2.method.rank`.
        message: What is wrong and what would be right.
    """

    line: int
    column: int
    path: str
    message: str


class RecipeError(AdaptstiltsError):
    """A recipe that cannot be run; holds every problem found, not just the first."""

    exit_code = 2

    def __init__(self, source: str, problems: list[Problem]) -> None:
        self.source = source
        self.problems = sorted(problems)
        super().__init__(str(self))

    def __str__(self) -> str:
        count = len(self.problems)
        lines = [f"{self.source} has {count} problem{'' if count == 1 else 's'}"]
        for problem in self.problems:
            place = f":{problem.line}:{problem.column}" if problem.line else ""
            lines.append(f"  {self.source}{place}  {problem.path}  {problem.message}")
        return "\n".join(lines)


class DataError(AdaptstiltsError):
    """Data that is missing or broken; names the file and, where there is one, the row."""

    exit_code = 2


class CompositionError(AdaptstiltsError):
    """A composition of adapters that has no meaning."""

    exit_code = 2


class RecordError(AdaptstiltsError):
    """A folder that is not a run, or a run that is not finished."""

    exit_code = 2


class AdapterError(AdaptstiltsError):
    """An adapter that does not fit its base, or that does nothing on it."""


class TrainingError(AdaptstiltsError):
    """A training run that cannot go on, such as one whose loss is not a number."""


class HubError(AdaptstiltsError):
    """The hub could not be reached, or refused."""


class MachineError(AdaptstiltsError):
    """This machine cannot do what was asked."""
