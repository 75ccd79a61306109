"""The effect of each studied system in the headline's cell, in sentences."""

from __future__ import annotations

from dataclasses import dataclass

from adaptstilts.record.run import AdapterRecord
from adaptstilts.record.scores import Effect
from adaptstilts.report import number
from adaptstilts.report.expression import describe
from adaptstilts.report.load import Run
from adaptstilts.report.naming import capitalized, dataset_name, direction_name, metric_name
from adaptstilts.report.roles import collapses, control_kind, control_systems, studied, trainings
from adaptstilts.report.selection import headline_effects, language_effects, task_scores
from adaptstilts.report.verdict import Verdict, judge

_CHOSEN = {
    "oracle": "oracle: the layer was chosen on the scored sentences",
    "held_out": "the layer was chosen by the baseline's score on other sentences (held out)",
    "leave_languages_out": "each language's layer was chosen by the baseline's score on all "
    "other languages",
}
# What such a choice of a layer still leaves of dependence.
_DEPENDENCE = {
    "oracle": "by the baseline's own noise too, which favours it, so effects lean downwards",
    "leave_languages_out": "not fully independent: English sentences recur between languages",
}


@dataclass(frozen=True)
class Finding:
    """One system's effect in the headline's cell.

    Attributes:
        system: The system's name.
        effect: Its macro row in effects.parquet.
        languages: How many languages the mean is over.
        verdict: What is claimed of it.
        statement: The finding in words up to the verdict, with points, interval, n and seeds.
        reservation: What makes it void, where something does; else empty.
    """

    system: str
    effect: Effect
    languages: int
    verdict: Verdict
    statement: str
    reservation: str

    @property
    def sentence(self) -> str:
        """The whole finding in words."""
        return f"{self.statement}: {self.verdict.said}. {self.reservation}".rstrip()


def findings(run: Run) -> list[Finding]:
    """The effect of every studied system, in the recipe's order."""
    shown = studied(run)
    return [found for found in all_findings(run) if found.system in shown]


def all_findings(run: Run) -> list[Finding]:
    """The effect of every system, controls and steps of sweeps too, in the recipe's order."""
    return [
        _finding(run, system, effect)
        for system, effect in headline_effects(run).items()
        if system != run.baseline
    ]


def trained_on(run: Run, system: str) -> str | None:
    """The name of the data that a one-adapter system was trained on; None for other systems."""
    adapter = _adapter_of(run, system)
    if adapter is None or adapter.control is not None or system in control_systems(run):
        return None
    scored = [row.benchmark for row in task_scores(run) if row.system == system]
    if scored:
        return dataset_name(scored[0])
    return data_name(run, adapter)


def data_name(run: Run, adapter: AdapterRecord) -> str | None:
    """The name of the data that an adapter was trained on; None where this cannot be told.

    A stand-in never goes by the name of what it stands for.
    """
    stand_ins = _stand_ins(run)
    if not stand_ins or any(row.table.startswith(f"{adapter.task}/") for row in run.record.data):
        return dataset_name(adapter.task)
    return dataset_name(stand_ins[0]) if len(stand_ins) == 1 else None


def seeds_of(row: Effect) -> str:
    """Over how many trainings a row is, such as `3 seeds` or `seed 1`; empty for none."""
    if row.seeds > 1:
        return number.counted(row.seeds, "seed")
    return "" if row.seed is None else f"seed {row.seed}"


def collapsed(run: Run, system: str) -> bool:
    """Whether a system uses an adapter whose every training ended on one class for everything."""
    return collapses(run, system)[1]


def chosen_how(run: Run) -> str:
    """How the headline's layer was chosen from the scores; empty where it was named in advance."""
    headline = run.record.headline
    if headline is None or headline.chosen is None:
        return ""
    said = _CHOSEN.get(headline.chosen, f"the layer was chosen by {headline.chosen}")
    if headline.direction is None:  # mining: its layer is named, its threshold is what was chosen
        said = said.replace("the layer", "the threshold").replace("sentences", "pairs")
    return said


def choice_sentence(run: Run) -> str:
    """How the layer was chosen, and what that leaves of dependence; empty as `chosen_how`."""
    headline, how = run.record.headline, chosen_how(run)
    if headline is None or not how:
        return ""
    is_layer = headline.direction is not None  # in mining the threshold is chosen, by each system
    left = _DEPENDENCE.get(str(headline.chosen), "") if is_layer else ""
    return f"{capitalized(how)}{f' ({left})' if left else ''}."


def at_layer(run: Run) -> str:
    """Where the headline is read, such as ` at layer 4`, to follow what was measured."""
    headline = run.record.headline
    if headline is None:
        return ""
    if headline.layer is not None:
        word = "chosen layer" if headline.chosen and headline.direction else "layer"
        return f" at {word} {headline.layer}"
    if headline.layers:
        low, high = min(headline.layers.values()), max(headline.layers.values())
        return f" at each language's chosen layer, {low} to {high}"
    return ""


def _finding(run: Run, system: str, effect: Effect) -> Finding:
    languages = len(language_effects(run, system))
    data = trained_on(run, system)
    if data is not None:
        subject = f"{capitalized(data)} training"
    elif system in control_systems(run):
        kind = (control_kind(run, system) or "other system").replace("_", " ")
        subject = f"Control {system} ({kind})"
    else:
        subject = f"System {system} ({describe(run.systems.get(system))})"
    decimals = number.decimals_for(effect.low, effect.high)
    interval = number.points_interval(effect.low, effect.high, decimals)
    of = [number.counted(languages, "language"), number.counted(effect.n, "sentence pair")]
    of += [seeds] if (seeds := seeds_of(effect)) else []
    way = "" if effect.direction is None else f" ({direction_name(effect.direction)})"
    statement = (
        f"{subject} changes {dataset_name(effect.benchmark)} {metric_name(effect.metric)}"
        f"{at_layer(run)}{way} by {number.points(effect.value, decimals)} points "
        f"({f'95 % interval {interval}; ' if interval else ''}{', '.join(of)})"
    )
    return Finding(
        system, effect, languages, judge(effect, run.margin), statement, _reservation(run, system)
    )


def _reservation(run: Run, system: str) -> str:
    seeds, is_all = collapses(run, system)
    if is_all:
        return (
            "Its adapter's training collapsed to one class, "
            "so this says nothing about learning the task."
        )
    if seeds:
        named = number.listed(str(seed) for seed in seeds)
        return (
            f"With seed{'s' * (len(seeds) > 1)} {named} its adapter's training collapsed to one "
            "class, so this mixes trainings that learned the task with such as did not."
        )
    return ""


def _stand_ins(run: Run) -> list[str]:
    """The bundled data sets that stand in for tasks, such as `pocket/sentiment`."""
    names = ["/".join(row.table.split("/")[:2]) for row in run.record.data]
    bundled = [name for name in names if name.startswith("pocket/") and name != "pocket/bitext"]
    return list(dict.fromkeys(bundled))


def _adapter_of(run: Run, system: str) -> AdapterRecord | None:
    """The record of the adapter that a system is, where it is exactly one; of its first seed."""
    expression = run.systems.get(system)
    if not isinstance(expression, str):
        return None
    return next(iter(trainings(run, expression).values()), None)
