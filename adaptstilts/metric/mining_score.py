"""What mined pairs are worth against gold pairs: thresholds, precision, recall, F1, intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptstilts.metric.bootstrap import Interval
from adaptstilts.metric.mining import Candidates
from adaptstilts.metric.mining_resample import mining_draws


@dataclass(frozen=True)
class Curve:
    """Precision and recall at every cut that a threshold can make, the highest threshold first.

    Attributes:
        threshold: Pairs with at least this margin are predicted, shape [points].
        precision: Correct ÷ predicted, shape [points].
        recall: Correct ÷ gold, shape [points].
        f1: Their harmonic mean, shape [points].
        predicted: Pairs above each cut, shape [points].
        correct: Gold pairs among them, shape [points].
        gold: Gold pairs in all.
    """

    threshold: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    f1: NDArray[np.float64]
    predicted: NDArray[np.int64]
    correct: NDArray[np.int64]
    gold: int

    def __len__(self) -> int:
        return len(self.threshold)


@dataclass(frozen=True)
class MiningScore:
    """Precision, recall and F1 at one threshold, with what they were counted from.

    Attributes:
        threshold: Pairs with at least this margin were predicted.
        precision: Correct ÷ predicted, in 0–1; 0 where nothing was predicted.
        recall: Correct ÷ gold, in 0–1.
        f1: 2 · correct ÷ (predicted + gold), in 0–1.
        correct: Predicted pairs that are gold.
        predicted: Predicted pairs.
        gold: Gold pairs.
    """

    threshold: float
    precision: float
    recall: float
    f1: float
    correct: int
    predicted: int
    gold: int


def precision_recall_curve(candidates: Candidates, gold: NDArray[Any]) -> Curve:
    """Precision and recall for every threshold.

    A cut lies midway between two neighbouring margins; the last is the lowest margin itself,
    which takes all (the reference fails there, having no next one). Equal margins cannot be cut
    apart, so they share a point; the reference counts some of them there and predicts them all.

    Args:
        candidates: Mined pairs.
        gold: Pairs of rows, shape [g, 2] with g above 0; repeats count once.

    Returns:
        One point for each distinct margin; none without candidates.

    Raises:
        ValueError: There is no gold pair, its shape is another, a candidate occurs twice, or the
            margins do not fall.

    Source: XTREME `third_party/utils_retrieve.py`, `bucc_optimize` and `bucc_extract` (after
        LASER `tasks/bucc/bucc.py`).
    """
    is_correct, total = _marked(candidates, gold)
    scores = candidates.scores
    ends = np.flatnonzero(np.append(scores[1:] < scores[:-1], True)[: len(scores)])
    upper, lower = scores[ends], scores[np.minimum(ends + 1, len(scores) - 1)]
    middle = (upper + lower) / 2
    # Between neighbouring floats the middle is one of them; the lower one must stay out.
    threshold = np.where(middle > lower, middle, upper)
    predicted = ends + 1
    correct = np.cumsum(is_correct, dtype=np.int64)[ends]
    return Curve(
        threshold=threshold,
        precision=correct / predicted,
        recall=correct / total,
        f1=2 * correct / (predicted + total),
        predicted=predicted.astype(np.int64),
        correct=correct,
        gold=total,
    )


def best_threshold(candidates: Candidates, gold: NDArray[Any]) -> float:
    """The threshold with the highest F1; of equals the highest threshold.

    What it gives on the gold that it was chosen by is an oracle's figure.

    Args:
        candidates: Mined pairs.
        gold: Pairs of rows, shape [g, 2] with g above 0.

    Returns:
        A point of the curve; 0.0 where no candidate is right, as in the reference.

    Raises:
        ValueError: As `precision_recall_curve`.

    Source: XTREME `third_party/utils_retrieve.py`, `bucc_optimize`.
    """
    curve = precision_recall_curve(candidates, gold)
    if not curve.correct.any():
        return 0.0
    return float(curve.threshold[curve.f1.argmax()])


def f1_at(candidates: Candidates, gold: NDArray[Any], threshold: float) -> MiningScore:
    """Precision, recall and F1 of the pairs whose margin is at least a threshold.

    Args:
        candidates: Mined pairs.
        gold: Pairs of rows, shape [g, 2] with g above 0; repeats count once.
        threshold: The lowest margin that is predicted.

    Raises:
        ValueError: As `precision_recall_curve`.

    Source: XTREME `third_party/utils_retrieve.py`, `bucc_extract` and `bucc_eval`.
    """
    is_correct, total = _marked(candidates, gold)
    predicted = int((candidates.scores >= threshold).sum())
    correct = int(is_correct[:predicted].sum())
    return MiningScore(
        threshold=float(threshold),
        precision=correct / max(1, predicted),
        recall=correct / total,
        f1=2 * correct / (predicted + total),
        correct=correct,
        predicted=predicted,
        gold=total,
    )


def interval_at(
    candidates: Candidates,
    gold: NDArray[Any],
    threshold: float,
    *,
    resamples: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """Bootstrap intervals of precision, recall and F1 at a threshold that is held fixed.

    What is drawn, with replacement, are the pairs that are predicted or gold, in groups that share
    a sentence: a wrong pair and the gold pair that it displaced go together. Sentences without
    either kind of pair decide no score. The neighbourhoods and the threshold's own choice are not
    drawn anew, so where the threshold was chosen on this gold the interval is too narrow.

    Args:
        candidates: Mined pairs.
        gold: Pairs of rows, shape [g, 2] with g above 0; repeats count once.
        threshold: The lowest margin that is predicted.
        resamples: Number of resamples.
        seed: Seed of the draws.
        confidence: Two-sided coverage, between 0 and 1.

    Returns:
        Precision, recall and F1, shape [3]; the ends are not numbers where there is but one group.

    Raises:
        ValueError: As `precision_recall_curve`, or `resamples` is below 1 or `confidence` outside
            (0, 1).

    Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", chapter 13 (percentile).
    """
    if resamples < 1 or not 0 < confidence < 1:
        raise ValueError(
            f"resamples must be at least 1 and confidence in (0, 1); got {resamples}, {confidence}"
        )
    score = f1_at(candidates, gold, threshold)
    value = np.array([score.precision, score.recall, score.f1])
    predicted = candidates.pairs[: score.predicted]
    draws = mining_draws([predicted], gold, resamples=resamples, seed=seed)
    if draws is None:
        unknown = np.full(3, np.nan)
        return Interval(value, unknown, unknown, unknown)
    drawn = draws[:, 0]
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return Interval(value, low, high, drawn.std(axis=0, ddof=1) if resamples > 1 else low * np.nan)


def _marked(candidates: Candidates, gold: NDArray[Any]) -> tuple[NDArray[np.bool_], int]:
    """Which candidates are gold, and how many distinct gold pairs there are."""
    pairs = np.asarray(gold)
    if pairs.ndim != 2 or pairs.shape[1] != 2 or not len(pairs):
        raise ValueError(
            f"gold pairs must have shape [g, 2] with g above 0; got {pairs.shape}: without gold "
            "there is neither recall nor F1"
        )
    wanted = set(map(tuple, pairs.tolist()))
    mined = list(map(tuple, candidates.pairs.tolist()))
    if len(set(mined)) < len(mined):
        raise ValueError("a candidate pair occurs twice; keep the one with the higher margin")
    if (np.diff(candidates.scores) > 0).any():
        raise ValueError("the candidates' margins must fall; sort them, the highest first")
    return np.array([pair in wanted for pair in mined], dtype=bool), len(wanted)
