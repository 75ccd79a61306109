"""What `adaptstilts align` found, as tables for a terminal and as plain values for machines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from adaptstilts.record import run as record_run
from adaptstilts.record.run import HeadlineRecord, RunRecord
from adaptstilts.record.scores import (
    AS_IS,
    MACRO,
    Effect,
    Score,
    is_language,
    read_effects,
    read_scores,
)
from adaptstilts.report import number
from adaptstilts.report.headline import POCKET_LINE

LESS_IS_BETTER = ("xsim_error",)


@dataclass(frozen=True)
class Found:
    """The result of one measurement.

    Attributes:
        folder: The run's folder.
        record: Its record.
        headline: Which figure leads.
        systems: The base, then the adapters.
        layers: Macro scores of each layer.
        languages: Scores of each language at the headline's layer.
        others: Macro scores at that layer by other metrics, directions and spaces, geometry too.
        effects: Macro differences to the base at that layer, of the headline's kind.
    """

    folder: Path
    record: RunRecord
    headline: HeadlineRecord
    systems: tuple[str, ...]
    layers: tuple[Score, ...]
    languages: tuple[Score, ...]
    others: tuple[Score, ...]
    effects: tuple[Effect, ...]


def found_in(folder: Path) -> Found:
    """Reads what a finished run of `adaptstilts align` left.

    Args:
        folder: The run's folder.

    Raises:
        RecordError: It cannot be read.
    """
    record = record_run.read(folder / "record.json")
    if record.headline is None:
        raise RuntimeError(f"{folder} has no headline; this is a bug in adaptstilts")
    headline = record.headline
    scores = read_scores(folder / "scores.parquet")
    effects = read_effects(folder / "effects.parquet")

    def leads(row: Score | Effect) -> bool:
        kind = (row.direction, row.metric, row.space)
        return kind == (headline.direction, headline.metric, AS_IS)

    at = [row for row in scores if row.layer == headline.layer]
    return Found(
        folder=folder,
        record=record,
        headline=headline,
        systems=tuple(dict.fromkeys(row.system for row in scores)),
        layers=tuple(row for row in scores if leads(row) and row.language == MACRO),
        languages=tuple(row for row in at if leads(row) and is_language(row.language)),
        others=tuple(row for row in at if not leads(row) and row.language == MACRO),
        effects=tuple(
            row
            for row in effects
            if leads(row) and row.layer == headline.layer and row.language == MACRO
        ),
    )


def render(found: Found) -> RenderableType:
    """The tables: layers, languages, other ways to score; then what each adapter changes."""
    headline = found.headline
    how = f"{_metric(headline.metric)} {headline.direction}, protocol {headline.protocol}"
    lines: list[RenderableType] = []
    if found.record.profile == "pocket":
        lines.append(Text(POCKET_LINE, style="yellow"))
    lines += [
        Text(f"{headline.benchmark}, {how}; 95 % intervals", style="dim"),
        _table(
            f"Mean over {len({row.language for row in found.languages})} languages by layer, %",
            ("layer",),
            found.layers,
            found.systems,
            lambda row: (_layer(row.layer, headline.layer),),
        ),
        _table(
            f"By language at layer {headline.layer}, %",
            ("language",),
            found.languages,
            found.systems,
            lambda row: (row.language,),
        ),
    ]
    if found.others:
        lines.append(
            _table(
                f"Other scores at layer {headline.layer}, mean over languages, not in %",
                ("metric", "direction", "space"),
                found.others,
                found.systems,
                lambda row: (_metric(row.metric), row.direction or "", row.space or ""),
                share=False,
            )
        )
    lines += [Text(""), *(Text(_sentence(row, headline), style="bold") for row in found.effects)]
    return Group(*lines)


def _metric(metric: str) -> str:
    """A metric's name; of one that counts errors with the word that less is better."""
    return f"{metric} (lower is better)" if metric in LESS_IS_BETTER else metric


def _layer(layer: int | None, leading: int | None) -> str:
    """A layer's number, the headline's marked."""
    return f"{layer}{' ←' if layer == leading else ''}"


def _table(
    title: str,
    heads: Sequence[str],
    rows: Iterable[Score],
    systems: Sequence[str],
    place: Callable[[Score], tuple[str, ...]],
    *,
    share: bool = True,
) -> Group:
    """A title, one line for each place, a column for each system."""
    table = Table(box=None, pad_edge=False)
    for head in (*heads, "n", *systems):
        table.add_column(Text(head), justify="left" if head in heads else "right")
    by_place: dict[tuple[str, ...], dict[str, Score]] = {}
    for row in rows:
        by_place.setdefault(place(row), {})[row.system] = row
    for where, cells in by_place.items():
        n = number.count(next(iter(cells.values())).n)
        shown = [Text(_cell(cells.get(system), share=share)) for system in systems]
        table.add_row(*map(Text, where), n, *shown)
    return Group(Text(""), Text(title), table)


def _cell(row: Score | None, *, share: bool) -> str:
    """A value with its interval."""
    if row is None:
        return number.ABSENT
    has_interval = number.is_interval(row.low, row.high)
    if share:
        interval = f" ({number.percent_interval(row.low, row.high)})" if has_interval else ""
        return number.bare_percent(row.value) + interval
    interval = f" ({row.low:.3f} to {row.high:.3f})" if has_interval else ""
    return f"{row.value:.3f}{interval}"


def _sentence(row: Effect, headline: HeadlineRecord) -> str:
    """What an adapter changes, in words."""
    decimals = number.decimals_for(row.low, row.high)
    interval = number.points_interval(row.low, row.high, decimals)
    return (
        f"{row.system} less {row.baseline} at layer {headline.layer}: "
        f"{number.points(row.value, decimals)} points ({interval}; n {number.count(row.n)})"
        f"{'; lower is better' if headline.metric in LESS_IS_BETTER else ''}"
    )


def numbers(found: Found) -> dict[str, Any]:
    """The same as plain values; shares and differences in 0–1, an interval's end may be null."""
    base = found.record.base
    return {
        "folder": str(found.folder),
        "profile": found.record.profile,
        "base": None if base is None else base.model_dump(),
        "stored": {name: row.model_dump() for name, row in found.record.stored.items()},
        "headline": found.headline.model_dump(),
        "notices": found.record.notices,
        "layers": [_values(row) for row in found.layers],
        "languages": [_values(row) for row in found.languages],
        "others": [_values(row) for row in found.others],
        "effects": [{**_values(row), "baseline": row.baseline} for row in found.effects],
    }


def _values(row: Score | Effect) -> dict[str, Any]:
    """One row for machines."""
    is_known = number.is_interval(row.low, row.high)
    return {
        "system": row.system,
        "language": row.language,
        "layer": row.layer,
        "direction": row.direction,
        "space": row.space,
        "metric": row.metric,
        "value": row.value,
        "low": row.low if is_known else None,
        "high": row.high if is_known else None,
        "n": row.n,
    }
