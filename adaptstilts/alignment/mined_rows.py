"""From mined pairs of several systems to scores with intervals, and to paired effects on F1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from adaptstilts.alignment.bucc import CURVE_POINTS, Threshold, thinned
from adaptstilts.metric.mining import Candidates
from adaptstilts.metric.mining_resample import mining_draws
from adaptstilts.metric.mining_score import (
    Curve,
    MiningScore,
    best_threshold,
    f1_at,
    precision_recall_curve,
)
from adaptstilts.metric.significance import detectable
from adaptstilts.metric.summary import Summary, combine
from adaptstilts.record.scores import AS_IS, MACRO, Effect, Score

# In the order in which `mining_draws` gives them.
METRICS = ("precision", "recall", "f1")
F1 = METRICS.index("f1")


@dataclass(frozen=True)
class Cut:
    """One system's candidates in one language, cut at a threshold.

    Attributes:
        predicted: The pairs above the threshold, shape [p, 2].
        gold: The gold pairs, shape [g, 2].
        threshold: The threshold and what chose it.
        score: Precision, recall and F1 there.
        candidates: Pairs that were mined, before the threshold.
        curve: Precision and recall by threshold, thinned.
    """

    predicted: NDArray[np.int64]
    gold: NDArray[np.int64]
    threshold: Threshold
    score: MiningScore
    candidates: int
    curve: Curve


@dataclass(frozen=True)
class MinedSystem:
    """What one system mined.

    Attributes:
        system: Name in the recipe.
        seeds: Its trainings' seeds, one for each member of `cuts`; a None for the bare base.
        cuts: For each seed, by language.
    """

    system: str
    seeds: tuple[int | None, ...]
    cuts: Sequence[Mapping[str, Cut]]


@dataclass(frozen=True)
class MiningTable:
    """How a measurement by mining is scored.

    Attributes:
        benchmark: The set that is scored, such as `bucc2018/dev`.
        protocol: Name of the protocol.
        layer: The layer that was mined.
        chosen: What chose the thresholds: `held_out` or `oracle`.
    """

    benchmark: str
    protocol: str
    layer: int
    chosen: str


def cut(
    found: Candidates, gold: NDArray[np.int64], *, name: str, threshold: Threshold | None = None
) -> Cut:
    """Cuts candidates at a threshold.

    Args:
        found: Candidates, the best first.
        gold: Gold pairs in the same numbering, shape [g, 2].
        name: Name of the set that is scored.
        threshold: Where they are cut; None chooses the best on this gold, which is an oracle's.

    Raises:
        ValueError: As `precision_recall_curve`.
    """
    if threshold is None:
        threshold = Threshold(best_threshold(found, gold), name)
    score = f1_at(found, gold, threshold.value)
    curve = thinned(precision_recall_curve(found, gold), points=CURVE_POINTS)
    predicted = found.pairs[: score.predicted]
    return Cut(predicted, gold, threshold, score, len(found), curve)


def mined_scores(measured: MinedSystem, table: MiningTable) -> list[Score]:
    """Precision, recall and F1 of a system: for each seed, and over all where there are several.

    Intervals are 95 %, from a bootstrap over groups of pairs as in `mining_draws`, joined with the
    spread of the seeds. `macro` is the mean over languages, whose pairs are drawn independently.

    Args:
        measured: What the system mined.
        table: How it is scored.
    """
    rows: list[Score] = []
    cuts_of = dict(zip(measured.seeds, measured.cuts, strict=True))
    for seeds in _by_seed(measured.seeds):
        cuts = [cuts_of[seed] for seed in seeds]
        summaries = _over_languages(
            {
                language: (
                    np.array([_values(one[language]) for one in cuts]),
                    _mean(_draws([one[language] for one in cuts], language)),
                )
                for language in cuts[0]
            }
        )
        for language, summary in summaries.items():
            rows += [
                Score(**_cell(measured, table, seeds, language, summary, METRICS.index(metric)))
                for metric in ("f1", "precision", "recall")
            ]
    return rows


def mined_effects(measured: MinedSystem, baseline: MinedSystem, table: MiningTable) -> list[Effect]:
    """Paired differences in F1 of a system to a baseline, over the same groups of pairs.

    A seed of the system is compared with the same seed of the baseline, or with its only one. The
    bare base has no seeds, so it is compared with each of the baseline's, and the rows say which.
    There is no test of single items: F1 is no mean over them.

    Args:
        measured: What the system mined.
        baseline: What the baseline mined in the same sets.
        table: How both are scored.
    """
    paired = max((measured.seeds, baseline.seeds), key=len)  # of equals the system's
    ours_of = dict(zip(measured.seeds, measured.cuts, strict=True))
    theirs_of = dict(zip(baseline.seeds, baseline.cuts, strict=True))
    rows = []
    for seeds in _by_seed(paired):
        ours = [ours_of.get(seed, measured.cuts[0]) for seed in seeds]
        theirs = [theirs_of.get(seed, baseline.cuts[0]) for seed in seeds]
        parts: dict[str, tuple[NDArray[np.float64], NDArray[np.float64] | None]] = {}
        for language in ours[0]:
            mine, other = ([one[language] for one in side] for side in (ours, theirs))
            values = np.array(
                [np.subtract(_values(a), _values(b)) for a, b in zip(mine, other, strict=True)]
            )
            draws = _draws([*mine, *other], language)
            if draws is not None:
                draws = draws[:, : len(mine)] - draws[:, len(mine) :]
            parts[language] = (values, _mean(draws))
        for language, summary in _over_languages(parts).items():
            rows.append(
                Effect(
                    **_cell(measured, table, seeds, language, summary, F1),
                    baseline=baseline.system,
                    low90=float(summary.low90[F1]),
                    high90=float(summary.high90[F1]),
                    detectable=detectable(
                        float(summary.error[F1]), freedom=float(summary.freedom[F1])
                    ),
                    p=None,
                    p_holm=None,
                    h=None,
                )
            )
    return rows


def _by_seed(seeds: tuple[int | None, ...]) -> Iterator[tuple[int | None, ...]]:
    """Each seed alone, then all together where there are several."""
    yield from ((seed,) for seed in seeds)
    if len(seeds) > 1:
        yield seeds


def _values(one: Cut) -> tuple[float, float, float]:
    """The scores, in the order of `METRICS`."""
    return one.score.precision, one.score.recall, one.score.f1


def _draws(cuts: Sequence[Cut], language: str) -> NDArray[np.float64] | None:
    """Resampled scores, shape [resamples, cuts, 3]; a language's own whatever else is measured."""
    return mining_draws(
        [one.predicted for one in cuts], cuts[0].gold, seed=crc32(language.encode())
    )


def _mean(draws: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    """The mean over seeds in each resample, shape [resamples, 3]."""
    return None if draws is None else draws.mean(axis=1)


def _over_languages(
    parts: Mapping[str, tuple[NDArray[np.float64], NDArray[np.float64] | None]],
) -> dict[str, Summary]:
    """The summary of each language and of their mean."""
    found = {language: combine(*part) for language, part in parts.items()}
    drawn = [draws for _, draws in parts.values() if draws is not None]
    values = np.mean([values for values, _ in parts.values()], axis=0)
    whole = np.mean(drawn, axis=0) if len(drawn) == len(parts) else None
    return found | {MACRO: combine(values, whole)}


def _cell(
    measured: MinedSystem,
    table: MiningTable,
    seeds: tuple[int | None, ...],
    language: str,
    summary: Summary,
    metric: int,
) -> dict[str, Any]:
    """What scores and effects share: the columns of a row."""
    gold = {name: one.score.gold for name, one in measured.cuts[0].items()}
    return {
        "system": measured.system,
        "seed": seeds[0] if len(seeds) == 1 else None,
        "seeds": sum(seed is not None for seed in seeds),
        "benchmark": table.benchmark,
        "protocol": table.protocol,
        "language": language,
        "direction": None,
        "space": AS_IS,
        "layer": table.layer,
        "chosen": table.chosen,
        "metric": METRICS[metric],
        "value": float(summary.value[metric]),
        "n": sum(gold.values()) if language == MACRO else gold[language],
        "low": float(summary.low[metric]),
        "high": float(summary.high[metric]),
        "trained_share": None,
    }
