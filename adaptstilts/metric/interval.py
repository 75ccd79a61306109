"""One figure and its interval, and intervals that need no resampling."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import NamedTuple


class Estimate(NamedTuple):
    """One figure with its interval.

    Attributes:
        value: The statistic of the sample.
        low: Lower end; not a number where there is no interval.
        high: Upper end; not a number where there is no interval.
        n: Items that it was made from.
    """

    value: float
    low: float
    high: float
    n: int


def wilson(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a share, without continuity correction.

    It holds for independent items that are right or wrong. The mean of two directions is neither:
    take `summary.summarize_each` for it.

    Args:
        successes: Items that were right, 0 to `n`.
        n: Items in all, at least 1.
        confidence: Two-sided coverage, between 0 and 1.

    Returns:
        (low, high), both in 0–1; exactly 0 and 1 at the ends where no or all items are right.

    Raises:
        ValueError: `n` is below 1, `successes` is outside 0 to `n`, or `confidence` outside (0, 1).

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    if n < 1:
        raise ValueError(f"a share needs at least one item; n is {n}")
    if not 0 <= successes <= n:
        raise ValueError(f"successes must lie in 0 to {n}; got {successes}")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence must lie between 0 and 1; got {confidence}")
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / n
    scale = 1 + z * z / n
    centre = (share + z * z / (2 * n)) / scale
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return low, high
