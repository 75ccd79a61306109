"""What the run found, in sentences and as numbers; page and table take it from here."""

from __future__ import annotations

from dataclasses import dataclass

from adaptstilts.record.run import AdapterRecord
from adaptstilts.record.scores import Effect, Score
from adaptstilts.report import number
from adaptstilts.report.load import Run
from adaptstilts.report.naming import capitalized, dataset_name, direction_name, metric_name
from adaptstilts.report.selection import (
    headline_effects,
    headline_scores,
    language_effects,
    task_scores,
)

ENHANCES = "enhances"
DEGRADES = "degrades"
NO_DIFFERENCE = "no difference that this test could see"

POCKET_LINE = (
    "Pocket figures: a small bundled encoder; "
    "not XLM-R Large, not comparable with published figures"
)


@dataclass(frozen=True)
class Finding:
    """One system's effect at the headline layer.

    Attributes:
        system: The system's name.
        effect: Its macro row in effects.parquet.
        languages: How many languages the mean is over.
        verdict: `enhances`, `degrades`, or `no difference that this test could see`.
        statement: The finding in words up to the verdict, with points, interval and n.
        reservation: What makes it void, where something does; else empty.
    """

    system: str
    effect: Effect
    languages: int
    verdict: str
    statement: str
    reservation: str

    @property
    def sentence(self) -> str:
        """The whole finding in words."""
        return f"{self.statement}: {self.verdict}. {self.reservation}".rstrip()


def verdict(low: float, high: float) -> str:
    """The word for an effect: it follows from whether the interval excludes zero."""
    if not number.is_interval(low, high):
        return "no interval was computed, so nothing is claimed"
    if low > 0:
        return ENHANCES
    if high < 0:
        return DEGRADES
    return NO_DIFFERENCE


def describe(expression: object, before: str = "") -> str:
    """A system's expression in words, such as `−1 × sst2`; a lone adapter after `before`."""
    if expression is None or expression == "none":
        return "the bare base"
    if isinstance(expression, dict):
        scale = expression.get("scale")
        if isinstance(scale, dict) and {"of", "by"} <= scale.keys():
            of, by = scale["of"], scale["by"]
            inner = f"({describe(of)})" if isinstance(of, dict) else describe(of)
            factor = f"{by:g}".replace("-", number.MINUS) if isinstance(by, int | float) else by
            return f"{factor} × {inner}"
    return f"{before}{expression}"


def adapter_of(run: Run, system: str) -> AdapterRecord | None:
    """The record of the adapter that a system is, where it is exactly one."""
    expression = run.systems.get(system)
    return run.record.adapters.get(expression) if isinstance(expression, str) else None


def trained_on(run: Run, system: str) -> str | None:
    """The name of the data that a one-adapter system was trained on; None for other systems.

    A control is none of these: what it does is not what training on the task does.
    """
    adapter = adapter_of(run, system)
    if adapter is None or adapter.control is not None:
        return None
    scored = [row.benchmark for row in task_scores(run) if row.system == system]
    return dataset_name(scored[0] if scored else adapter.task)


def adapters_in(expression: object) -> list[str]:
    """Names of the adapters that a system's expression is made of."""
    if isinstance(expression, dict):
        return [name for value in expression.values() for name in adapters_in(value)]
    return [expression] if isinstance(expression, str) and expression != "none" else []


def collapsed(run: Run, system: str) -> bool:
    """Whether a system uses an adapter whose training ended on one class for everything.

    A control may do so, and says what it was made to say all the same.
    """
    named = adapters_in(run.systems.get(system))
    found = [run.record.adapters[name] for name in named if name in run.record.adapters]
    return any(adapter.is_collapsed and adapter.control is None for adapter in found)


def question(run: Run) -> str:
    """The question that the run asks, as far as its record says."""
    headline = run.record.headline
    names = [name for system in run.systems if (name := trained_on(run, system))]
    model = run.record.base.model if run.record.base else "the base"
    model = "the bundled pocket encoder" if model == "pocket" else model
    if headline is None or not names:
        return "What do the recipe's adapters do to the cross-lingual alignment of the base?"
    return (
        f"Does training on {' or '.join(dict.fromkeys(names))} enhance or degrade the "
        f"cross-lingual alignment of {model}, "
        f"measured by {dataset_name(headline.benchmark)} retrieval?"
    )


def findings(run: Run) -> list[Finding]:
    """The effect of every system at the headline layer, in the recipe's order."""
    return [
        _finding(run, system, effect)
        for system, effect in headline_effects(run).items()
        if system != run.baseline
    ]


def _finding(run: Run, system: str, effect: Effect) -> Finding:
    languages = len(language_effects(run, system))
    data = trained_on(run, system)
    if data is not None:
        subject = f"{capitalized(data)} training"
    else:
        subject = f"System {system} ({describe(run.systems.get(system))})"
    decimals = number.decimals_for(effect.low, effect.high)
    interval = number.points_interval(effect.low, effect.high, decimals)
    of = f"{number.counted(languages, 'language')}, {number.counted(effect.n, 'sentence pair')}"
    place = "" if effect.layer is None else f" at layer {effect.layer}"
    way = "" if effect.direction is None else f" ({direction_name(effect.direction)})"
    statement = (
        f"{subject} changes {dataset_name(effect.benchmark)} {metric_name(effect.metric)}"
        f"{place}{way} by {number.points(effect.value, decimals)} points "
        f"({f'95 % interval {interval}; ' if interval else ''}{of})"
    )
    reservation = (
        "Its adapter's training collapsed to one class, "
        "so this says nothing about learning the task."
        if collapsed(run, system)
        else ""
    )
    found = verdict(effect.low, effect.high)
    return Finding(system, effect, languages, found, statement, reservation)


def status_sentence(run: Run) -> str | None:
    """What to say instead of a result where the run failed or is still running; else None."""
    record = run.record
    if record.status == "failed":
        after = f" after {number.duration(record.seconds)}" if record.seconds else ""
        why = f": {record.error}" if record.error else ", and left no reason"
        return f"This run failed{after}{why}. No result is claimed."
    if record.status == "running":
        return (
            f"This run has not finished: it was started at {record.started_at} and is running, "
            "or was killed. Run the same recipe again to go on from its finished stages. "
            "No result is claimed."
        )
    return None


def headline_sentences(run: Run) -> list[str]:
    """The sentences that stand at the top of every form of the report."""
    status = status_sentence(run)
    if status is not None:
        return [status]
    found = [finding.sentence for finding in findings(run)]
    return found or ["This run measured no difference to a baseline, so it has no headline."]


def extremes(run: Run, system: str) -> tuple[Effect, Effect] | None:
    """The lowest and the highest effect of a system over languages; None for fewer than two."""
    effects = sorted(
        language_effects(run, system).values(), key=lambda row: (row.value, row.language)
    )
    return (effects[0], effects[-1]) if len(effects) > 1 else None


def numbers(run: Run) -> dict[str, object]:
    """The headline as plain values for machines; shares and differences in 0–1, not points."""
    record, headline = run.record, run.record.headline
    return {
        "name": record.name,
        "profile": record.profile,
        "status": record.status,
        "sentences": headline_sentences(run),
        "headline": headline.model_dump() if headline else None,
        "systems": {
            system: {"value": row.value, **_interval(row), "n": row.n}
            for system, row in headline_scores(run).items()
        },
        "effects": {
            found.system: {
                "baseline": found.effect.baseline,
                "value": found.effect.value,
                **_interval(found.effect),
                "n": found.effect.n,
                "languages": found.languages,
                "verdict": found.verdict if record.status == "finished" else None,
                "is_collapsed": collapsed(run, found.system),
            }
            for found in findings(run)
        },
        "tasks": [
            {
                "system": row.system,
                "task": row.benchmark,
                "protocol": row.protocol,
                "metric": row.metric,
                "value": row.value,
                **_interval(row),
                "n": row.n,
            }
            for row in task_scores(run)
        ],
    }


def _interval(row: Score | Effect) -> dict[str, float | None]:
    """Both ends for JSON, which has no not-a-number."""
    is_known = number.is_interval(row.low, row.high)
    return {"low": row.low if is_known else None, "high": row.high if is_known else None}
