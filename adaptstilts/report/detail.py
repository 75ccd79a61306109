"""The page's tables of detail: controls, seeds, languages with tests, groups of languages."""

from __future__ import annotations

from dataclasses import dataclass

from adaptstilts.record.scores import MACRO, MICRO, Effect, Score
from adaptstilts.report import number
from adaptstilts.report.controls import Contrast
from adaptstilts.report.load import Run
from adaptstilts.report.naming import group_name, language_name
from adaptstilts.report.roles import studied
from adaptstilts.report.section import Cell, effect_cell, score_cell
from adaptstilts.report.selection import (
    headline_effects,
    headline_scores,
    language_effects,
    language_scores,
    language_tests,
    seed_effects,
    seed_scores,
    strata,
)
from adaptstilts.task.languages import LANGUAGES
from adaptstilts.task.strata import strata as groups_of

TOLD = 0.05


@dataclass(frozen=True)
class Table:
    """A table of text.

    Attributes:
        title: What it is of; empty where there is but one.
        columns: Heads of the columns.
        rows: Each row's head, with what stands small below it, and its cells.
    """

    title: str
    columns: list[str]
    rows: list[tuple[Cell, list[Cell]]]


def contrast(run: Run, found: Contrast) -> Table:
    """A system and its controls: effects, differences, verdicts."""
    own = Cell(found.system, "")
    rows = [(own, [effect_cell(found.effect), Cell("", ""), Cell("", ""), _n(found.effect)])]
    rows += [
        (
            Cell(row.control, row.kind.what),
            [
                effect_cell(row.effect),
                effect_cell(row.difference),
                Cell(f"{found.system} {row.sentence}", ""),
                _n(row.difference or row.effect),
            ],
        )
        for row in found.comparisons
    ]
    columns = [
        "System, and what its controls keep",
        f"To {run.baseline}",
        f"{found.system} − control",
        "In words",
        "n",
    ]
    return Table(found.system, columns, rows)


def seeds(run: Run) -> Table | None:
    """Effect and score of each seed of each system, and over all; None where none has several."""
    several = {
        system: found
        for system in run.systems
        if system != run.baseline and len(found := seed_effects(run, system)) > 1
    }
    names = sorted({seed for found in several.values() for seed in found})
    rows = []
    for system, effects in several.items():
        scores = seed_scores(run, system)
        whole, moved = headline_scores(run).get(system), headline_effects(run).get(system)
        cells = [_seed(effects.get(seed), scores.get(seed)) for seed in names]
        all_ = Cell(system, f"{len(effects)} seeds")
        rows.append((all_, [*cells, _seed(moved, whole), _n(moved)]))
    columns = ["System", *(f"Seed {seed}" for seed in names), "Mean", "n"]
    return Table("", columns, rows) if rows else None


def _seed(effect: Effect | None, score: Score | None) -> Cell:
    """An effect with its interval, and the score itself."""
    cell = effect_cell(effect)
    level = "" if score is None else f"at {number.bare_percent(score.value)} %"
    return Cell(cell.value, "; ".join(part for part in (cell.interval, level) if part))


def languages(run: Run, system: str) -> Table | None:
    """Each language of a system with its tests; None where no language was tested or measured."""
    base = language_scores(run, run.baseline) if run.baseline else {}
    scores, effects = language_scores(run, system), language_effects(run, system)
    tests = language_tests(run, system)
    if not tests:
        return None
    rows = []
    for code, effect in sorted(effects.items(), key=lambda item: (item[1].value, item[0])):
        own = list(tests.get(code, {}).values())
        adjusted = [row.p_holm for row in own if row.p_holm is not None]
        p = max((row.p for row in own if row.p is not None), default=None)
        remains = bool(adjusted) and max(adjusted) < TOLD
        rows.append(
            (
                Cell(language_name(code), code),
                [
                    Cell(number.count(effect.n), ""),
                    score_cell(base.get(code)),
                    score_cell(scores.get(code)),
                    effect_cell(effect),
                    Cell(number.chance(p), ""),
                    Cell(number.chance(max(adjusted, default=None)), "remains" if remains else ""),
                    Cell(number.ABSENT if effect.h is None else number.signed(effect.h, 2), ""),
                ],
            )
        )
    several = max((len(found) for found in tests.values()), default=1)
    of = f", largest of {several} seeds" if several > 1 else ""
    columns = [
        "Language",
        "n",
        f"{run.baseline}, %",
        f"{system}, %",
        "Difference",
        f"p{of}",
        f"p after Holm{of}",
        "Cohen's h",
    ]
    return Table(system, columns, rows)


def groups(run: Run) -> Table | None:
    """Effects over groups of languages; None where only the macro mean was scored."""
    names = strata(run)
    if names in ([], [MACRO]):
        return None
    systems = [name for name in studied(run) if name in headline_effects(run)]
    rows = []
    for name in names:
        effects = headline_effects(run, name)
        base = headline_scores(run, name).get(run.baseline or "")
        cells = [score_cell(base), *(effect_cell(effects.get(system)) for system in systems)]
        some = next((effects[system] for system in systems if system in effects), None)
        rows.append((Cell(_stratum(name), ""), [*cells, Cell(_members(run, name), ""), _n(some)]))
    columns = ["Languages", f"{run.baseline}, %", *systems, "Languages in it", "n"]
    return Table("", columns, rows)


def _stratum(name: str) -> str:
    words = {MACRO: "all, each language alike", MICRO: "all, each sentence pair alike"}
    return words.get(name) or group_name(name)


def _members(run: Run, name: str) -> str:
    """How many of the measured languages are in a group; a dash where this cannot be told."""
    measured = language_scores(run, run.baseline or "")
    if name in (MACRO, MICRO):
        return number.count(len(measured)) if measured else number.ABSENT
    members = groups_of(code for code in measured if code in LANGUAGES).get(name, ())
    whole = headline_scores(run, name).get(run.baseline or "")
    is_right = whole is not None and sum(measured[code].n for code in members) == whole.n
    return number.count(len(members)) if members and is_right else number.ABSENT


def _n(row: Effect | None) -> Cell:
    return Cell(number.ABSENT if row is None else number.count(row.n), "")
