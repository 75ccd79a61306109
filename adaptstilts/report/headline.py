"""What the run found, in sentences and as numbers; page and table take it from here."""

from __future__ import annotations

from adaptstilts.record.scores import Effect, Score
from adaptstilts.report import number
from adaptstilts.report.controls import Contrast, contrasts
from adaptstilts.report.finding import (
    Finding,
    all_findings,
    choice_sentence,
    chosen_how,
    collapsed,
    findings,
    trained_on,
)
from adaptstilts.report.load import Run
from adaptstilts.report.naming import dataset_name
from adaptstilts.report.roles import control_systems
from adaptstilts.report.selection import (
    headline_scores,
    language_effects,
    seed_effects,
    task_scores,
)
from adaptstilts.report.verdict import is_within

POCKET_LINE = (
    "Pocket figures: a small bundled encoder; "
    "not XLM-R Large, not comparable with published figures"
)


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
    if not found:
        return ["This run measured no difference to a baseline, so it has no headline."]
    found += [contrast.summary for contrast in contrasts(run)]
    how = choice_sentence(run)
    return [*found, how] if how else found


def extremes(run: Run, system: str) -> tuple[Effect, Effect] | None:
    """The lowest and the highest effect of a system over languages; None for fewer than two."""
    effects = sorted(
        language_effects(run, system).values(), key=lambda row: (row.value, row.language)
    )
    return (effects[0], effects[-1]) if len(effects) > 1 else None


def numbers(run: Run) -> dict[str, object]:
    """The headline as plain values for machines; shares and differences in 0–1, not points."""
    record, headline = run.record, run.record.headline
    is_finished = record.status == "finished"
    return {
        "name": record.name,
        "profile": record.profile,
        "status": record.status,
        "sentences": headline_sentences(run),
        "headline": headline.model_dump() if headline else None,
        "chosen": chosen_how(run) or None,
        "margin": run.margin,
        "systems": {
            system: {"value": row.value, **_interval(row), "n": row.n, "seeds": row.seeds}
            for system, row in headline_scores(run).items()
        },
        "effects": {
            found.system: _effect(run, found, is_finished=is_finished)
            for found in all_findings(run)
        },
        "controls": {found.system: _contrast(found) for found in contrasts(run)}
        if is_finished
        else {},
        "tasks": [
            {
                "system": row.system,
                "seed": row.seed,
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


def _effect(run: Run, found: Finding, *, is_finished: bool) -> dict[str, object]:
    """An effect with its verdict; an unfinished run has none."""
    return {
        "baseline": found.effect.baseline,
        **_plain(found.effect),
        "languages": found.languages,
        "verdict": found.verdict.word if is_finished else None,
        "conclusion": found.verdict.said if is_finished else None,
        "is_within_margin": is_within(found.effect, run.margin) if is_finished else None,
        "is_control": found.system in control_systems(run),
        "is_collapsed": collapsed(run, found.system),
        "by_seed": {
            str(seed): {"value": row.value, **_interval(row)}
            for seed, row in seed_effects(run, found.system).items()
        },
    }


def _contrast(found: Contrast) -> dict[str, object]:
    """A system beside each of its controls."""
    return {
        "summary": found.summary,
        "controls": {
            row.control: {
                "kind": row.kind.name,
                "effect": _plain(row.effect) if row.effect else None,
                "difference": _plain(row.difference) if row.difference else None,
                "relation": row.relation,
                "sentence": row.sentence,
            }
            for row in found.comparisons
        },
    }


def _plain(row: Effect) -> dict[str, object]:
    """An effect's figures."""
    return {
        "value": row.value,
        **_interval(row),
        "low90": row.low90 if number.is_interval(row.low90, row.high90) else None,
        "high90": row.high90 if number.is_interval(row.low90, row.high90) else None,
        "detectable": row.detectable if number.is_interval(0.0, row.detectable) else None,
        "n": row.n,
        "seed": row.seed,
        "seeds": row.seeds,
    }


def _interval(row: Score | Effect) -> dict[str, float | None]:
    """Both ends for JSON, which has no not-a-number."""
    is_known = number.is_interval(row.low, row.high)
    return {"low": row.low if is_known else None, "high": row.high if is_known else None}
