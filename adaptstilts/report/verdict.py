"""What an effect's intervals say, in a word and in words."""

from __future__ import annotations

import math
from dataclasses import dataclass

from adaptstilts.metric.significance import equivalence
from adaptstilts.record.scores import Effect
from adaptstilts.report import number
from adaptstilts.report.naming import LOWER_IS_BETTER

ENHANCES = "enhances"
DEGRADES = "degrades"
NO_DIFFERENCE = "no difference that this test could see"
NEGLIGIBLE = "no change larger than the margin"
UNKNOWN = "no interval was computed, so nothing is claimed"
TESTS = "shown by two one-sided tests at 5 %"


@dataclass(frozen=True)
class Verdict:
    """What is claimed of an effect.

    Attributes:
        word: `enhances`, `degrades`, `no difference that this test could see`, `no change larger
            than the margin`, or that nothing is claimed.
        said: The same in full words, with the margin, or with what could have been seen.
    """

    word: str
    said: str


def verdict(low: float, high: float, *, is_less_better: bool = False) -> str:
    """The word for an effect without a margin: whether its 95 % interval leaves out zero."""
    if not number.is_interval(low, high):
        return UNKNOWN
    if low > 0:
        return DEGRADES if is_less_better else ENHANCES
    if high < 0:
        return ENHANCES if is_less_better else DEGRADES
    return NO_DIFFERENCE


def is_within(effect: Effect, margin: float | None) -> bool | None:
    """Whether an effect is shown to lie within the margin; None where that cannot be told.

    Args:
        effect: The effect, with its 90 % interval.
        margin: The smallest change that would matter, in 0–1; None where none is named.
    """
    if margin is None or not number.is_interval(effect.low90, effect.high90):
        return None
    return equivalence(effect.low90, effect.high90, margin).is_equivalent


def judge(effect: Effect, margin: float | None) -> Verdict:
    """What is claimed of an effect.

    Args:
        effect: The effect.
        margin: The smallest change that would matter, in 0–1; None where none is named.
    """
    word = verdict(effect.low, effect.high, is_less_better=effect.metric in LOWER_IS_BETTER)
    within = is_within(effect, margin)
    if word == UNKNOWN:
        return Verdict(word, word)
    if word == NO_DIFFERENCE:
        if margin is not None and within:
            return Verdict(NEGLIGIBLE, f"no change larger than {number.sized(margin)} ({TESTS})")
        return Verdict(word, f"{word}{_could(effect, margin)}")
    if margin is not None and within:
        return Verdict(word, f"{word}, yet by less than {number.sized(margin)} ({TESTS})")
    return Verdict(word, word)


def _could(effect: Effect, margin: float | None) -> str:
    """What a test that found nothing could have found."""
    parts = []
    if math.isfinite(effect.detectable) and effect.detectable > 0:
        parts.append(f"4 times in 5 it finds a change of {number.sized(effect.detectable)} or more")
    if margin is not None:
        parts.append(f"one of {number.sized(margin)} is not ruled out")
    return f" ({'; '.join(parts)})" if parts else ""
