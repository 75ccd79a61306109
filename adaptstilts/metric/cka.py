"""Debiased linear CKA: how alike two sets of vectors are, up to a rotation and a scale.

Plain CKA of unrelated vectors grows with d / n and is near 1 for n below d, which Tatoeba's 205 to
1,000 sentences of 1,024 dimensions are. The unbiased HSIC removes that. It is the inner product of
two U-centred Gram matrices (zero diagonal, rows that add up to 0; Székely and Rizzo 2014), so
debiased CKA is a cosine of those, lies in -1 to 1, and is 0 on average for unrelated vectors.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special

from adaptstilts.metric.interval import Estimate
from adaptstilts.metric.vectors import paired

# Below it the debiased estimate does not exist.
FEWEST = 4


class Null(NamedTuple):
    """Debiased CKA where the rows of one side are paired at random.

    Attributes:
        mean: Mean over the permutations drawn; over all permutations it is exactly 0.
        quantile: Their 95 % quantile.
        p_value: Share of permutations, the true pairing counted as one, at or above its CKA.
        permutations: How many were drawn.
    """

    mean: float
    quantile: float
    p_value: float
    permutations: int


def debiased_cka(
    x: NDArray[Any], y: NDArray[Any], *, blocks: int = 20, confidence: float = 0.95
) -> Estimate:
    """Linear CKA from unbiased HSIC, with a block-jackknife interval.

    It is computed through [d, d] products where d is below n, else through [n, n] ones; the two
    are equal. Blocks are runs of rows, so that near-equal sentences that follow each other leave
    together.

    Args:
        x: Vectors, shape [n, d], any float type.
        y: Vectors of the same items, shape [n, e].
        blocks: Parts of equal size, each left out once.
        confidence: Two-sided coverage, between 0 and 1.

    Returns:
        CKA from -1 to 1. The interval is Student's, cut at -1 and 1; its ends are not numbers where
        too few rows would be left without a block. In simulations of Gaussian vectors the 95 %
        interval covered a CKA of 0.55 in 95 to 97 % of samples, but 0 in 99 %, where the estimate
        varies in another way: whether there is any CKA at all is for `cka_null` to say.

    Raises:
        ValueError: A side is not [n, d] or not finite, the rows differ in number or are fewer than
            4, all vectors of a side are equal, blocks are below 2, or the confidence is outside 0
            to 1.

    Source: Song et al. 2012, equation 5 (unbiased HSIC); Kornblith et al. 2019, section 3 (CKA);
        Nguyen et al. 2021, section 3 (debiased CKA); Efron and Tibshirani 1993, chapter 11.
    """
    if blocks < 2 or not 0 < confidence < 1:
        raise ValueError(
            f"blocks must be at least 2 and confidence between 0 and 1; got {blocks}, {confidence}"
        )
    first, second = _centred(x, y)
    n = len(first)
    ends = np.linspace(0, n, min(blocks, n) + 1).round().astype(int)
    has_interval = n - int(np.diff(ends).max()) >= FEWEST
    # The first entry leaves out nothing.
    left_out = [slice(0, 0)]
    if has_interval:
        left_out += [slice(a, b) for a, b in itertools.pairwise(ends)]
    sums = _by_features if max(first.shape[1], second.shape[1]) < n else _by_grams
    ratios = _ratios(sums(first, second, left_out))
    value = float(ratios[0])
    if not has_interval:
        return Estimate(value, math.nan, math.nan, n)
    parts = ratios[1:]
    error = math.sqrt((len(parts) - 1) * float(np.mean((parts - parts.mean()) ** 2)))
    half = float(special.stdtrit(len(parts) - 1, 0.5 + confidence / 2)) * error
    return Estimate(value, max(-1.0, value - half), min(1.0, value + half), n)


def cka_null(x: NDArray[Any], y: NDArray[Any], *, permutations: int = 200, seed: int = 0) -> Null:
    """What debiased CKA would be if the sentences were paired at random.

    Over all permutations its mean is exactly 0 and its standard deviation that of
    `null_deviation`, whatever the vectors; its shape depends on them, hence permutations. Where n
    is above `permutations`, all n - 1 cyclic shifts of the rows, put in random order, are taken
    instead of permutations drawn one by one: one Fourier transform gives them all, and since they
    form a group with the true pairing, the test is as exact. It holds two [n, n] arrays.

    Args:
        x: Vectors, shape [n, d], any float type.
        y: Vectors of the same items, shape [n, e].
        permutations: The fewest to draw.
        seed: Of the draws.

    Raises:
        ValueError: As `debiased_cka`, or permutations are below 1.

    Source: Hemerik and Goeman 2018, "Exact testing with random permutations", theorem 1 (groups)
        and 2 (draws).
    """
    if permutations < 1:
        raise ValueError(f"permutations must be at least 1; got {permutations}")
    first, second = (_u_centred(side) for side in _centred(x, y))
    n = len(first)
    generator = np.random.default_rng(seed)
    observed = float(np.vdot(first, second))
    if n > permutations:
        order = generator.permutation(n)
        drawn = _of_shifts(_reordered(first, order), _reordered(second, order))[1:]
    else:
        orders = [generator.permutation(n) for _ in range(permutations)]
        drawn = np.array([np.vdot(first, _reordered(second, order)) for order in orders])
    # Permutations that give the same pairing back differ by rounding alone: count them as equal.
    above = int(np.sum(drawn >= observed - 1e-6))
    return Null(
        mean=float(drawn.mean()),
        quantile=float(np.quantile(drawn, 0.95)),
        p_value=(1 + above) / (1 + len(drawn)),
        permutations=len(drawn),
    )


def null_deviation(n: int) -> float:
    """Standard deviation of debiased CKA over all pairings of the rows of two sides.

    The statistic is Mantel's, a sum over pairs of rows of products of two arrays whose rows add up
    to 0. Of Mantel's terms for pairs that share two, one and no row, with A and B the two sums of
    squares, there remain 2AB / n(n-1), 4AB / n(n-1)(n-2) and 4AB / n(n-1)(n-2)(n-3), together
    2AB / n(n-3); CKA divides by the root of AB.

    Args:
        n: Rows.

    Raises:
        ValueError: n is below 4.

    Source: Mantel 1967, "The detection of disease clustering", appendix; the reduction is ours.
    """
    if n < FEWEST:
        raise ValueError(f"debiased CKA needs at least {FEWEST} rows; got {n}")
    return math.sqrt(2 / (n * (n - 3)))


def _centred(x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both sides without their mean, which changes nothing but the rounding."""
    first, second = paired(x, y)
    if len(first) < FEWEST:
        raise ValueError(f"debiased CKA needs at least {FEWEST} rows; got {len(first)}")
    sides = []
    for side, name in ((first, "first"), (second, "second")):
        if (side == side[0]).all():
            raise ValueError(f"all vectors of the {name} side are equal: CKA is not defined")
        moved = side - side.mean(axis=0)
        # At one scale: squares of squares of lengths must neither overflow nor vanish.
        sides.append(moved / np.abs(moved).max())
    return sides[0], sides[1]


def _ratios(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """CKA from the HSIC of x with x, x with y and y with y, shape [subsets, 3]."""
    if not (sums[:, [0, 2]] > 0).all():
        raise ValueError("a side, or what is left of it without a block, has vectors all equal")
    return np.asarray(sums[:, 1] / np.sqrt(sums[:, 0] * sums[:, 2]), dtype=np.float64)


def _by_features(
    x: NDArray[np.float64], y: NDArray[np.float64], left_out: list[slice]
) -> NDArray[np.float64]:
    """n(n-3) HSIC of x with x, x with y and y with y without some rows, shape [subsets, 3].

    With centred rows and their squared lengths p and q, Song's estimator becomes
    ‖XᵀY‖² - n/(n-2) p·q + Σp Σq / (n-1)(n-2).
    """
    n = len(x)
    kept = np.ones((n, len(left_out)))
    for row, out in enumerate(left_out):
        kept[out, row] = 0
    sizes = kept.sum(axis=0)
    means = [kept.T @ side / sizes[:, None] for side in (x, y)]
    # Squared lengths about the mean of those kept, shape [n, subsets]; 0 for those left out.
    lengths = [
        kept * (np.sum(side**2, axis=1)[:, None] - 2 * side @ mean.T + np.sum(mean**2, axis=1))
        for side, mean in zip((x, y), means, strict=True)
    ]
    sums = np.empty((len(left_out), 3))
    for column, (one, other) in enumerate(((0, 0), (0, 1), (1, 1))):
        a, b = (x, y)[one], (x, y)[other]
        product = a.T @ b
        p, q = lengths[one], lengths[other]
        sums[:, column] = p.sum(axis=0) * q.sum(axis=0) / ((sizes - 1) * (sizes - 2))
        sums[:, column] -= sizes / (sizes - 2) * np.einsum("is,is->s", p, q)
        for row, out in enumerate(left_out):
            # One product over the rows to be taken off, the mean standing as a row of its own.
            mean, weight = means[one][row][:, None], means[other][row][None] * sizes[row]
            rest = product - np.hstack([a[out].T, mean]) @ np.vstack([b[out], weight])
            sums[row, column] += np.vdot(rest, rest)
    return sums


def _by_grams(
    x: NDArray[np.float64], y: NDArray[np.float64], left_out: list[slice]
) -> NDArray[np.float64]:
    """As `_by_features`, from the Gram matrices without their diagonals."""
    grams = [side @ side.T for side in (x, y)]
    for gram in grams:
        np.fill_diagonal(gram, 0)
    rows = [gram.sum(axis=1) for gram in grams]
    sums = np.empty((len(left_out), 3))
    for column, (one, other) in enumerate(((0, 0), (0, 1), (1, 1))):
        product = grams[one] * grams[other]
        of_rows, of_all = product.sum(axis=1), product.sum()
        for row, out in enumerate(left_out):
            # Each pair of a row left out and a row kept is there twice, two rows left out once.
            trace = of_all - 2 * of_rows[out].sum() + product[out, out].sum()
            r, s = (np.delete(rows[i] - grams[i][:, out].sum(axis=1), out) for i in (one, other))
            n = len(r)
            sums[row, column] = (
                trace + r.sum() * s.sum() / ((n - 1) * (n - 2)) - 2 / (n - 2) * (r @ s)
            )
    return sums


def _u_centred(side: NDArray[np.float64]) -> NDArray[np.float32]:
    """The Gram matrix with a zero diagonal, rows that add up to 0, and norm 1, shape [n, n]."""
    gram = side @ side.T
    np.fill_diagonal(gram, 0)
    n = len(gram)
    rows = gram.sum(axis=1) / (n - 2)
    gram -= rows[:, None]
    gram -= rows[None, :]
    gram += rows.sum() / (n - 1)
    np.fill_diagonal(gram, 0)
    return np.asarray(gram / np.linalg.norm(gram), dtype=np.float32)


def _reordered(square: NDArray[np.float32], order: NDArray[np.int64]) -> NDArray[np.float32]:
    return np.asarray(square.take(order, axis=0).take(order, axis=1))


def _of_shifts(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float64]:
    """Inner product of `first` with `second` moved by 0 to n - 1 rows and columns, shape [n].

    A shift moves each wrapped diagonal along itself, so the products of all shifts are a sum of
    cyclic correlations, one for each diagonal.
    """
    n = len(first)
    start = np.arange(n)
    # Both arrays are symmetric: diagonal n - j is diagonal j, moved. The middle one is its own.
    offsets = np.arange(1, n // 2 + 1)
    ends = (start[None, :] + offsets[:, None]) % n
    weights = np.full(len(offsets), 2.0)
    if n % 2 == 0:
        weights[-1] = 1.0
    one = np.fft.rfft(first[start[None, :], ends], axis=1)
    other = np.fft.rfft(second[start[None, :], ends], axis=1)
    spectrum = weights @ (one.conj() * other)
    return np.asarray(np.fft.irfft(spectrum, n), dtype=np.float64)
