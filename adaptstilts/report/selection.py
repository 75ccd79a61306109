"""Which rows of a run a figure or a table is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from adaptstilts.record.scores import MACRO, Effect, Score
from adaptstilts.report.load import Run

Row = TypeVar("Row", Score, Effect)


def is_finished(row: Score | Effect) -> bool:
    """Whether the row is about the finished system, not about a snapshot of its training."""
    return row.trained_share is None


def _is_headline_kind(run: Run, row: Score | Effect) -> bool:
    """Whether the row is of the headline's benchmark, protocol, direction and metric."""
    headline = run.record.headline
    return headline is not None and (
        row.benchmark,
        row.protocol,
        row.direction,
        row.metric,
    ) == (headline.benchmark, headline.protocol, headline.direction, headline.metric)


def _fullest(rows: Iterable[Row], key: str) -> dict[object, Row]:
    """One row for each value of `key`: that with the largest n, where a recipe measures twice."""
    chosen: dict[object, Row] = {}
    for row in rows:
        value = getattr(row, key)
        if value not in chosen or row.n > chosen[value].n:
            chosen[value] = row
    return chosen


def headline_scores(run: Run) -> dict[str, Score]:
    """The macro score of each finished system at the headline layer, in the recipe's order."""
    layer = run.record.headline.layer if run.record.headline else None
    rows = [
        row
        for row in run.scores
        if _is_headline_kind(run, row)
        and is_finished(row)
        and row.language == MACRO
        and row.layer == layer
    ]
    found = _fullest(rows, "system")
    return {name: found[name] for name in run.systems if name in found}


def headline_effects(run: Run) -> dict[str, Effect]:
    """The macro effect of each finished system at the headline layer, in the recipe's order."""
    layer = run.record.headline.layer if run.record.headline else None
    rows = [
        row
        for row in run.effects
        if _is_headline_kind(run, row)
        and is_finished(row)
        and row.language == MACRO
        and row.layer == layer
    ]
    found = _fullest(rows, "system")
    return {name: found[name] for name in run.systems if name in found}


def _curve(rows: Iterable[Row]) -> list[Row]:
    """One row a layer, by layer."""
    found = _fullest((row for row in rows if row.layer is not None), "layer")
    return sorted(found.values(), key=lambda row: row.layer or 0)


def layer_scores(run: Run, system: str) -> list[Score]:
    """The macro scores of one finished system, one a layer, by layer."""
    return _curve(
        row
        for row in run.scores
        if row.system == system
        and row.language == MACRO
        and is_finished(row)
        and _is_headline_kind(run, row)
    )


def layer_effects(run: Run, system: str) -> list[Effect]:
    """The macro effects of one finished system, one a layer, by layer."""
    return _curve(
        row
        for row in run.effects
        if row.system == system
        and row.language == MACRO
        and is_finished(row)
        and _is_headline_kind(run, row)
    )


def language_scores(run: Run, system: str) -> dict[str, Score]:
    """The score of one finished system in each language at the headline layer."""
    return _languages(run, system, run.scores)


def language_effects(run: Run, system: str) -> dict[str, Effect]:
    """The effect of one finished system in each language at the headline layer."""
    return _languages(run, system, run.effects)


def _languages(run: Run, system: str, rows: Iterable[Row]) -> dict[str, Row]:
    layer = run.record.headline.layer if run.record.headline else None
    found = _fullest(
        (
            row
            for row in rows
            if row.system == system
            and row.language != MACRO
            and row.layer == layer
            and is_finished(row)
            and _is_headline_kind(run, row)
        ),
        "language",
    )
    return {str(language): row for language, row in found.items()}


def task_scores(run: Run) -> list[Score]:
    """The scores of finished systems on tasks (rows without a layer), in the recipe's order."""
    order = {name: place for place, name in enumerate(run.systems)}
    rows = [row for row in run.scores if row.layer is None and is_finished(row)]
    return sorted(rows, key=lambda row: (order.get(row.system, len(order)), row.benchmark))


def dynamics(run: Run) -> dict[str, dict[int, list[Score]]]:
    """Macro scores during training: system → layer → rows by share of training.

    A recipe may measure twice, on different languages: the rows of the measurement with the largest
    n are taken, so that all points of a curve are over the same sentences.
    """
    rows = [
        row
        for row in run.scores
        if row.language == MACRO and not is_finished(row) and _is_headline_kind(run, row)
    ]
    curves: dict[str, dict[int, list[Score]]] = {}
    for name in run.systems:
        own = [row for row in rows if row.system == name and row.layer is not None]
        n = max((row.n for row in own), default=0)
        layers: dict[int, list[Score]] = {}
        for row in sorted(own, key=lambda row: (row.layer or 0, row.trained_share or 0.0)):
            if row.n == n:
                layers.setdefault(row.layer or 0, []).append(row)
        if layers:
            curves[name] = layers
    return curves
