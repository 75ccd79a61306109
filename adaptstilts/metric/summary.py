"""All means over languages of one table, with their intervals, from the same resamples.

Macro, micro and every group of languages are read from one set of draws of whole clusters (English
sentences), so that a table costs one resampling and its figures belong together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from adaptstilts.metric.bootstrap import checked, weight_chunks

RESAMPLES = 2000


class Summary(NamedTuple):
    """A mean, its intervals and its standard error, one entry a column; each of shape [k].

    Attributes:
        value: The mean of the sample itself.
        low: Lower end of the 95 % interval; not a number where there is but one cluster.
        high: Upper end of it.
        low90: Lower end of the 90 % interval, as `significance.equivalence` takes it.
        high90: Upper end of it.
        error: Standard error, as `significance.detectable` takes it.
        freedom: Its degrees of freedom, likewise; inf for one seed, whose interval is no
            Student's.
    """

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    low90: NDArray[np.float64]
    high90: NDArray[np.float64]
    error: NDArray[np.float64]
    freedom: NDArray[np.float64]


MACRO, MICRO = "macro", "micro"


def summarize(
    seeds: Sequence[Sequence[NDArray[Any]]],
    clusters: Sequence[NDArray[np.integer[Any]]],
    *,
    groups: Mapping[str, Sequence[int]] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Summary]:
    """Means over languages (`macro`), over items (`micro`) and over groups of languages.

    With one training seed the intervals are percentiles over resampled clusters and speak about
    other sentences alone. With several, `combine` adds what the seeds' spread says about other
    seeds.

    Args:
        seeds: For each training seed, for each language the outcome of each item, shape [n_l, k].
        clusters: For each language the cluster of each item, shape [n_l], shared by the languages.
        groups: By name, the positions of the languages whose mean is wanted too.
        resamples: Number of resamples.
        seed: Seed of the draws, no training's.

    Returns:
        `macro`, `micro` and each group. A language none of whose clusters was drawn has no mean in
        that resample, and macro and groups are then over the others.

    Raises:
        ValueError: There is no seed, or their shapes differ; a shape is wrong, or a value is not
            finite.

    Source: Efron and Tibshirani 1993, sections 8.5 (clusters) and 13.3 (percentile interval).
    """
    outcomes = _checked_seeds(seeds, clusters)
    named = {MACRO: range(len(clusters)), **(groups or {})}
    pooled = [np.mean(arrays, axis=0) for arrays in zip(*outcomes, strict=True)]
    statistics = _resampled(pooled, clusters, named, resamples, seed)
    return {
        name: combine(
            np.array([_mean(one, None if name == MICRO else named[name]) for one in outcomes]),
            None if statistics is None else statistics[name],
        )
        for name in (MACRO, MICRO, *(groups or {}))
    }


def summarize_each(
    seeds: Sequence[Sequence[NDArray[Any]]],
    clusters: Sequence[NDArray[np.integer[Any]]],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> list[Summary]:
    """The mean of each language over its items, resampled over its own clusters alone.

    So a language's interval does not depend on which others were measured.

    Args:
        seeds: As `summarize`.
        clusters: As `summarize`.
        resamples: As `summarize`.
        seed: As `summarize`.

    Raises:
        ValueError: As `summarize`.
    """
    outcomes = _checked_seeds(seeds, clusters)
    return [
        summarize([[one[place]] for one in outcomes], [members], resamples=resamples, seed=seed)[
            MACRO
        ]
        for place, members in enumerate(clusters)
    ]


def combine(values: NDArray[np.float64], statistics: NDArray[np.float64] | None) -> Summary:
    """A mean over seeds with intervals, from resamples of the sentences and the seeds' spread.

    Three seeds are too few to resample, so only sentences are: the standard error joins that of
    the seeds' mean outcome over resampled sentences with that of the mean of the seeds' values.
    What is random in seed and sentence at once is counted in both parts, which widens the interval.
    Student's t has (seeds - 1) × variance / variance of the seeds' mean degrees of freedom; the
    square of that ratio, which Welch and Satterthwaite take, is an estimate too, and with three
    seeds it covered 93 % in the simulations by which this was chosen (it covers 94 to 97 % there).

    Args:
        values: Each seed's value, shape [seeds, k].
        statistics: The seeds' mean in each resample, shape [resamples, k]; None where there is one
            cluster.

    Source: Satterthwaite 1946; Bouthillier et al. 2021 on seeds and data as sources of variance.
    """
    value = values.mean(axis=0)
    if statistics is None:
        unknown = np.full_like(value, np.nan)
        return Summary(value, *([unknown] * 6))
    of_items = statistics.var(axis=0, ddof=1)
    if len(values) == 1:
        low, low90, high90, high = np.quantile(statistics, [0.025, 0.05, 0.95, 0.975], axis=0)
        normal = np.full_like(value, np.inf)
        return Summary(value, low, high, low90, high90, np.sqrt(of_items), normal)
    of_seeds = values.var(axis=0, ddof=1) / len(values)
    variance = of_items + of_seeds
    # No difference between the seeds: the items alone decide, with any number of freedoms.
    ratio = np.divide(variance, of_seeds, out=np.full_like(variance, np.inf), where=of_seeds > 0)
    freedom = np.minimum((len(values) - 1) * ratio, 1e9)
    error = np.sqrt(variance)
    half, half90 = (special.stdtrit(freedom, share) * error for share in (0.975, 0.95))
    ends = (value - half, value + half, value - half90, value + half90)
    return Summary(value, *ends, error, freedom)


def _checked_seeds(
    seeds: Sequence[Sequence[NDArray[Any]]], clusters: Sequence[NDArray[np.integer[Any]]]
) -> list[list[NDArray[np.float32]]]:
    if not seeds or len({tuple(map(np.shape, one)) for one in seeds}) != 1:
        raise ValueError("seeds, at least one, must be measured on the same languages and items")
    return [checked(one, clusters) for one in seeds]


def _mean(outcomes: list[NDArray[np.float32]], places: Sequence[int] | None) -> NDArray[np.float64]:
    """The mean over some languages of the mean over items; of all items where places is None."""
    if places is None:
        return np.asarray(np.concatenate(outcomes).mean(axis=0, dtype=np.float64))
    means = [outcomes[place].mean(axis=0, dtype=np.float64) for place in places]
    return np.asarray(np.mean(means, axis=0), dtype=np.float64)


def _resampled(
    outcomes: list[NDArray[np.float32]],
    clusters: Sequence[NDArray[np.integer[Any]]],
    named: Mapping[str, Sequence[int]],
    resamples: int,
    seed: int,
) -> dict[str, NDArray[np.float64]] | None:
    """By name the means in each resample, shape [resamples, k]; None where there is one cluster."""
    labels, codes = np.unique(np.concatenate(clusters), return_inverse=True)
    if labels.size < 2:
        return None
    ends = np.cumsum([len(array) for array in outcomes])[:-1]
    members = np.split(codes.reshape(-1), ends)
    parts: dict[str, list[NDArray[np.float64]]] = {name: [] for name in (MICRO, *named)}
    for weights in weight_chunks(labels.size, resamples, seed):
        sums = np.empty((len(outcomes), len(weights), outcomes[0].shape[1]))
        drawn = np.empty((len(outcomes), len(weights), 1))
        for place, (array, member) in enumerate(zip(outcomes, members, strict=True)):
            item_weights = weights.take(member, axis=1)
            drawn[place, :, 0] = item_weights.sum(axis=1, dtype=np.float64)
            sums[place] = item_weights @ array
        # Every cluster has an item, so something was drawn; a language that was not has a sum of 0.
        parts[MICRO].append(sums.sum(axis=0) / drawn.sum(axis=0))
        is_drawn = drawn > 0
        means = sums / np.where(is_drawn, drawn, 1.0)
        for name, places in named.items():
            chosen = list(places)
            with np.errstate(invalid="ignore"):  # a small group may be left out of a resample
                parts[name].append(means[chosen].sum(axis=0) / is_drawn[chosen].sum(axis=0))
    found = {name: np.concatenate(rows) for name, rows in parts.items()}
    return {name: rows[np.isfinite(rows).all(axis=1)] for name, rows in found.items()}
