"""A run folder read back into memory; nothing is computed here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from adaptstilts.errors import RecordError
from adaptstilts.record import run as record_run
from adaptstilts.record import scores as record_scores
from adaptstilts.record.run import RunRecord
from adaptstilts.record.scores import AS_IS, MACRO, Effect, Score


@dataclass(frozen=True)
class Run:
    """Everything that a report is made of.

    Attributes:
        folder: The run folder.
        record: Its `record.json`.
        scores: Rows of `scores.parquet`, empty where a run did not get so far.
        effects: Rows of `effects.parquet`, likewise.
        systems: Each system's expression as the resolved recipe has it, in the recipe's order.
        baseline: The system that the report's effects are differences to; None where nothing says
            so.
        margin: The smallest change that would matter, in 0–1; None where the recipe names none.
        adapters: Each adapter's settings as the resolved recipe has them.
        description: The recipe's description, which may be empty.
        recipe_text: The resolved recipe as text, empty where a run did not get so far.
    """

    folder: Path
    record: RunRecord
    scores: tuple[Score, ...]
    effects: tuple[Effect, ...]
    systems: Mapping[str, object]
    baseline: str | None
    margin: float | None
    adapters: Mapping[str, object]
    description: str
    recipe_text: str

    # A run may have a million rows and a page asks for some of them a hundred times, so that the
    # few rows that it asks for are set aside once.

    @cached_property
    def alike_scores(self) -> tuple[Score, ...]:
        """The scores of the headline's benchmark, protocol, direction, space and metric."""
        return tuple(row for row in self.scores if self._is_alike(row))

    @cached_property
    def alike_effects(self) -> tuple[Effect, ...]:
        """Likewise the effects, against the baseline and against other systems."""
        return tuple(row for row in self.effects if self._is_alike(row))

    @cached_property
    def cell_scores(self) -> tuple[Score, ...]:
        """Of these the finished systems' at the headline's layer, or its chosen layers."""
        return tuple(row for row in self.alike_scores if self._is_cell(row))

    @cached_property
    def cell_effects(self) -> tuple[Effect, ...]:
        """Likewise the effects."""
        return tuple(row for row in self.alike_effects if self._is_cell(row))

    @cached_property
    def curve_scores(self) -> tuple[Score, ...]:
        """Scores like the headline, macro, of every given layer, snapshots' too."""
        return tuple(row for row in self.alike_scores if _is_of_curve(row))

    @cached_property
    def curve_effects(self) -> tuple[Effect, ...]:
        """Likewise the effects, against the baseline alone."""
        return tuple(
            row for row in self.alike_effects if row.baseline == self.baseline and _is_of_curve(row)
        )

    @cached_property
    def tasks(self) -> tuple[Score, ...]:
        """The finished systems' scores on tasks: without a layer, a direction or a choice."""
        return tuple(
            row
            for row in self.scores
            if row.layer is None
            and row.direction is None
            and row.chosen is None
            and row.trained_share is None
        )

    @cached_property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """Every system with every system that it was compared with."""
        return frozenset((row.system, row.baseline) for row in self.effects)

    def _is_alike(self, row: Score | Effect) -> bool:
        headline = self.record.headline
        return (
            headline is not None
            and row.metric == headline.metric
            and row.space == AS_IS
            and row.direction == headline.direction
            and row.benchmark == headline.benchmark
            and row.protocol == headline.protocol
        )

    def _is_cell(self, row: Score | Effect) -> bool:
        headline = self.record.headline
        return (
            headline is not None
            and row.trained_share is None
            and row.chosen == headline.chosen
            and (headline.chosen is not None or row.layer == headline.layer)
        )


def _is_of_curve(row: Score | Effect) -> bool:
    return row.language == MACRO and row.layer is not None and row.chosen is None


def read_run(folder: Path) -> Run:
    """Read a run folder.

    Args:
        folder: A folder that `adaptstilts run` wrote; the run may be running or failed.

    Returns:
        The run, with its tables as far as they were written.

    Raises:
        RecordError: The folder is missing or no run, its record cannot be read, or a finished run
            lacks its tables.
    """
    _require_run(folder)
    record = record_run.read(folder / "record.json")
    is_finished = record.status == "finished"
    scores = tuple(
        record_scores.read_scores(path)
        if (path := _table(folder, "scores.parquet", is_required=is_finished))
        else ()
    )
    effects = tuple(
        record_scores.read_effects(path)
        if (path := _table(folder, "effects.parquet", is_required=is_finished))
        else ()
    )
    recipe_path = folder / "recipe.resolved.yaml"
    recipe_text = recipe_path.read_text(encoding="utf-8") if recipe_path.is_file() else ""
    tree = _tree(recipe_text, recipe_path)
    return Run(
        folder=folder,
        record=record,
        scores=scores,
        effects=effects,
        systems=_systems(tree, scores),
        baseline=_baseline(tree, effects),
        margin=_margin(tree),
        adapters=_section(tree, "adapters"),
        description=str(tree.get("description") or ""),
        recipe_text=recipe_text,
    )


def _require_run(folder: Path) -> None:
    if not folder.exists():
        raise RecordError(
            f"{folder} does not exist; give the folder of a run, the one that "
            "`adaptstilts run RECIPE` names in its last line"
        )
    if folder.is_file():
        raise RecordError(f"{folder} is a file; give the folder of the run that it lies in")
    if (folder / "record.json").is_file():
        return
    runs = sorted(path.parent.name for path in folder.glob("*/record.json"))
    if runs:
        raise RecordError(
            f"{folder} is no run (it has no record.json) but holds some: "
            f"{', '.join(runs[:5])}{', …' if len(runs) > 5 else ''}; give one of them, "
            f"such as {folder / runs[-1]}"
        )
    raise RecordError(
        f"{folder} is no run: it has no record.json; give the folder that "
        "`adaptstilts run RECIPE` names in its last line, or run a recipe first"
    )


def _table(folder: Path, name: str, *, is_required: bool) -> Path | None:
    path = folder / name
    if path.is_file():
        return path
    if is_required:
        raise RecordError(
            f"{folder} says that it is finished but has no {name}; run the recipe again: "
            "finished stages are taken from the cache, so only the tables are written anew"
        )
    return None


def _tree(text: str, path: Path) -> Mapping[str, object]:
    """The resolved recipe as plain values; not validated, so that older runs can still be read."""
    try:
        tree = YAML(typ="safe", pure=True).load(text)
    except YAMLError as error:
        raise RecordError(
            f"{path} is not YAML any more ({error}); restore it from recipe.yaml beside it, "
            "or run the recipe again"
        ) from error
    return tree if isinstance(tree, dict) else {}


def _section(tree: Mapping[str, object], name: str) -> Mapping[str, object]:
    """A section of the recipe that is a mapping; empty where it is none."""
    section = tree.get(name)
    return {str(key): value for key, value in section.items()} if isinstance(section, dict) else {}


def _systems(tree: Mapping[str, object], scores: tuple[Score, ...]) -> Mapping[str, object]:
    """Systems in the recipe's order, then any others that have scores."""
    systems: dict[str, object] = dict(_section(tree, "systems"))
    for row in scores:
        systems.setdefault(row.system, None)
    return systems


def _baseline(tree: Mapping[str, object], effects: tuple[Effect, ...]) -> str | None:
    # The recipe first: effects are against controls too.
    named = _section(tree, "report").get("baseline")
    if named is not None:
        return str(named)
    return effects[0].baseline if effects else None


def _margin(tree: Mapping[str, object]) -> float | None:
    margin = _section(tree, "report").get("margin")
    return float(margin) if isinstance(margin, int | float) and 0 < margin <= 1 else None
