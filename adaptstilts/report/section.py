"""The page's tables as rows of text: systems, tasks, adapters, languages, facts."""

from __future__ import annotations

from dataclasses import dataclass

from adaptstilts.metric.interval import wilson
from adaptstilts.record.scores import Effect, Score
from adaptstilts.report import number
from adaptstilts.report.axes import place
from adaptstilts.report.expression import describe
from adaptstilts.report.finding import collapsed, data_name
from adaptstilts.report.load import Run
from adaptstilts.report.naming import dataset_name, language_name, metric_name
from adaptstilts.report.roles import control_kind, control_systems, drawn, studied
from adaptstilts.report.selection import (
    headline_effects,
    headline_scores,
    language_effects,
    language_scores,
    task_scores,
)


@dataclass(frozen=True)
class Cell:
    """A number and its interval, both as text."""

    value: str
    interval: str


@dataclass(frozen=True)
class LanguageRow:
    """One language of the full table."""

    name: str
    code: str
    n: str
    cells: list[Cell]


@dataclass(frozen=True)
class LanguageTable:
    """The full table: the baseline, then each system and its difference to the baseline."""

    columns: list[str]
    rows: list[LanguageRow]


def systems(run: Run) -> list[dict[str, object]]:
    """Every system with its macro score and effect at the headline layer."""
    scores, effects = headline_scores(run), headline_effects(run)
    controls, shown = control_systems(run), drawn(run)
    rows: list[dict[str, object]] = []
    for name in run.systems:
        score = score_cell(scores.get(name))
        effect = effect_cell(None if name == run.baseline else effects.get(name))
        rows.append(
            {
                "name": name,
                "is": describe(run.systems[name], "adapter ")
                + (f", control: {_kind(run, name)}" if name in controls else "")
                + (f", {seeds} seeds" if (seeds := _seeds(scores, name)) > 1 else "")
                + (", collapsed" if collapsed(run, name) else ""),
                "series": place(run, name) if name in shown else None,
                "value": score.value,
                "interval": score.interval,
                "effect": "baseline" if name == run.baseline else effect.value,
                "effect_interval": effect.interval,
                "n": number.count(scores[name].n) if name in scores else number.ABSENT,
            }
        )
    return rows


def _kind(run: Run, system: str) -> str:
    return (control_kind(run, system) or "another system").replace("_", " ")


def _seeds(scores: dict[str, Score], system: str) -> int:
    return scores[system].seeds if system in scores else 0


def tasks(run: Run) -> list[dict[str, object]]:
    """The systems' scores on tasks; with several seeds a row for each."""
    rows = task_scores(run)
    is_many = len({(row.system, row.benchmark) for row in rows}) < len(rows)
    return [
        {
            "system": row.system,
            "seed": f"seed {row.seed}" if is_many and row.seed is not None else "",
            "task": dataset_name(row.benchmark),
            "metric": metric_name(row.metric),
            "protocol": row.protocol,
            "value": number.bare_percent(row.value),
            "interval": number.percent_interval(row.low, row.high),
            "n": number.count(row.n),
            "is_collapsed": collapsed(run, row.system),
        }
        for row in rows
    ]


def adapters(run: Run) -> list[dict[str, object]]:
    """How each adapter was trained; intervals are Wilson's, from share and n."""
    rows: list[dict[str, object]] = []
    for name, adapter in run.record.adapters.items():
        dev = _share(adapter.dev_accuracy, adapter.dev_n)
        test = _share(adapter.test_accuracy, adapter.test_n)
        rows.append(
            {
                "name": name,
                "task": data_name(run, adapter) or f"stand-in for {dataset_name(adapter.task)}",
                "control": f"{adapter.control.replace('_', ' ')} of {adapter.of}"
                if adapter.control
                else "",
                "method": _method(adapter.method),
                "parameters": number.count(adapter.parameters),
                "head_parameters": number.count(adapter.head_parameters),
                "chosen_step": number.count(adapter.chosen_step),
                "steps": number.count(adapter.steps),
                "seed": adapter.seed,
                "dev": dev.value,
                "dev_interval": dev.interval,
                "dev_n": number.count(adapter.dev_n),
                "test": test.value,
                "test_interval": test.interval,
                "is_collapsed": adapter.is_collapsed and adapter.control is None,
                "curve": [
                    {
                        "step": number.count(point.step),
                        "share": number.bare_percent(point.share),
                        "loss": f"{point.loss:.3f}",
                        "dev": (cell := _share(point.dev_accuracy, adapter.dev_n, "")).value,
                        "interval": cell.interval,
                    }
                    for point in adapter.curve
                ],
            }
        )
    return rows


def languages(run: Run) -> LanguageTable | None:
    """The full table by language of the studied systems, by code; None where there is none."""
    others = studied(run)
    base = language_scores(run, run.baseline) if run.baseline else {}
    scores = {name: language_scores(run, name) for name in others}
    effects = {name: language_effects(run, name) for name in others}
    shown = [name for name in others if scores[name]]
    codes = sorted({code for found in [base, *scores.values()] for code in found})
    if not codes:
        return None
    columns = [run.baseline] if run.baseline else []
    for name in shown:
        columns += [name, f"{name} − {run.baseline}"]
    rows = []
    for code in codes:
        cells = [score_cell(base.get(code))] if run.baseline else []
        for name in shown:
            cells += [score_cell(scores[name].get(code)), effect_cell(effects[name].get(code))]
        ns = [found[code].n for found in [base, *scores.values()] if code in found]
        rows.append(LanguageRow(language_name(code), code, number.count(max(ns)), cells))
    return LanguageTable(columns, rows)


def facts(run: Run) -> list[tuple[str, str]]:
    """Provenance as pairs of name and value."""
    record, base = run.record, run.record.base
    pairs = [("Profile", f"{record.profile}: {record.profile_reason}")]
    if base is not None:
        pairs += [
            ("Base", base.model + (f" @ {base.revision}" if base.revision else "")),
            ("Held as", f"{base.quantization}, computed in {base.compute} on {base.device}"),
            (
                "Size",
                f"{base.layers} layers of width {base.hidden_size}, "
                f"{number.count(base.parameters)} weights, {number.size(base.bytes)}",
            ),
            (
                "Vocabulary",
                f"{number.count(base.kept_pieces)} of {number.count(base.pieces)} pieces kept",
            ),
            ("Fingerprint", base.fingerprint),
        ]
    hardware, gpu = record.hardware, record.hardware.gpu
    pairs += [
        (
            "Machine",
            f"{hardware.cpu or 'unknown processor'}, {number.counted(hardware.cores, 'core')}, "
            f"{number.size(hardware.memory_bytes)}",
        ),
        (
            "GPU",
            f"{gpu.name}, {number.size(gpu.memory_bytes)}, compute {gpu.compute_capability}"
            if gpu
            else "none",
        ),
        ("Platform", f"Python {hardware.python}, {hardware.platform}"),
        ("Versions", ", ".join(f"{name} {text}" for name, text in record.versions.items())),
        (
            "Code",
            f"commit {record.git.commit}{', with uncommitted changes' * record.git.is_dirty}"
            if record.git
            else "not from a git checkout",
        ),
        ("Seeds", ", ".join(f"{name} {seed}" for name, seed in record.seeds.items()) or "none"),
        ("Started", record.started_at),
        ("Finished", record.finished_at or number.ABSENT),
        ("Took", number.ABSENT if record.seconds is None else number.duration(record.seconds)),
        ("Peak memory", number.size(record.peak_memory_bytes)),
        ("Command", " ".join(record.command)),
    ]
    return pairs


def score_cell(row: Score | None) -> Cell:
    """A score in percent with its interval; a dash where it was not measured."""
    if row is None:
        return Cell(number.ABSENT, "")
    return Cell(number.bare_percent(row.value), number.percent_interval(row.low, row.high))


def effect_cell(row: Effect | None) -> Cell:
    """A difference in points with its interval; a dash where it was not measured."""
    if row is None:
        return Cell(number.ABSENT, "")
    decimals = number.decimals_for(row.low, row.high)
    return Cell(
        number.points(row.value, decimals), number.points_interval(row.low, row.high, decimals)
    )


def _share(accuracy: float | None, n: int, said: str | None = None) -> Cell:
    """An accuracy over n rows with Wilson's interval, and n where nothing else is said."""
    if accuracy is None or n < 1:
        return Cell(number.ABSENT, "")
    low, high = wilson(min(n, max(0, round(accuracy * n))), n)
    more = f", n {number.count(n)}" if said is None else said
    return Cell(number.bare_percent(accuracy), number.percent_interval(low, high) + more)


def _method(method: dict[str, object]) -> str:
    """An adapter's method in words, such as `lora, rank 8, alpha 16, targets query value`."""
    parts = [str(method.get("kind", ""))]
    for name, value in method.items():
        if name != "kind":
            said = " ".join(str(item) for item in value) if isinstance(value, list) else value
            if isinstance(said, float):
                said = f"{said:g}"
            parts.append(f"{name} {said}")
    return ", ".join(part for part in parts if part)
