"""The words under figures and beside numbers: what is shown and what it does not say."""

from __future__ import annotations

from collections.abc import Sequence

from adaptstilts.record.scores import Effect, Score
from adaptstilts.report import number
from adaptstilts.report.finding import at_layer, choice_sentence, chosen_how, findings
from adaptstilts.report.heat_map import changes
from adaptstilts.report.load import Run
from adaptstilts.report.moving import training_records
from adaptstilts.report.naming import (
    capitalized,
    dataset_name,
    dev_metric_name,
    direction_name,
    metric_name,
)
from adaptstilts.report.roles import control_systems, drawn, studied
from adaptstilts.report.selection import (
    dynamics as dynamics_of,
)
from adaptstilts.report.selection import (
    dynamics_seeds,
    headline_effects,
    headline_scores,
    is_finished,
    language_effects,
    language_scores,
    language_tests,
    layer_effects,
    layer_scores,
    shown_layer,
)
from adaptstilts.report.spaces import space_curves
from adaptstilts.report.verdict import NO_DIFFERENCE


def measured_as(run: Run) -> str:
    """What the headline number is, such as `Tatoeba accuracy at layer 4 (both directions)`."""
    headline = run.record.headline
    if headline is None:
        return "nothing measured"
    how = f"; {chosen_how(run)}" if headline.chosen else ""
    return (
        f"{dataset_name(headline.benchmark)} {metric_name(headline.metric)}{at_layer(run)} "
        f"({direction_name(headline.direction)}, protocol {headline.protocol}{how})"
    )


def chosen(run: Run) -> str:
    """A last sentence for captions of figures at a chosen layer; else empty."""
    how = chosen_how(run)
    return f" {capitalized(how)}." if how else ""


def caveats(run: Run) -> list[str]:
    """What a reader must know before believing the headline."""
    headline, found = run.record.headline, findings(run)
    if headline is None or not found or run.record.status != "finished":
        return []
    seeds = max(row.effect.seeds for row in found)
    lines = [
        f"Why this is the headline: {headline.why.rstrip('.')}. {choice_sentence(run)}".rstrip(),
        "Macro is the plain mean over languages. Intervals of macro figures and of differences "
        "resample English sentences, the same for both systems and all languages; "
        + (
            f"they are joined with the spread of the {seeds} training seeds."
            if seeds > 1
            else "they hold for this one training seed and say nothing about how another seed "
            "would differ."
        ),
    ]
    if run.margin is not None:
        lines.append(
            f"The recipe calls a change of {number.sized(run.margin)} the smallest that would "
            "matter. An effect is shown to be smaller where its 90 % interval lies within "
            "that margin on both sides."
        )
    lines += [
        f"{row.system}: the interval reaches {number.points(row.effect.low)} and "
        f"{number.points(row.effect.high)} points, so this test could have missed an effect of "
        "that size; no difference seen is not evidence of no effect."
        for row in found
        if row.verdict.word == NO_DIFFERENCE
    ]
    return lines


def forest(run: Run) -> str:
    """Under the forest plot."""
    rows = headline_effects(run)
    shown = [rows[name] for name in (*studied(run), *control_systems(run)) if name in rows]
    if not shown:
        return ""
    band = f" Grey band: within {number.sized(run.margin)}, the margin." if run.margin else ""
    return (
        f"{capitalized(measured_as(run))}: paired difference to {run.baseline}, with 95 % "
        f"intervals; n = {_ns([row.n for row in shown])} sentence pairs, {_seeds(shown)}. Below "
        f"each studied system (large) its controls (small).{band}"
    )


def controls(run: Run) -> str:
    """Over the table of a system and its controls."""
    return (
        f"{capitalized(measured_as(run))}. Differences in points with 95 % intervals, each for "
        "itself; on the same sentences and, where both have several, on the same seeds. The "
        "studied adapter stands at the checkpoint that its dev rows chose; shuffled_labels and "
        "english_contrastive stand at their last step, so training may have gone further there."
    )


def dose(run: Run, adapter: str) -> str:
    """Under the effect against the factor."""
    rows = list(headline_effects(run).values())
    band = f" Grey band: within {number.sized(run.margin)}, the margin." if run.margin else ""
    return (
        f"{capitalized(measured_as(run))}: difference to {run.baseline} against the factor by "
        f"which the update of {adapter} is multiplied; 0 is {run.baseline} itself, 1 the adapter "
        f"as it was trained. Whiskers: 95 % intervals; n = {_ns([row.n for row in rows])} "
        f"sentence pairs.{band}"
    )


def layers(run: Run) -> str:
    """Under the layer curve."""
    headline = run.record.headline
    rows = [row for system in drawn(run) for row in layer_scores(run, system)]
    if headline is None or not rows:
        return ""
    return (
        f"Macro {metric_name(headline.metric)} by layer, {dataset_name(headline.benchmark)} "
        f"({direction_name(headline.direction)}): mean over {_languages(run)}, "
        f"n = {_ns([row.n for row in rows])} sentence pairs{_several(rows)}. Bands: 95 % "
        f"intervals. {_upright(run)}{_left_out(run)}"
    )


def effects(run: Run) -> str:
    """Under the effect by layer."""
    headline = run.record.headline
    rows = [row for system in drawn(run) for row in layer_effects(run, system)]
    if headline is None or not rows:
        return ""
    return (
        f"Paired difference to {run.baseline} by layer, same sentences "
        f"(n = {_ns([row.n for row in rows])}{_several(rows)}). Bands: 95 % intervals of the "
        "difference, one layer at a time; a band that leaves out the zero line is a difference. "
        + (
            f"{_upright(run)}"
            if headline.chosen
            else "Only the headline's layer was named in advance; the others are for reading, not "
            "for choosing."
        )
    )


def languages(run: Run, system: str) -> str:
    """Under the bars by language of one system."""
    rows = language_effects(run, system).values()
    up = sum(row.low > 0 for row in rows)
    down = sum(row.high < 0 for row in rows)
    return (
        f"{system} minus {run.baseline} by language{at_layer(run)}, sorted; "
        f"n = sentence pairs, at the right. Whiskers: 95 % intervals, each language for itself, "
        f"not corrected for there being {len(rows)}. "
        f"Above zero: {up}; below zero: {down}; undecided: {len(rows) - up - down}."
        f"{_remaining(run, system)}{chosen(run)}"
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
        + _thin_lines(run, system)
        + _below(run, system)
    )


def _thin_lines(run: Run, system: str) -> str:
    layer = shown_layer(run)
    seeds = dynamics_seeds(run, system, layer) if layer is not None else {}
    return f" Thick: mean of {len(seeds)} seeds; thin: each seed." if len(seeds) > 1 else ""


def _below(run: Run, system: str) -> str:
    records = training_records(run, system)
    if not records:
        return ""
    n = _ns([record.dev_n for record in records.values()])
    means = " (thin: each seed; thick: their mean)" if len(records) > 1 else ""
    metric = dev_metric_name(next(iter(records.values())).dev_metric)
    return f" Below: its training loss and its {metric} on n = {n} dev rows{means}."


def heat(run: Run, system: str) -> str:
    """Under the change by layer and share of training."""
    cells = [cell for row in changes(run, system).values() for cell in row.values()]
    rows = [row for layer in dynamics_of(run)[system].values() for row in layer]
    first = min(row.trained_share or 0.0 for row in rows)
    is_tested = any(cell.is_real is not None for cell in cells)
    return (
        f"{system}: change of the macro score in points from {first * 100:g} % of its training, "
        "by layer and share; blue: up, orange: down, on one scale in all maps of this run; "
        f"n = {number.count(rows[0].n)} sentence pairs{_several(rows)}. "
        + (
            "Bold: the 95 % interval of the paired difference leaves out zero, each cell for "
            "itself."
            if is_tested
            else "The change is of two levels and has no interval of its own; those of the levels "
            f"reach {_reach(rows)} points to either side."
        )
    )


def _reach(rows: list[Score]) -> str:
    halves = [
        (row.high - row.low) / 2 * 100 for row in rows if number.is_interval(row.low, row.high)
    ]
    if not halves:
        return "unknown"
    low, high = f"{min(halves):.1f}", f"{max(halves):.1f}"
    return low if low == high else f"{low} to {high}"


def spaces(run: Run) -> str:
    """Under the layer curves of post-processed spaces."""
    rows = [row for curve in space_curves(run).values() for row in curve]
    if not rows:
        return ""
    return (
        f"What costs no training: macro accuracy of {run.baseline} by layer, in its vectors as "
        f"they are and after each post-processing ({direction_name(rows[-1].direction)}); n = "
        f"{_ns([row.n for row in rows])} sentence pairs. Bands: 95 % intervals. "
        + ("Cumulative mean: over the layers up to it. " if "averaged" in space_curves(run) else "")
        + _upright(run)
    )


def unplotted(run: Run) -> str:
    """What to say where training was measured, but not in the way that the headline is."""
    measured = [row for row in run.scores if not is_finished(row)]
    if not measured or dynamics_of(run):
        return ""
    protocols = ", ".join(sorted({row.protocol for row in measured}))
    return (
        f"Measured during training by protocol {protocols}, which is not the headline's way of "
        "scoring; no figure sets the two together. The rows are in scores.parquet."
    )


def _upright(run: Run) -> str:
    layer, headline = shown_layer(run), run.record.headline
    if headline is None or layer is None:
        return ""
    if headline.layer is None:
        return f"Dotted upright line: layer {layer}, which most languages have.{chosen(run)}"
    return f"Dotted upright line: the headline's layer, {layer}.{chosen(run)}"


def _left_out(run: Run) -> str:
    left = [name for name in run.systems if name not in drawn(run)]
    return f" Not drawn: the sweep's {number.counted(len(left), 'system')}." if left else ""


def _several(rows: Sequence[Score] | Sequence[Effect]) -> str:
    """Over how many seeds rows are, where over several."""
    seeds = max(row.seeds for row in rows)
    return f", mean of {seeds} seeds" if seeds > 1 else ""


def _seeds(rows: Sequence[Effect]) -> str:
    counts = sorted({row.seeds for row in rows if row.seeds})
    return " or ".join(number.counted(count, "seed") for count in counts) or "no training"


def _remaining(run: Run, system: str) -> str:
    """How many languages differ after Holm's correction."""
    tests = language_tests(run, system)
    seeds = sorted({seed for found in tests.values() for seed in found}, key=lambda seed: seed or 0)
    if not seeds:
        return ""
    counts = {
        seed: sum(
            (row := found.get(seed)) is not None and row.p_holm is not None and row.p_holm < 0.05
            for found in tests.values()
        )
        for seed in seeds
    }
    said = (
        str(counts[seeds[0]])
        if len(seeds) == 1
        else ", ".join(f"{count} (seed {seed})" for seed, count in counts.items())
    )
    return (
        f" By the exact sign test, corrected by Holm, {said} of {len(tests)} languages "
        "remain at 5 %."
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
