"""The words under figures and beside numbers: what is shown and what it does not say."""

from __future__ import annotations

from adaptstilts.report import number
from adaptstilts.report.headline import NO_DIFFERENCE, findings
from adaptstilts.report.load import Run
from adaptstilts.report.naming import dataset_name, direction_name, metric_name
from adaptstilts.report.selection import (
    dynamics as dynamics_of,
)
from adaptstilts.report.selection import (
    headline_scores,
    is_finished,
    language_effects,
    language_scores,
    layer_effects,
    layer_scores,
)


def measured_as(run: Run) -> str:
    """What the headline number is, such as `Tatoeba accuracy at layer 4 (both directions)`."""
    headline = run.record.headline
    if headline is None:
        return "nothing measured"
    layer = "" if headline.layer is None else f" at layer {headline.layer}"
    return (
        f"{dataset_name(headline.benchmark)} {metric_name(headline.metric)}{layer} "
        f"({direction_name(headline.direction)}, protocol {headline.protocol})"
    )


def caveats(run: Run) -> list[str]:
    """What a reader must know before believing the headline."""
    headline, found = run.record.headline, findings(run)
    if headline is None or not found or run.record.status != "finished":
        return []
    seeds = {row.effect.seed for row in found if row.effect.seed is not None}
    lines = [
        f"Why this is the headline: {headline.why.rstrip('.')}.",
        "Macro is the plain mean over languages. Intervals of macro figures and of differences "
        "resample English sentences, the same for both systems and all languages; "
        + (
            f"they hold for {'this one training seed' if len(seeds) < 2 else 'these seeds'} and "
            "say nothing about how another seed would differ."
        ),
    ]
    lines += [
        f"{row.system}: the interval reaches {number.points(row.effect.low)} and "
        f"{number.points(row.effect.high)} points, so this test could have missed an effect of "
        "that size; no difference seen is not evidence of no effect."
        for row in found
        if row.verdict == NO_DIFFERENCE
    ]
    return lines


def layers(run: Run) -> str:
    """Under the layer curve."""
    headline = run.record.headline
    rows = [row for system in run.systems for row in layer_scores(run, system)]
    if headline is None or not rows:
        return ""
    return (
        f"Macro {metric_name(headline.metric)} by layer, {dataset_name(headline.benchmark)} "
        f"({direction_name(headline.direction)}): mean over {_languages(run)}, "
        f"n = {_ns([row.n for row in rows])} sentence pairs. Bands: 95 % intervals. "
        f"Dotted upright line: the headline's layer, {headline.layer}."
    )


def effects(run: Run) -> str:
    """Under the effect by layer."""
    headline = run.record.headline
    rows = [row for system in run.systems for row in layer_effects(run, system)]
    if headline is None or not rows:
        return ""
    return (
        f"Paired difference to {run.baseline} by layer, same sentences "
        f"(n = {_ns([row.n for row in rows])}). Bands: 95 % intervals of the difference, one layer "
        "at a time; a band that leaves out the zero line is a difference. Only the headline's "
        "layer was named in advance; the others are for reading, not for choosing."
    )


def languages(run: Run, system: str) -> str:
    """Under the bars by language of one system."""
    headline = run.record.headline
    rows = language_effects(run, system).values()
    up = sum(row.low > 0 for row in rows)
    down = sum(row.high < 0 for row in rows)
    layer = headline.layer if headline else None
    return (
        f"{system} minus {run.baseline} by language at layer {layer}, sorted; "
        f"n = sentence pairs, at the right. Whiskers: 95 % intervals, each language for itself, "
        f"not corrected for there being {len(rows)}. "
        f"Above zero: {up}; below zero: {down}; undecided: {len(rows) - up - down}."
    )


def dynamics(run: Run, system: str) -> str:
    """Under the curve over training of one system."""
    curves = dynamics_of(run)[system]
    rows = [row for layer in curves.values() for row in layer]
    main = headline_scores(run).get(system)
    n = max(row.n for row in rows)
    starts_bare = any(row.trained_share == 0.0 for row in rows)
    fewer = (
        f" This is fewer than the {number.count(main.n)} of the figures above (fewer languages "
        "were measured during training), so the levels differ from theirs."
        if main is not None and main.n != n
        else ""
    )
    return (
        f"{system} during its training: macro score against the share of its training steps. "
        f"All points are over the same {number.counted(n, 'sentence pair')}.{fewer}"
        + (" At 0 % it is the bare base that it starts from." if starts_bare else "")
        + " The last point is the end of the training; the figures above are of the checkpoint "
        "that its dev rows chose."
        + " Bands: 95 % intervals of the level, not of changes along a line."
    )


def unplotted(run: Run) -> str:
    """What to say where training was measured, but not in the way that the headline is."""
    measured = [row for row in run.scores if row.layer is not None and not is_finished(row)]
    if not measured or dynamics_of(run):
        return ""
    protocols = ", ".join(sorted({row.protocol for row in measured}))
    return (
        f"Measured during training by protocol {protocols}, which is not the headline's way of "
        "scoring; no figure sets the two together. The rows are in scores.parquet."
    )


def _languages(run: Run) -> str:
    counts = {len(language_scores(run, system)) for system in run.systems}
    counts -= {0}
    if len(counts) == 1:
        return number.counted(counts.pop(), "language")
    return f"{min(counts)} to {max(counts)} languages" if counts else "its languages"


def _ns(numbers: list[int]) -> str:
    low, high = min(numbers), max(numbers)
    return number.count(low) if low == high else f"{number.count(low)} to {number.count(high)}"
