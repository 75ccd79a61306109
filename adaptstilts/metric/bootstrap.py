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

# Resamples drawn at once: 64 x 28,000 clusters are 14 MB of draws and 7 MB of weights.
CHUNK_RESAMPLES = 64


class Interval(NamedTuple):
    """A statistic and its percentile interval, one entry a column (a layer, say).

    Attributes:
        value: The statistic of the sample itself, shape [k].
        low: Lower end, shape [k]; not a number where there is but one cluster.
        high: Upper end, shape [k]; not a number where there is but one cluster.
    """

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


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
    _check_settings(resamples, confidence)
    outcomes = _checked(hits, clusters)
    value = _macro(outcomes)
    statistics = _resampled(outcomes, clusters, resamples, seed)
    if statistics is None:
        unknown = np.full_like(value, np.nan)
        return Interval(value, unknown, unknown.copy())
    tail = (1 - confidence) / 2
    low, high = np.quantile(statistics, [tail, 1 - tail], axis=0)
    return Interval(value, low, high)


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
    outcomes = [_checked(one, clusters) for one in hits]
    values = np.array([_macro(one) for one in outcomes])
    value = values.mean(axis=0)
    pooled = [np.mean(arrays, axis=0) for arrays in zip(*outcomes, strict=True)]
    statistics = _resampled(pooled, clusters, resamples, seed)
    if statistics is None or len(hits) == 1:
        unknown = np.full_like(value, np.nan)
        return Interval(value, unknown, unknown.copy())
    of_seeds = values.var(axis=0, ddof=1) / len(hits)
    variance = statistics.var(axis=0, ddof=1) + of_seeds
    # No difference between the seeds: the items alone decide, with any number of freedoms.
    ratio = np.divide(variance, of_seeds, out=np.full_like(variance, np.inf), where=of_seeds > 0)
    freedom = np.minimum((len(hits) - 1) * ratio, 1e9)
    half = special.stdtrit(freedom, 0.5 + confidence / 2) * np.sqrt(variance)
    return Interval(value, value - half, value + half)


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
    _checked(hits, clusters)
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


def _macro(outcomes: list[NDArray[np.float32]]) -> NDArray[np.float64]:
    """The mean over languages of the mean over items, shape [k]."""
    means = [array.mean(axis=0, dtype=np.float64) for array in outcomes]
    return np.asarray(np.mean(means, axis=0), dtype=np.float64)


def _resampled(
    outcomes: list[NDArray[np.float32]],
    clusters: Sequence[NDArray[np.integer[Any]]],
    resamples: int,
    seed: int,
) -> NDArray[np.float64] | None:
    """The macro means of the resamples, shape [resamples, k]; None where there is one cluster."""
    labels, codes = np.unique(np.concatenate(clusters), return_inverse=True)
    if labels.size < 2:
        return None
    ends = np.cumsum([len(array) for array in outcomes])[:-1]
    members = np.split(codes.reshape(-1), ends)
    generator = np.random.default_rng(seed)
    statistics = np.empty((resamples, outcomes[0].shape[1]), dtype=np.float64)
    for start in range(0, resamples, CHUNK_RESAMPLES):
        weights = _weights(generator, min(CHUNK_RESAMPLES, resamples - start), labels.size)
        statistics[start : start + len(weights)] = _macro_means(weights, outcomes, members)
    return statistics


def _weights(generator: np.random.Generator, resamples: int, clusters: int) -> NDArray[np.float32]:
    """Multinomial counts, shape [resamples, clusters]: how often each cluster was drawn."""
    draws = generator.integers(0, clusters, size=(resamples, clusters))
    draws += np.arange(resamples)[:, None] * clusters
    counts = np.bincount(draws.reshape(-1), minlength=resamples * clusters)
    return counts.reshape(resamples, clusters).astype(np.float32)


def _macro_means(
    weights: NDArray[np.float32],
    outcomes: list[NDArray[np.float32]],
    members: list[NDArray[np.intp]],
) -> NDArray[np.float64]:
    """Mean over languages for each resample, shape [resamples, k]."""
    total = np.zeros((len(weights), outcomes[0].shape[1]), dtype=np.float64)
    languages = np.zeros((len(weights), 1), dtype=np.float64)
    for array, member in zip(outcomes, members, strict=True):
        item_weights = weights.take(member, axis=1)
        drawn = item_weights.sum(axis=1, keepdims=True, dtype=np.float64)
        is_drawn = drawn > 0
        # A language that was not drawn has a sum of 0 and adds nothing.
        total += (item_weights @ array) / np.where(is_drawn, drawn, 1.0)
        languages += is_drawn
    # Every cluster has an item, so at least one language was drawn in each resample.
    means: NDArray[np.float64] = total / languages
    return means


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


def _checked(
    hits: Sequence[NDArray[Any]], clusters: Sequence[NDArray[np.integer[Any]]]
) -> list[NDArray[np.float32]]:
    """The outcomes as float32, after checking that all shapes belong together."""
    if len(hits) != len(clusters) or not hits:
        raise ValueError(
            "hits and clusters must name the same languages, at least one; "
            f"got {len(hits)} and {len(clusters)}"
        )
    outcomes = [np.asarray(array, dtype=np.float32) for array in hits]
    for index, (array, ids) in enumerate(zip(outcomes, clusters, strict=True)):
        if array.ndim != 2 or array.shape[1] != outcomes[0].shape[1] or 0 in array.shape:
            raise ValueError(
                f"hits of language {index} must have shape [n, k], n above 0 and k as in the "
                f"first language; got {array.shape}"
            )
        if np.shape(ids) != (len(array),):
            raise ValueError(
                f"language {index} has {len(array)} items but clusters of shape {np.shape(ids)}"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"hits of language {index} hold a value that is not finite")
    return outcomes
