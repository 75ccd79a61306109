"""Rows that look at the headline in other ways: other metrics, other spaces, the space's shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from adaptstilts.record.scores import AS_IS, MACRO, Effect, Score
from adaptstilts.report.load import Run
from adaptstilts.report.selection import fullest, is_finished, shown_layer

Row = TypeVar("Row", Score, Effect)

# In the order in which they are shown.
METRICS = (
    "accuracy",
    "f1",
    "mrr",
    "accuracy_margin",
    "accuracy_csls",
    "accuracy_strong",
    "xsim_error",
    "cosine_gap",
)
SPACES = ("centred", "without_top_pcs", "whitened", "averaged")
GEOMETRY = (
    "anisotropy",
    "anisotropy_top10",
    "cka",
    "hubness_skew",
    "antihub_share",
    "language_probe",
)
# What a figure of geometry is to be compared with, by its metric.
REFERENCES = {"cka": "cka_null", "language_probe": "language_probe_chance"}


@dataclass(frozen=True)
class View:
    """One way to look: a space, a metric, and who asks.

    Attributes:
        space: See `Score`.
        metric: See `Score`.
        direction: See `Score`.
        scores: The macro score of each system.
        effects: The macro effect of each system against the baseline.
    """

    space: str
    metric: str
    direction: str | None
    scores: dict[str, Score]
    effects: dict[str, Effect]


def views(run: Run) -> list[View]:
    """All other ways in which the headline's benchmark was scored at its layer.

    Empty where a recipe asked for no other metrics and spaces; the headline's own way comes first.
    """
    headline = run.record.headline
    if headline is None:
        return []

    def is_here(row: Score | Effect) -> bool:
        return (
            is_finished(row)
            and row.language == MACRO
            and (row.benchmark, row.protocol) == (headline.benchmark, headline.protocol)
            and row.layer == shown_layer(run)
            and row.chosen is None
            and row.space is not None
            and row.metric in METRICS
        )

    def way(row: Score | Effect) -> tuple[str, str, str | None]:
        return (str(row.space), row.metric, row.direction)

    scores = [row for row in run.scores if is_here(row)]
    effects = [row for row in run.effects if is_here(row) and row.baseline == run.baseline]
    own = (AS_IS, headline.metric, headline.direction)
    ways = sorted({way(row) for row in scores}, key=lambda one: (one != own, *_order(one)))
    protocols_own = {headline.metric, "accuracy", "f1"}
    if all(space == AS_IS and metric in protocols_own for space, metric, _ in ways):
        return []
    return [
        View(
            *one,
            scores=_of_systems([row for row in scores if way(row) == one]),
            effects=_of_systems([row for row in effects if way(row) == one]),
        )
        for one in ways
    ]


def _order(way: tuple[str, str, str | None]) -> tuple[int, int, str]:
    space, metric, direction = way
    place = (AS_IS, *SPACES).index(space) if space in (AS_IS, *SPACES) else len(SPACES) + 1
    return (place, METRICS.index(metric), direction or "")


def _of_systems(rows: list[Row]) -> dict[str, Row]:
    return {str(name): row for name, row in fullest(rows, lambda row: row.system).items()}


def space_curves(run: Run) -> dict[str, list[Score]]:
    """The baseline's macro accuracy by layer in each space, `as_is` first; empty for one alone."""
    headline = run.record.headline
    rows = [
        row
        for row in run.scores
        if headline is not None
        and row.system == run.baseline
        and row.language == MACRO
        and row.metric == "accuracy"
        and row.layer is not None
        and row.chosen is None
        and row.space is not None
        and is_finished(row)
        and (row.benchmark, row.protocol) == (headline.benchmark, headline.protocol)
    ]
    changed = [row for row in rows if row.space != AS_IS]
    directions = {row.direction for row in changed}
    curves = {}
    for space in (AS_IS, *SPACES):
        own = [row for row in rows if row.space == space and row.direction in directions]
        found = fullest(own, lambda row: row.layer)
        if found:
            curves[space] = sorted(found.values(), key=lambda row: row.layer or 0)
    return curves if len(curves) > 1 else {}


def geometry(run: Run) -> dict[tuple[str, str | None], dict[str, list[Score]]]:
    """The space's shape at the headline's layer: (metric, direction) → system → macro rows.

    A system has one row, or where there is none over all its seeds one for each. References such
    as `cka_null` are among them.
    """
    headline = run.record.headline
    wanted = {*GEOMETRY, *REFERENCES.values()}
    rows = [
        row
        for row in run.scores
        if headline is not None
        and row.metric in wanted
        and row.language == MACRO
        and row.layer == shown_layer(run)
        and row.chosen is None
        and is_finished(row)
        and row.benchmark == headline.benchmark
    ]
    found: dict[tuple[str, str | None], dict[str, list[Score]]] = {}
    for metric in (*GEOMETRY, *REFERENCES.values()):
        own = [row for row in rows if row.metric == metric]
        for direction in sorted({row.direction for row in own}, key=str):
            same = [row for row in own if row.direction == direction]
            found[metric, direction] = {
                system: _whole([row for row in same if row.system == system])
                for system in dict.fromkeys(row.system for row in same)
            }
    return found


def _whole(rows: list[Score]) -> list[Score]:
    """The row over most seeds alone, or each seed's by seed where none is over several."""
    best = next(iter(fullest(rows, lambda row: row.system).values()))
    if best.seeds != 1:
        return [best]
    each = fullest((row for row in rows if row.n == best.n), lambda row: row.seed)
    return sorted(each.values(), key=lambda row: row.seed or 0)
