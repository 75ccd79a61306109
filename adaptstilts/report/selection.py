"""Which rows of a run a figure or a table is about.

Where a recipe trains with several seeds, every cell has a row for each seed and one over all; the
one over all is taken. Where it measures twice, on different languages, that with the largest n is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

from adaptstilts.record.scores import MACRO, MICRO, Effect, Score, is_language
from adaptstilts.report.load import Run

Row = TypeVar("Row", Score, Effect)


def is_finished(row: Score | Effect) -> bool:
    """Whether the row is about the finished system, not about a snapshot of its training."""
    return row.trained_share is None


def shown_layer(run: Run) -> int | None:
    """The layer of figures that have but one: the headline's, or the one most languages have."""
    headline = run.record.headline
    if headline is None:
        return None
    if headline.layer is not None or not headline.layers:
        return headline.layer
    counts = Counter(headline.layers.values())
    return min(counts, key=lambda layer: (-counts[layer], layer))


def _rank(row: Score | Effect) -> tuple[int, int, bool, int]:
    """Of rows of one cell the highest is taken: most items, most seeds, all of them, first seed."""
    return (row.n, row.seeds, row.seed is None, -(row.seed or 0))


def fullest(rows: Iterable[Row], key: Callable[[Row], object]) -> dict[object, Row]:
    """One row for each key: that over most items and over most seeds."""
    found: dict[object, Row] = {}
    for row in rows:
        value = key(row)
        if value not in found or _rank(row) > _rank(found[value]):
            found[value] = row
    return found


def _of_systems(run: Run, rows: Iterable[Row]) -> dict[str, Row]:
    """One row a system, in the recipe's order."""
    found = fullest(rows, lambda row: row.system)
    return {name: found[name] for name in run.systems if name in found}


def _cell_effects(run: Run, against: str | None = None) -> list[Effect]:
    """The effects in the headline's cell against the baseline, or against another system."""
    wanted = run.baseline if against is None else against
    return [row for row in run.cell_effects if row.baseline == wanted]


def headline_scores(run: Run, language: str = MACRO) -> dict[str, Score]:
    """The score of each finished system in the headline's cell, in the recipe's order.

    Args:
        run: The run.
        language: `macro`, `micro`, a group or a language.
    """
    return _of_systems(run, (row for row in run.cell_scores if row.language == language))


def headline_effects(
    run: Run, language: str = MACRO, *, against: str | None = None
) -> dict[str, Effect]:
    """The effect of each finished system in the headline's cell, in the recipe's order.

    Args:
        run: The run.
        language: `macro`, `micro`, a group or a language.
        against: The system that is subtracted; None for the baseline.
    """
    rows = _cell_effects(run, against)
    return _of_systems(run, (row for row in rows if row.language == language))


def seed_scores(run: Run, system: str) -> dict[int, Score]:
    """The headline's score of each seed of a system, by seed."""
    return _seeds(row for row in run.cell_scores if row.system == system and row.language == MACRO)


def seed_effects(run: Run, system: str) -> dict[int, Effect]:
    """The headline's effect of each seed of a system, by seed."""
    return _seeds(
        row for row in _cell_effects(run) if row.system == system and row.language == MACRO
    )


def _seeds(rows: Iterable[Row]) -> dict[int, Row]:
    alone = [row for row in rows if row.seed is not None]
    found = fullest(alone, lambda row: row.seed)
    return {
        seed: found[seed] for seed in sorted({row.seed for row in alone if row.seed is not None})
    }


def layer_scores(run: Run, system: str) -> list[Score]:
    """The macro scores of one finished system, one a layer, by layer."""
    return _curve(row for row in run.curve_scores if row.system == system)


def layer_effects(run: Run, system: str) -> list[Effect]:
    """The macro effects of one finished system, one a layer, by layer."""
    return _curve(row for row in run.curve_effects if row.system == system)


def _curve(rows: Iterable[Row]) -> list[Row]:
    """One row a layer, by layer."""
    found = fullest((row for row in rows if is_finished(row)), lambda row: row.layer)
    return sorted(found.values(), key=lambda row: row.layer or 0)


def language_scores(run: Run, system: str) -> dict[str, Score]:
    """The score of one finished system in each language in the headline's cell."""
    return _languages(row for row in run.cell_scores if row.system == system)


def language_effects(run: Run, system: str) -> dict[str, Effect]:
    """The effect of one finished system in each language in the headline's cell."""
    return _languages(row for row in _cell_effects(run) if row.system == system)


def _languages(rows: Iterable[Row]) -> dict[str, Row]:
    found = fullest((row for row in rows if is_language(row.language)), lambda row: row.language)
    return {str(language): row for language, row in found.items()}


def language_tests(run: Run, system: str) -> dict[str, dict[int | None, Effect]]:
    """By language the effect of each seed, which alone has p values; by seed."""
    found = fullest(
        (
            row
            for row in _cell_effects(run)
            if row.system == system and row.p is not None and is_language(row.language)
        ),
        lambda row: (row.language, row.seed),
    )
    tests: dict[str, dict[int | None, Effect]] = {}
    for row in sorted(found.values(), key=lambda row: row.seed or 0):
        tests.setdefault(row.language, {})[row.seed] = row
    return tests


def strata(run: Run) -> list[str]:
    """Macro, micro and the groups of languages in the headline's cell, in the rows' order."""
    named = [row.language for row in run.cell_scores if not is_language(row.language)]
    return sorted(dict.fromkeys(named), key=lambda name: (name != MACRO, name != MICRO))


def task_scores(run: Run) -> list[Score]:
    """The scores of finished systems on tasks, in the recipe's order; every seed is a row."""
    order = {name: place for place, name in enumerate(run.systems)}
    return sorted(
        run.tasks,
        key=lambda row: (order.get(row.system, len(order)), row.benchmark, row.seed or 0),
    )


def dynamics(run: Run) -> dict[str, dict[int, list[Score]]]:
    """Macro scores during training: system → layer → rows by share of training.

    All points of a curve are over the same sentences and seeds.
    """
    return {
        name: layers
        for name in run.systems
        if (layers := _moving([row for row in run.curve_scores if row.system == name]))
    }


def dynamics_effects(run: Run, system: str) -> dict[int, list[Effect]]:
    """Macro effects of a system's snapshots: layer → rows by share; empty where none was paired."""
    return _moving([row for row in run.curve_effects if row.system == system])


def dynamics_seeds(run: Run, system: str, layer: int) -> dict[int, list[Score]]:
    """Macro scores of each seed during its training at one layer, by seed and share."""
    rows = [row for row in run.curve_scores if row.system == system and row.layer == layer]
    seeds = sorted({row.seed for row in rows if row.seed is not None})
    found = {seed: _moving([row for row in rows if row.seed == seed]) for seed in seeds}
    return {seed: layers[layer] for seed, layers in found.items() if layer in layers}


def _moving(rows: Iterable[Row]) -> dict[int, list[Row]]:
    """Rows of snapshots by layer and share, of the measurement over most items and seeds."""
    moving = [row for row in rows if not is_finished(row)]
    n, seeds = max(((row.n, row.seeds) for row in moving), default=(0, 0))
    # At share 0 a snapshot may be the bare base, which no seed made.
    same = [row for row in moving if row.n == n and row.seeds in (0, seeds)]
    found = fullest(same, lambda row: (row.layer, row.trained_share))
    layers: dict[int, list[Row]] = {}
    for row in sorted(found.values(), key=lambda row: (row.layer or 0, row.trained_share or 0.0)):
        layers.setdefault(row.layer or 0, []).append(row)
    return layers
