"""`adaptstilts data`: which tables there are, where each can be read from, and what is in them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from adaptstilts.cli.options import DATA, JSON

if TYPE_CHECKING:
    from adaptstilts.data.rows import Rows
    from adaptstilts.data.source import Profile, Source
    from adaptstilts.task.declaration import Table


@click.group("data")
def command() -> None:
    """Show the tables of tasks and benchmarks, and where they come from."""


@command.command("list")
@DATA
@click.option(
    "--profile",
    type=click.Choice(["full", "pocket"]),
    help="Only the sources of this profile; all of them where not given.",
)
@JSON
def list_command(data: Path | None, profile: Profile | None, as_json: bool) -> None:
    """List every table with the sources that have it.

    A number is the number of rows; the hub is not asked, so it only says that an address is known.
    """
    sources = _sources(data, profile)
    entries = [
        _entry(declared, sources) for declared in sorted(_tables(), key=lambda d: d.table.name)
    ]
    if as_json:
        click.echo(json.dumps(entries, ensure_ascii=False, indent=2))
    else:
        _print_list(entries, sources)


@command.command("show")
@click.argument("name")
@DATA
@click.option(
    "--profile",
    type=click.Choice(["full", "pocket"]),
    default="full",
    show_default=True,
    help="full: the mirror, then the hub; pocket: the mirror, then the bundled stand-in.",
)
@click.option(
    "--rows",
    "shown",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    help="How many rows to show.",
)
@JSON
def show_command(name: str, data: Path | None, profile: Profile, shown: int, as_json: bool) -> None:
    """Show where a table comes from and its first rows.

    NAME is a table's name as `adaptstilts data list` gives it, such as sst2/train or tatoeba/de-en.
    """
    from adaptstilts.data.source import find, open_sources

    table = _table(name)
    rows = find(table, open_sources(profile, data)).read(table)
    first = _first(rows, shown)
    if as_json:
        value = {"provenance": asdict(rows.provenance), "rows": first}
        click.echo(json.dumps(value, ensure_ascii=False, indent=2))
    else:
        _print_rows(rows, first)


@dataclass(frozen=True)
class _Declared:
    """A table with the task or benchmark that declares it."""

    kind: str
    of: str
    table: Table


def _tables() -> Iterator[_Declared]:
    """Every declared table, once."""
    from adaptstilts.task.registry import BENCHMARKS, MINING_BENCHMARKS, TASKS

    for task in TASKS.values():
        yield _Declared("task", task.name, task.train)
        yield _Declared("task", task.name, task.test)
    for benchmark in BENCHMARKS.values():
        for table in benchmark.tables.values():
            yield _Declared("benchmark", benchmark.name, table)
    for mining in MINING_BENCHMARKS.values():
        for splits in mining.sets.values():
            for tables in splits.values():
                for table in (tables.foreign, tables.english, tables.gold):
                    yield _Declared("benchmark", mining.name, table)


def _table(name: str) -> Table:
    """The declared table of that name."""
    from adaptstilts.errors import DataError

    tables = {declared.table.name: declared.table for declared in _tables()}
    if name in tables:
        return tables[name]
    near = difflib.get_close_matches(name, tables, n=3)
    hint = f"; did you mean {' or '.join(f'`{other}`' for other in near)}?" if near else "."
    raise DataError(f"No table is called `{name}`{hint} `adaptstilts data list` names all of them.")


def _sources(data: Path | None, profile: Profile | None) -> list[Source]:
    """The sources of a profile, or of both without repeats."""
    from adaptstilts.data.source import open_sources

    if profile is not None:
        return open_sources(profile, data)
    full, pocket = open_sources("full", data), open_sources("pocket", data)
    return [*full, pocket[-1]]


def _entry(declared: _Declared, sources: Sequence[Source]) -> dict[str, Any]:
    """What is known of a table, as JSON has it."""
    return {
        "table": declared.table.name,
        "kind": declared.kind,
        "of": declared.of,
        "columns": list(declared.table.columns),
        "sources": {source.name: _state(declared.table, source) for source in sources},
    }


def _state(table: Table, source: Source) -> dict[str, Any]:
    """Whether one source has a table, and how many rows; a broken file is told, not raised."""
    from adaptstilts.data.hub import Hub
    from adaptstilts.errors import DataError

    has, n, problem = source.has(table), None, None
    is_local = source.is_cached(table) if isinstance(source, Hub) else has
    if has:
        try:
            n = source.count(table)
        except DataError as err:
            problem = str(err)
    location = source.where(table)
    return {"has": has, "is_local": is_local, "n": n, "location": location, "problem": problem}


def _print_list(entries: Sequence[dict[str, Any]], sources: Sequence[Source]) -> None:
    """The list for people."""
    from rich.console import Console
    from rich.table import Table as Grid

    grid = Grid(box=None, pad_edge=False, header_style="bold")
    grid.add_column("table")
    for source in sources:
        grid.add_column(source.name, justify="right")
    for entry in entries:
        grid.add_row(entry["table"], *(_cell(entry["sources"][source.name]) for source in sources))
    console = Console(highlight=False)
    console.print(grid)
    console.print()
    if all(source.name != "mirror" for source in sources):
        console.print("No mirror is named: give --data DIR or set $ADAPTSTILTS_DATA.")
    for entry in entries:
        for state in entry["sources"].values():
            if state["problem"]:
                console.print(state["problem"], markup=False)
    counts = {kind: sum(e["kind"] == kind for e in entries) for kind in ("task", "benchmark")}
    console.print(
        f"{counts['task']} tables of tasks and {counts['benchmark']} of benchmarks; "
        "numbers are rows, “yes” is an address on the hub, “cached” a copy of it on this machine, "
        "“pocket” a bundled stand-in (other data)."
    )


def _cell(state: dict[str, Any]) -> str:
    """One source's word on one table."""
    if state["problem"]:
        return "broken"
    if not state["has"]:
        return "–"
    if state["n"] is None:
        return "cached" if state["is_local"] else "yes"
    return f"{state['n']:,}"


def _first(rows: Rows, shown: int) -> list[dict[str, Any]]:
    """The first rows, as objects."""
    names = list(rows.columns)
    cells = zip(*(column[:shown] for column in rows.columns.values()), strict=True)
    return [dict(zip(names, row, strict=True)) for row in cells]


def _print_rows(rows: Rows, first: Sequence[dict[str, Any]]) -> None:
    """Provenance and rows for people."""
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    console = Console(highlight=False)
    facts = Grid(box=None, show_header=False, pad_edge=False)
    facts.add_column(style="bold")
    facts.add_column(overflow="fold")
    for key, value in asdict(rows.provenance).items():
        if value is not None:
            facts.add_row(key, Text(f"{value:,}" if isinstance(value, int) else str(value)))
    console.print(facts)
    if not first:
        return
    console.print()
    grid = Grid(box=None, pad_edge=False, header_style="bold")
    grid.add_column("row", justify="right")
    for name in rows.columns:
        grid.add_column(name, overflow="fold")
    for number, row in enumerate(first, start=1):
        grid.add_row(str(number), *(Text(str(cell).strip()) for cell in row.values()))
    console.print(grid)
