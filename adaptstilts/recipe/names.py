"""Names that a recipe may use but that live elsewhere: tasks and languages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Names:
    """What can be named; the recipe itself knows shapes, not names.

    Attributes:
        tasks: Names of the tasks.
        languages: Language codes and named sets of languages.
    """

    tasks: Sequence[str]
    languages: Sequence[str]
