"""Bootstrap intervals clustered by English sentence, for means over languages and for differences.

Tatoeba's languages share English sentences, so their items are not independent: a resample draws
distinct English sentences with replacement, and each brings its items in all languages along.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from adaptstilts.metric.resample import checked, macro_mean, resampled


class Interval(NamedTuple):
    """A statistic, its interval and its standard error, one entry a column (a layer, say).

    Attributes:
        value: The statistic of the sample itself, shape [k].
        low: Lower end, shape [k]; not a number where there is but one cluster.
        high: Upper end, shape [k]; not a number where there is but one cluster.
        error: Standard error, shape [k], as `significance.detectable` takes it; for a bootstrap the
            standard deviation over the resamples, not a number where there is but one cluster.
    """

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    error: NDArray[np.float64]


def cluster_ids(english: Sequence[Sequence[str]]) -> list[NDArray[np.int64]]:
    """Number the distinct English sentences over all languages.

    Args:
        english: For each language the English sentence of each item, lengths n_l.

    Returns:
        For each language the cluster of each item, shape [n_l]; equal text has the same number in
        every language.
    """
    numbers: dict[str, int] = {}
    return [
        np.array([numbers.setdefault(text, len(numbers)) for text in texts], dtype=np.int64)
        for texts in english
    ]


def macro_interval(
    hits: Sequence[NDArray[Any]],
    clusters: Sequence[NDArray[np.integer[Any]]],
    *,
    resamples: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """Mean over languages of the mean over items, with a cluster-bootstrap percentile interval.

    A resample draws as many clusters as there are, with replacement; a language's mean is then
    weighted by how often each item's cluster was drawn. A language none of whose clusters was
    drawn has no mean in that resample, and the mean is over the other languages. With n clusters
    of its own that happens in about exp(-n) of the resamples, so it matters only for a handful of
    items, where any interval is rough. The languages themselves are not resampled: the interval
    speaks about other sentences, not other languages.

    Args:
        hits: For each language the outcome of each item, shape [n_l, k]: 0/1, or any number.
        clusters: For each language the cluster of each item, shape [n_l], shared by the languages.
        resamples: Number of resamples.
        seed: Seed of the draws; the same input and seed give the same interval.
        confidence: Two-sided coverage, between 0 and 1.

    Returns:
        Value and interval, each of shape [k], in the unit of `hits`. Sums of whole and half
        numbers are exact; others are summed in float32. With a single cluster the ends are not
        numbers.

    Raises:
        ValueError: Languages or items differ in number between the arguments, a language is
            empty, `hits` holds a value that is not finite, or `resamples` or `confidence` is out
            of range.

    Source: Efron and Tibshirani 1993, sections 8.5 (clusters) and 13.3 (percentile interval).
    """
    found = macro_intervals(
        hits, clusters, resamples=resamples, seed=seed, confidences=(confidence,)
    )
    return found[confidence]


def macro_intervals(
    hits: Sequence[NDArray[Any]],
    clusters: Sequence[NDArray[np.integer[Any]]],
    *,
    confidences: Sequence[float] = (0.95, 0.90),
    resamples: int = 2000,
    seed: int = 0,
) -> dict[float, Interval]:
    """What `macro_interval` gives at several confidences, from the same resamples.

    Args:
        hits: As `macro_interval`.
        clusters: As `macro_interval`.
        confidences: Two-sided coverages, each between 0 and 1: say 0.95 for the table and 0.90 for
            `significance.equivalence`.
        resamples: As `macro_interval`.
        seed: As `macro_interval`.

    Returns:
        An interval for each confidence; value and error are the same in all.

    Raises:
        ValueError: As `macro_interval`.
    """
    for confidence in confidences:
        _check_settings(resamples, confidence)
    outcomes = checked(hits, clusters)
    value = macro_mean(outcomes)
    statistics = resampled(outcomes, clusters, resamples, seed)
    unknown = np.full_like(value, np.nan)
    if statistics is None:
        return {one: Interval(value, unknown, unknown, unknown) for one in confidences}
    error = statistics.std(axis=0, ddof=1) if resamples > 1 else unknown
    found = {}
    for confidence in confidences:
        tail = (1 - confidence) / 2
        low, high = np.quantile(statistics, [tail, 1 - tail], axis=0)
        found[confidence] = Interval(value, low, high, error)
    return found


def micro_interval(
    hits: Sequence[NDArray[Any]],
    clusters: Sequence[NDArray[np.integer[Any]]],
    *,
    resamples: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """Mean over all items of all languages, with an interval from the same clusters.

    A language weighs by its number of items, where in `macro_interval` all weigh the same. For a
    paired difference hand in the differences.

    Args:
        hits: As `macro_interval`.
        clusters: As `macro_interval`.
        resamples: As `macro_interval`.
        seed: As `macro_interval`.
        confidence: As `macro_interval`.

    Returns:
        Value and interval, each of shape [k].

    Raises:
        ValueError: As `macro_interval`.
    """
    outcomes = checked(hits, clusters)
    # To the macro mean, all items in one language are that language's mean.
    return macro_interval(
        [np.concatenate(outcomes)],
        [np.concatenate(clusters)],
        resamples=resamples,
        seed=seed,
        confidence=confidence,
    )


def seed_interval(
    hits: Sequence[Sequence[NDArray[Any]]],
    clusters: Sequence[NDArray[np.integer[Any]]],
    *,
    resamples: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """Mean over seeds of the mean over languages, with an interval for other seeds and sentences.

    Three seeds are too few to resample, so only sentences are: the standard error joins that of
    the seeds' mean outcome over resampled sentences with that of the mean of the seeds' values.
    What is random in seed and sentence at once is counted in both parts, which widens the interval.
    Student's t has (seeds - 1) × variance / variance of the seeds' mean degrees of freedom; the
    square of that ratio, which Welch and Satterthwaite take, is an estimate too, and with three
    seeds it covered 93 % in the simulations by which this was chosen (it covers 94 to 97 % there).

    Args:
        hits: For each seed what `macro_interval` takes, the same items in all.
        clusters: As `macro_interval`.
        resamples: As `macro_interval`.
        seed: As `macro_interval`; of the resampling, no training's.
        confidence: As `macro_interval`.

    Returns:
        Value and interval [k]; the ends are not numbers where there is one seed or one cluster.

    Raises:
        ValueError: As `macro_interval`, or the seeds' shapes differ, or there is none.

    Source: Satterthwaite 1946; Bouthillier et al. 2021 on seeds and data as sources of variance.
    """
    _check_settings(resamples, confidence)
    if not hits or len({tuple(map(np.shape, one)) for one in hits}) != 1:
        raise ValueError("seeds, at least one, must be measured on the same languages and items")
    outcomes = [checked(one, clusters) for one in hits]
    values = np.array([macro_mean(one) for one in outcomes])
    value = values.mean(axis=0)
    pooled = [np.mean(arrays, axis=0) for arrays in zip(*outcomes, strict=True)]
    statistics = resampled(pooled, clusters, resamples, seed)
    if statistics is None or len(hits) == 1:
        unknown = np.full_like(value, np.nan)
        return Interval(value, unknown, unknown, unknown)
    of_seeds = values.var(axis=0, ddof=1) / len(hits)
    variance = statistics.var(axis=0, ddof=1) + of_seeds
    # No difference between the seeds: the items alone decide, with any number of freedoms.
    ratio = np.divide(variance, of_seeds, out=np.full_like(variance, np.inf), where=of_seeds > 0)
    freedom = np.minimum((len(hits) - 1) * ratio, 1e9)
    error = np.sqrt(variance)
    half = special.stdtrit(freedom, 0.5 + confidence / 2) * error
    return Interval(value, value - half, value + half, error)


def language_intervals(
    hits: Sequence[NDArray[Any]],
    clusters: Sequence[NDArray[np.integer[Any]]],
    *,
    resamples: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> list[Interval]:
    """Mean over items of each language, with its own cluster-bootstrap interval.

    Each language is resampled alone, over its own clusters, so that its interval does not depend on
    which other languages were measured.

    Args:
        hits: As `macro_interval`.
        clusters: As `macro_interval`.
        resamples: As `macro_interval`.
        seed: As `macro_interval`.
        confidence: As `macro_interval`.

    Returns:
        One interval a language, in the order given.

    Raises:
        ValueError: As `macro_interval`.
    """
    _check_settings(resamples, confidence)
    checked(hits, clusters)
    return [
        macro_interval([array], [ids], resamples=resamples, seed=seed, confidence=confidence)
        for array, ids in zip(hits, clusters, strict=True)
    ]


def difference_interval(
    hits: Sequence[NDArray[Any]],
    baseline: Sequence[NDArray[Any]],
    clusters: Sequence[NDArray[np.integer[Any]]],
    *,
    resamples: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """Paired difference `hits` minus `baseline` of the mean over languages, with its interval.

    Args:
        hits: Outcomes of the system, as `macro_interval`.
        baseline: Outcomes of the baseline on the same items, the same shapes.
        clusters: As `macro_interval`.
        resamples: As `macro_interval`.
        seed: As `macro_interval`.
        confidence: As `macro_interval`.

    Returns:
        Value and interval of the difference, shape [k]; above 0 where the system is better.

    Raises:
        ValueError: As `macro_interval`, or the shapes of the two systems differ.
    """
    differences = _differences(hits, baseline)
    return macro_interval(
        differences, clusters, resamples=resamples, seed=seed, confidence=confidence
    )


def difference_intervals(
    hits: Sequence[NDArray[Any]],
    baseline: Sequence[NDArray[Any]],
    clusters: Sequence[NDArray[np.integer[Any]]],
    *,
    confidences: Sequence[float] = (0.95, 0.90),
    resamples: int = 2000,
    seed: int = 0,
) -> dict[float, Interval]:
    """What `difference_interval` gives at several confidences, from the same resamples.

    Args:
        hits: Outcomes of the system, as `macro_interval`.
        baseline: Outcomes of the baseline on the same items, the same shapes.
        clusters: As `macro_interval`.
        confidences: As `macro_intervals`.
        resamples: As `macro_interval`.
        seed: As `macro_interval`.

    Returns:
        An interval for each confidence; value and error are the same in all.

    Raises:
        ValueError: As `macro_interval`, or the shapes of the two systems differ.
    """
    return macro_intervals(
        _differences(hits, baseline),
        clusters,
        confidences=confidences,
        resamples=resamples,
        seed=seed,
    )


def language_difference_intervals(
    hits: Sequence[NDArray[Any]],
    baseline: Sequence[NDArray[Any]],
    clusters: Sequence[NDArray[np.integer[Any]]],
    *,
    resamples: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> list[Interval]:
    """Paired difference `hits` minus `baseline` of each language, with its own interval.

    The intervals are not adjusted for there being many languages.

    Args:
        hits: Outcomes of the system, as `macro_interval`.
        baseline: Outcomes of the baseline on the same items, the same shapes.
        clusters: As `macro_interval`.
        resamples: As `macro_interval`.
        seed: As `macro_interval`.
        confidence: As `macro_interval`.

    Returns:
        One interval a language, in the order given.

    Raises:
        ValueError: As `macro_interval`, or the shapes of the two systems differ.
    """
    differences = _differences(hits, baseline)
    return language_intervals(
        differences, clusters, resamples=resamples, seed=seed, confidence=confidence
    )


def _differences(
    hits: Sequence[NDArray[Any]], baseline: Sequence[NDArray[Any]]
) -> list[NDArray[np.float64]]:
    shapes, others = [np.shape(a) for a in hits], [np.shape(b) for b in baseline]
    if shapes != others:
        raise ValueError(
            "a paired difference needs the same items of both systems; "
            f"got shapes {shapes} and {others}"
        )
    # As float64: a difference of booleans is not defined, and one of unsigned numbers wraps.
    return [
        np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)
        for a, b in zip(hits, baseline, strict=True)
    ]


def _check_settings(resamples: int, confidence: float) -> None:
    if resamples < 1:
        raise ValueError(f"resamples must be at least 1; got {resamples}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1; got {confidence}")
