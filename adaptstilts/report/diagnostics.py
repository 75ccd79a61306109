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
        cells = [_measure(own.get(name, []), beside.get(name, [])) for name in systems]
        n = next(iter(own.values()))[0].n
        who = direction_name(direction) if direction else ""
        head = Cell(capitalized(metric_name(metric)), who)
        rows.append((head, [*cells, Cell(number.count(n), "")]))
    return Table("", ["Figure", *systems, "n"], rows)


def _measure(rows: list[Score], references: list[Score]) -> Cell:
    """A figure with its interval, or the mean of seeds with their range, and its reference."""
    if not rows:
        return Cell(number.ABSENT, "")
    value = _mean(rows)
    is_plain = rows[0].metric in _PLAIN
    low, high = rows[0].low, rows[0].high
    if len(rows) > 1:
        low, high = min(row.value for row in rows), max(row.value for row in rows)
    below = []
    if number.is_interval(low, high):
        ends = (
            f"{number.plain(low, 2)} to {number.plain(high, 2)}"
            if is_plain
            else number.percent_interval(low, high)
        )
        below.append(f"{len(rows)} seeds; {ends}" if len(rows) > 1 else ends)
    if references:
        reference = _mean(references)
        below.append(
            f"shuffled {number.plain(reference)}"
            if references[0].metric == "cka_null"
            else f"chance {number.bare_percent(reference)}"
        )
    return Cell(number.plain(value) if is_plain else number.percent(value), "; ".join(below))


def _mean(rows: list[Score]) -> float:
    return sum(row.value for row in rows) / len(rows)


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
