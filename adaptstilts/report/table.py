"""The run in about ten lines, for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from adaptstilts.report import number
from adaptstilts.report.caption import measured_as
from adaptstilts.report.controls import contrasts
from adaptstilts.report.finding import collapsed
from adaptstilts.report.headline import POCKET_LINE, extremes, headline_sentences
from adaptstilts.report.load import Run
from adaptstilts.report.naming import capitalized, dataset_name, language_name
from adaptstilts.report.roles import control_systems, studied
from adaptstilts.report.section import Cell, effect_cell, score_cell
from adaptstilts.report.selection import (
    headline_effects,
    headline_scores,
    seed_effects,
    task_scores,
)


def render(run: Run) -> RenderableType:
    """The run as something that rich can print.

    Args:
        run: The run; one that is running or failed is reported as such.

    Returns:
        Title, systems, tasks, languages and headline sentences; names are never read as markup.
    """
    record = run.record
    lines: list[RenderableType] = [
        Text.assemble((record.name, "bold"), f"  {record.profile} profile, {record.status}")
    ]
    if record.profile == "pocket":
        lines.append(Text(POCKET_LINE, style="yellow"))
    if headline_scores(run):
        lines.append(Text(f"{capitalized(measured_as(run))}; 95 % intervals", style="dim"))
        lines += [
            _systems(run),
            *(Text(line) for line in (*_seeds(run), *_tasks(run), *_languages(run))),
        ]
    if record.status == "finished":
        lines += [Text(line) for line in _controls(run)]
    style = "bold" if record.status == "finished" else "bold red"
    lines += [Text(sentence, style=style) for sentence in headline_sentences(run)]
    return Group(*lines)


def _systems(run: Run) -> Table:
    """Systems by macro score and effect at the headline layer."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    scores, effects = headline_scores(run), headline_effects(run)
    n = sorted({row.n for row in scores.values()})
    over = " to ".join(number.count(value) for value in dict.fromkeys([n[0], n[-1]]))
    table.add_column("system")
    table.add_column(Text(f"macro %, n {over}"))
    table.add_column(Text(f"points to {run.baseline}"))
    controls = control_systems(run)
    for name in run.systems:
        table.add_row(
            Text(f"{name} (control)" if name in controls else name),
            _cell(score_cell(scores.get(name))),
            Text("baseline") if name == run.baseline else _cell(effect_cell(effects.get(name))),
        )
    return table


def _cell(cell: Cell) -> Text:
    return Text(f"{cell.value} ({cell.interval})" if cell.interval else cell.value)


def _tasks(run: Run) -> Iterator[str]:
    """A line for each score of a system on a task."""
    rows = task_scores(run)
    is_many = len({(row.system, row.benchmark) for row in rows}) < len(rows)
    for row in rows:
        cell = score_cell(row)
        seed = f" (seed {row.seed})" if is_many and row.seed is not None else ""
        yield (
            f"{row.system}{seed} on {dataset_name(row.benchmark)} ({row.protocol}): {cell.value} % "
            f"({f'{cell.interval}; ' if cell.interval else ''}n {number.count(row.n)})"
            + (", collapsed to one class" if collapsed(run, row.system) else "")
        )


def _seeds(run: Run) -> Iterator[str]:
    """A line for each studied system with several seeds, with the effect of each."""
    for system in studied(run):
        rows = seed_effects(run, system)
        if len(rows) > 1:
            said = ", ".join(
                f"{number.points(row.value)} (seed {seed})" for seed, row in rows.items()
            )
            yield f"{system} by seed: {said}"


def _controls(run: Run) -> Iterator[str]:
    """A line for each control of each system."""
    for found in contrasts(run):
        for row in found.comparisons:
            yield f"{row.control}: {found.system} {row.sentence}"


def _languages(run: Run) -> Iterator[str]:
    """A line for each studied system with the languages at both ends."""
    for system in studied(run):
        ends = extremes(run, system)
        if ends is not None:
            said = " to ".join(
                f"{number.points(row.value)} in {language_name(row.language)} "
                f"(n {number.count(row.n)})"
                for row in ends
            )
            yield f"{system} by language: {said}"
