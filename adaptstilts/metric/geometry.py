"""The shape of one space: does it point one way, and do a few vectors draw all the others?"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from adaptstilts.metric.interval import Estimate, wilson
from adaptstilts.metric.vectors import matrix, unit


class Anisotropy(NamedTuple):
    """How far the vectors point one way, and the dimensions that make them.

    Attributes:
        cosine: Mean cosine of two different vectors.
        dimensions: Those that add most to it, most first, shape [top].
        contributions: What each adds, shape [top]; those of all dimensions add up to the cosine.
        shares: Contributions divided by the cosine, shape [top]; they say nothing where the
            cosine's interval holds 0, and are not numbers where it is 0.
    """

    cosine: Estimate
    dimensions: NDArray[np.int64]
    contributions: NDArray[np.float64]
    shares: NDArray[np.float64]


def anisotropy(x: NDArray[Any], *, top: int = 10, confidence: float = 0.95) -> Anisotropy:
    """Mean cosine over all pairs of different vectors, with the dimensions that make it.

    The literature draws 10,000 random pairs. Their mean estimates that over all pairs, which
    follows exactly from the sum of the unit vectors, in less time and without a seed. The interval
    is a jackknife's over vectors: 10,000 pairs of 1,000 vectors share vectors, so their spread
    divided by the root of 10,000 would make it too narrow.

    Args:
        x: Vectors, shape [n, d], any float type.
        top: How many dimensions to name; all of them where there are fewer.
        confidence: Two-sided coverage, between 0 and 1.

    Raises:
        ValueError: The shape is not [n, d] with n at least 2, a value is not finite, a vector is
            all zero, top is below 1 or the confidence outside 0 to 1.

    Source: Ethayarajh 2019, section 3.3 (mean cosine); Hämmerl et al. 2023 (2306.00458) and their
        `outliers/src/anisotropy.py` (contributions, top 10).
    """
    if top < 1 or not 0 < confidence < 1:
        raise ValueError(
            f"top must be at least 1 and confidence between 0 and 1; got {top}, {confidence}"
        )
    units = unit(matrix(x, "the array"), "the array")
    n = len(units)
    if n < 2:
        raise ValueError("a cosine needs two vectors")
    total = units.sum(axis=0)
    # Sum over ordered pairs = square of the sum less the squares, in each dimension.
    contributions = (total**2 - np.sum(units**2, axis=0)) / (n * (n - 1))
    value = float(contributions.sum())
    low = high = math.nan
    if n > 2:
        others = value * n * (n - 1) - 2 * (units @ total - 1)  # without each vector
        parts = others / ((n - 1) * (n - 2))
        error = math.sqrt((n - 1) * float(np.mean((parts - parts.mean()) ** 2)))
        half = float(special.stdtrit(n - 1, 0.5 + confidence / 2)) * error
        low, high = max(-1.0, value - half), min(1.0, value + half)
    order = np.argsort(-contributions, kind="stable")[:top]
    named = contributions[order]
    shares = named / value if value else np.full_like(named, math.nan)
    return Anisotropy(Estimate(value, low, high, n), order, named, shares)


def occurrences(neighbours: NDArray[np.integer[Any]], n: int) -> NDArray[np.int64]:
    """How many queries hold each candidate among their nearest k.

    Args:
        neighbours: Candidates that each query found, shape [queries, k] or [queries] for k = 1.
        n: Number of candidates.

    Returns:
        Counts, shape [n]; they add up to queries times k.

    Raises:
        ValueError: A candidate is not in 0 to n - 1, or a query holds one twice.

    Source: Radovanović et al. 2010, "Hubs in space", section 2 (N_k).
    """
    found = np.asarray(neighbours)
    rows = found.reshape(len(found), -1)
    if n < 1 or (rows.size and not (rows.min() >= 0 and rows.max() < n)):
        raise ValueError(f"neighbours must be numbers of candidates, 0 to {n - 1}")
    ordered = np.sort(rows, axis=1)
    if (ordered[:, 1:] == ordered[:, :-1]).any():
        raise ValueError("a query holds the same candidate twice among its neighbours")
    return np.bincount(rows.reshape(-1), minlength=n).astype(np.int64)


def hubness_skew(
    counts: NDArray[np.integer[Any]],
    *,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Estimate:
    """Skewness of the k-occurrences: above 0 where a few hubs are near to many queries.

    Args:
        counts: From `occurrences`, shape [n].
        resamples: Bootstrap resamples of the candidates.
        seed: Of the resamples; the same input and seed give the same interval.
        confidence: Two-sided coverage, between 0 and 1.

    Returns:
        E(N - mean)³ / deviation³, with a percentile interval. Not a number where all counts are
        equal; resamples whose counts are all equal are left out of the interval. The interval is
        rough: a rare hub is missing from many resamples, and in simulations (n = 300 to 1,000) one
        of 95 % covered 89 to 91 % at a skewness of 0.4, 86 to 90 % at 1 and 67 to 84 % at 2 to 3.
        A studentised form gained up to 11 points for up to twice the width, BCa up to 7.

    Raises:
        ValueError: The shape is not [n], a count is below 0, or a setting is out of range.

    Source: Radovanović et al. 2010, equation 1; `estimation.py` of VarIr/scikit-hubness.
    """
    values = _checked_counts(counts)
    if resamples < 1 or not 0 < confidence < 1:
        raise ValueError(
            f"resamples must be at least 1 and confidence between 0 and 1; got {resamples}, "
            f"{confidence}"
        )
    n = len(values)
    if (values == values[0]).all():
        return Estimate(math.nan, math.nan, math.nan, n)
    # About the mean, so that the third moment is not the difference of large numbers.
    centred = values - values.mean()
    powers = np.stack([centred, centred**2, centred**3], axis=1)
    skews = _skewness(_resamples(n, resamples, seed).astype(np.float64) @ powers / n)
    tail = (1 - confidence) / 2
    known = skews[np.isfinite(skews)]
    low, high = np.quantile(known, [tail, 1 - tail]) if known.size else (math.nan, math.nan)
    value = float(_skewness(powers.mean(axis=0)[None])[0])
    return Estimate(value, float(low), float(high), n)


def antihub_share(counts: NDArray[np.integer[Any]], *, confidence: float = 0.95) -> Estimate:
    """Share of candidates that no query holds among its neighbours.

    Args:
        counts: From `occurrences`, shape [n].
        confidence: Two-sided coverage, between 0 and 1.

    Returns:
        Share in 0 to 1 with Wilson's interval, which, unlike a bootstrap's, has a width where no
        candidate is an antihub. Candidates compete for queries, so their counts are correlated
        negatively if at all, and the interval is rather too wide than too narrow.

    Raises:
        ValueError: The shape is not [n], a count is below 0, or the confidence is out of range.

    Source: Radovanović et al. 2010, section 4 (antihubs); Wilson 1927.
    """
    values = _checked_counts(counts)
    antihubs, n = int((values == 0).sum()), len(values)
    return Estimate(antihubs / n, *wilson(antihubs, n, confidence), n)


def _checked_counts(counts: NDArray[np.integer[Any]]) -> NDArray[np.float64]:
    values = np.asarray(counts, dtype=np.float64)
    if values.ndim != 1 or not values.size or not (values >= 0).all():
        raise ValueError("counts must be one row of numbers that are not negative")
    return values


@lru_cache(maxsize=4)
def _resamples(n: int, resamples: int, seed: int) -> NDArray[np.uint32]:
    """How often each resample of n items holds each, shape [resamples, n]; do not change it.

    Kept, since drawing is most of the work and every layer and direction needs the same.
    """
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples)
    counts = drawn.astype(np.uint32)
    counts.flags.writeable = False
    return counts


def _skewness(raw: NDArray[np.float64]) -> NDArray[np.float64]:
    """Skewness from the first three moments about any point, shape [m, 3] to [m]."""
    first, second, third = raw.T
    variance = second - first**2
    moment = third - 3 * first * second + 2 * first**3
    has_spread = variance > 1e-12 * np.maximum(second, 1e-300)
    skew: NDArray[np.float64] = np.full_like(first, math.nan)
    np.divide(moment, np.where(has_spread, variance, 1.0) ** 1.5, out=skew, where=has_spread)
    return skew
