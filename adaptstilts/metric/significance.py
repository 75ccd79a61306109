"""Is a difference real, how large, and what could have been seen: tests beside the intervals."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import special


class Discordance(NamedTuple):
    """How two systems differ on the same items, one entry a column (a layer, say).

    Attributes:
        gained: Items that the system has right and the baseline wrong, shape [k].
        lost: Items that the baseline has right and the system wrong, shape [k].
    """

    gained: NDArray[np.int64]
    lost: NDArray[np.int64]


def discordance(hits: NDArray[Any], baseline: NDArray[Any]) -> Discordance:
    """Counts the items on which two systems differ.

    Args:
        hits: Whether the system is right, shape [items, k], of zeros and ones.
        baseline: Whether the baseline is, on the same items, the same shape.

    Raises:
        ValueError: The shapes differ, or a value is neither zero nor one.
    """
    ours, theirs = np.asarray(hits), np.asarray(baseline)
    if ours.shape != theirs.shape or ours.ndim != 2:
        raise ValueError(f"two arrays of one shape [items, k]; got {ours.shape}, {theirs.shape}")
    for array in (ours, theirs):
        if not np.isin(array, (0, 1)).all():
            raise ValueError("McNemar's test is for items that are right or wrong, 1 or 0")
    ours, theirs = ours.astype(bool), theirs.astype(bool)
    return Discordance((ours & ~theirs).sum(0), (theirs & ~ours).sum(0))


def mcnemar(found: Discordance) -> NDArray[np.float64]:
    """McNemar's exact two-sided test of equal accuracy.

    Items on which both systems are right, or both wrong, say nothing; of the others, half should
    be gained where the systems are equally good.

    Args:
        found: The items on which the systems differ.

    Returns:
        P values [k]; 1 where the systems never differ.

    Source: McNemar 1947; the exact form is the sign test on the discordant items.
    """
    least, all_ = np.minimum(found.gained, found.lost), found.gained + found.lost
    both_tails = 2 * special.bdtr(least, all_, 0.5)
    return np.asarray(np.minimum(both_tails, 1.0), dtype=np.float64)


def holm(p_values: NDArray[Any]) -> NDArray[np.float64]:
    """P values adjusted for there being several, by Holm's step-down method.

    Args:
        p_values: Those of one family of tests, shape [m].

    Returns:
        Adjusted p values [m]: rejecting those below a level keeps the chance of any false
        rejection below that level, whatever the tests' dependence.

    Raises:
        ValueError: A value lies outside 0 to 1.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    values = np.asarray(p_values, dtype=np.float64)
    if values.ndim != 1 or not ((values >= 0) & (values <= 1)).all():
        raise ValueError("p values must be one row of numbers from 0 to 1")
    order = np.argsort(values, kind="stable")
    factors = len(values) - np.arange(len(values))
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * factors), 1.0)
    return adjusted


def cohens_h(share: float, baseline: float) -> float:
    """Effect size of a difference of two shares, 0.2 being called small.

    Args:
        share: The system's share of right answers, 0 to 1.
        baseline: The baseline's.

    Source: Cohen 1988, chapter 6: 2 arcsin √p − 2 arcsin √q.
    """
    return 2 * math.asin(math.sqrt(share)) - 2 * math.asin(math.sqrt(baseline))


def detectable(
    standard_error: float,
    *,
    freedom: float = math.inf,
    level: float = 0.05,
    power: float = 0.8,
) -> float:
    """The smallest true effect that a two-sided test of this level finds with this power.

    With few seeds the standard error is itself estimated, so the test is Student's and the number
    of standard errors by which the effect is missed follows the noncentral t distribution. With
    two degrees of freedom (three seeds and little else that varies) 5.7 standard errors are
    needed, where the normal test needs 2.8; the sum of the two t quantiles, an approximation,
    would say 5.4. At 5 % and 80 % the effect always lies beyond the half-width of the interval.

    Args:
        standard_error: Of the effect, in the effect's unit.
        freedom: Degrees of freedom of the standard error, as `summary.combine` gives them; inf
            where the test is the normal one.
        level: The test's level.
        power: The chance to find the effect.

    Returns:
        The effect, in the same unit: as many standard errors as make a noncentral t variable
        exceed t(1 − level / 2) with the chance `power`; z(1 − level / 2) + z(power) of them where
        `freedom` is inf. To be significant in the wrong direction does not count as finding it.
        Not a number where the standard error is not.

    Raises:
        ValueError: The level or the power is not between 0 and 1, or the freedom not above 0.

    Source: Bloom 1995, "Minimum detectable effects"; Cohen 1988, section 12.8, for the power of
    the t test by the noncentral distribution.
    """
    if not (0 < level < 1 and 0 < power < 1):
        raise ValueError(f"level and power lie between 0 and 1; got {level} and {power}")
    if math.isnan(standard_error):
        return math.nan
    if not freedom > 0:
        raise ValueError(f"degrees of freedom must be above 0; got {freedom}")
    if math.isinf(freedom):
        normal = NormalDist()
        units = normal.inv_cdf(1 - level / 2) + normal.inv_cdf(power)
    else:
        bound = special.stdtrit(freedom, 1 - level / 2)
        units = float(special.nctdtrinc(freedom, 1 - power, bound))
    return units * standard_error


class Equivalence(NamedTuple):
    """What two one-sided tests say of an effect.

    Attributes:
        is_equivalent: Whether the effect is shown to lie within the margin.
        smallest_margin: The smallest margin within which it would be shown to lie.
    """

    is_equivalent: bool
    smallest_margin: float


def equivalence(low: float, high: float, margin: float) -> Equivalence:
    """Two one-sided tests (TOST): is an effect shown to be smaller than a margin?

    Not to find an effect is not to show that there is none. At level a, an effect is shown to be
    negligible where its interval of confidence 1 − 2a (90 % for a = 5 %) lies within ± margin.

    Args:
        low: The interval's lower end.
        high: Its upper end.
        margin: The effect that would matter, above 0, in the same unit.

    Raises:
        ValueError: The margin is not above 0, or the ends are in the wrong order.

    Source: Schuirmann 1987; Lakens 2017, "Equivalence tests: a practical primer".
    """
    if not margin > 0:
        raise ValueError(f"the margin of equivalence must be above 0; got {margin}")
    if not low <= high:
        raise ValueError(f"the interval's ends are in the wrong order: {low}, {high}")
    smallest = max(abs(low), abs(high))
    return Equivalence(smallest < margin, smallest)
