"""The page's tables of other ways to look: metrics, spaces, and the space's shape."""

from __future__ import annotations

from adaptstilts.record.scores import AS_IS, Effect, Score
from adaptstilts.report import number
from adaptstilts.report.detail import Table
from adaptstilts.report.load import Run
from adaptstilts.report.naming import (
    LOWER_IS_BETTER,
    capitalized,
    direction_name,
    metric_name,
    space_name,
)
from adaptstilts.report.roles import drawn
from adaptstilts.report.section import Cell, effect_cell, score_cell
from adaptstilts.report.spaces import REFERENCES, View, geometry, views

# These are no shares, and are written as they are.
_PLAIN = frozenset({"cosine_gap", "anisotropy", "anisotropy_top10", "cka", "hubness_skew"})


def other_views(run: Run) -> Table | None:
    """Further metrics and spaces at the headline's layer; None where none was scored."""
    found = views(run)
    systems = [name for name in drawn(run) if name != run.baseline]
    systems = [name for name in systems if any(name in view.effects for view in found)]
    if not found:
        return None
    rows = []
    for view in found:
        base = view.scores.get(run.baseline or "")
        cells = [_score(base), *(_effect(view.effects.get(name)) for name in systems)]
        some = base or next(iter(view.scores.values()))
        rows.append((_way(view), [*cells, Cell(number.count(some.n), "")]))
    columns = [
        "Metric and space",
        str(run.baseline),
        *(f"{name} − {run.baseline}" for name in systems),
        "n",
    ]
    return Table("", columns, rows)


def _way(view: View) -> Cell:
    parts = [direction_name(view.direction)]
    if view.space != AS_IS:
        parts.insert(0, space_name(view.space))
    if view.metric in LOWER_IS_BETTER:
        parts.append("less is better")
    if view.metric in _PLAIN:
        parts.append("a difference of cosines")
    return Cell(capitalized(metric_name(view.metric)), ", ".join(parts))


def shape(run: Run) -> Table | None:
    """The geometry of the space at the headline's layer; None where it was not measured."""
    found = geometry(run)
    systems = [name for name in drawn(run) if any(name in rows for rows in found.values())]
    if not systems:
        return None
    rows = []
    references = set(REFERENCES.values())
    for (metric, direction), own in found.items():
        if metric in references:
            continue
        beside = found.get((REFERENCES.get(metric, ""), direction), {})
        cells = [_measure(own.get(name), beside.get(name)) for name in systems]
        n = next(iter(own.values())).n
        who = direction_name(direction) if direction else ""
        head = Cell(capitalized(metric_name(metric)), who)
        rows.append((head, [*cells, Cell(number.count(n), "")]))
    return Table("", ["Figure", *systems, "n"], rows)


def _measure(row: Score | None, reference: Score | None) -> Cell:
    """A figure with its interval, and what it is compared with."""
    if row is None:
        return Cell(number.ABSENT, "")
    is_plain = row.metric in _PLAIN
    below = []
    if number.is_interval(row.low, row.high):
        below.append(
            f"{number.plain(row.low, 2)} to {number.plain(row.high, 2)}"
            if is_plain
            else number.percent_interval(row.low, row.high)
        )
    if reference is not None:
        below.append(
            f"shuffled {number.plain(reference.value)}"
            if reference.metric == "cka_null"
            else f"chance {number.bare_percent(reference.value)}"
        )
    if row.seeds == 1 and row.seed is not None:
        below.append(f"seed {row.seed}")
    value = number.plain(row.value) if is_plain else number.percent(row.value)
    return Cell(value, "; ".join(below))


def _score(row: Score | None) -> Cell:
    if row is None or row.metric not in _PLAIN:
        return score_cell(row)
    low, high = number.plain(row.low), number.plain(row.high)
    is_known = number.is_interval(row.low, row.high)
    return Cell(number.plain(row.value), f"{low} to {high}" if is_known else "")


def _effect(row: Effect | None) -> Cell:
    if row is None or row.metric not in _PLAIN:
        return effect_cell(row)
    low, high = number.signed(row.low), number.signed(row.high)
    is_known = number.is_interval(row.low, row.high)
    return Cell(number.signed(row.value), f"{low} to {high}" if is_known else "")
