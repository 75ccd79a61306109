"""From the vectors of comparable corpora to precision, recall and F1 of the mined pairs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptstilts.alignment.mining_protocol import MiningProtocol, Repeats
from adaptstilts.data.mining_set import MiningSet
from adaptstilts.metric.bootstrap import Interval
from adaptstilts.metric.knn import Backend
from adaptstilts.metric.mining import Candidates, Distinct, distinct, mine
from adaptstilts.metric.mining_score import (
    Curve,
    MiningScore,
    best_threshold,
    f1_at,
    interval_at,
    precision_recall_curve,
)

CURVE_POINTS = 200


@dataclass(frozen=True)
class Threshold:
    """A threshold and the gold that chose it.

    Attributes:
        value: Pairs with at least this margin are predicted.
        chosen_on: Name of the set whose gold chose it, such as `bucc2018/zh-en/dev`.
    """

    value: float
    chosen_on: str


@dataclass(frozen=True)
class Mined:
    """What mining one set is worth.

    Attributes:
        name: Name of the set that was scored.
        language: Code of its foreign language.
        threshold: The threshold and where it came from.
        score: Precision, recall and F1 there, with their counts.
        interval: 95 % bootstrap intervals of precision, recall and F1, shape [3], with the
            threshold held fixed.
        candidates: Pairs that were mined, before the threshold.
        curve: Precision and recall by threshold, at most 200 points, the best among them.
    """

    name: str
    language: str
    threshold: Threshold
    score: MiningScore
    interval: Interval
    candidates: int
    curve: Curve

    @property
    def is_oracle(self) -> bool:
        """Whether the threshold was chosen on the gold that is scored."""
        return self.threshold.chosen_on == self.name


def evaluate(
    vectors_foreign: NDArray[Any],
    vectors_english: NDArray[Any],
    corpora: MiningSet,
    protocol: MiningProtocol,
    *,
    threshold: Threshold | None = None,
    backend: Backend = "numpy",
    resamples: int = 2000,
    seed: int = 0,
) -> Mined:
    """Mines a set and scores what was found.

    The way of XTREME is two calls: `dev = evaluate(…, dev_set, …)`, an oracle by itself, and then
    `evaluate(…, test_set, …, threshold=dev.threshold)`.

    Args:
        vectors_foreign: One row for each foreign sentence of the set, shape [n, d]; of equal texts
            the first one's is taken.
        vectors_english: One row for each English sentence, shape [m, d].
        corpora: The sentences and their gold pairs.
        protocol: How it is mined and counted. Its layer and pooling are the encoder's business.
        threshold: Where the candidates are cut; None chooses the best on this very gold, which is
            an oracle, and is said so in the result.
        backend: Who searches, as in `knn`.
        resamples: Resamples of the bootstrap.
        seed: Seed of the bootstrap.

    Raises:
        ValueError: The vectors are not as many as the sentences, or are refused as by `knn`, or
            there is no gold pair.
        MachineError: As `knn`.

    Source: XTREME `third_party/evaluate_retrieval.py`, task `bucc2018`.
    """
    found, gold = candidates_of(
        vectors_foreign, vectors_english, corpora, protocol, backend=backend
    )
    if threshold is None:
        threshold = Threshold(best_threshold(found, gold), corpora.name)
    return Mined(
        name=corpora.name,
        language=corpora.language,
        threshold=threshold,
        score=f1_at(found, gold, threshold.value),
        interval=interval_at(found, gold, threshold.value, resamples=resamples, seed=seed),
        candidates=len(found),
        curve=thinned(precision_recall_curve(found, gold), points=CURVE_POINTS),
    )


def candidates_of(
    vectors_foreign: NDArray[Any],
    vectors_english: NDArray[Any],
    corpora: MiningSet,
    protocol: MiningProtocol,
    *,
    backend: Backend = "numpy",
) -> tuple[Candidates, NDArray[np.int64]]:
    """The first half of `evaluate`: mines a set, and counts repeats as its protocol does.

    Args:
        vectors_foreign: As in `evaluate`.
        vectors_english: As in `evaluate`.
        corpora: As in `evaluate`.
        protocol: As in `evaluate`.
        backend: As in `evaluate`.

    Returns:
        Candidates and gold pairs, as `counted` gives them.

    Raises:
        ValueError: The vectors are not as many as the sentences, or are refused as by `knn`.
        MachineError: As `knn`.
    """
    for side, vectors, texts in (
        ("foreign", vectors_foreign, corpora.foreign),
        ("English", vectors_english, corpora.english),
    ):
        if len(vectors) != len(texts):
            raise ValueError(
                f"{corpora.name}: {len(vectors)} vectors for {len(texts)} {side} sentences; there "
                "must be one for each"
            )
    foreign, english = distinct(corpora.foreign), distinct(corpora.english)
    mined = mine(
        vectors_foreign[foreign.first],
        vectors_english[english.first],
        k=protocol.k,
        margin=protocol.margin,
        retrieval=protocol.retrieval,
        backend=backend,
    )
    return counted(mined, corpora.gold, foreign, english, repeats=protocol.repeats)


def counted(
    mined: Candidates,
    gold: NDArray[np.int64],
    foreign: Distinct,
    english: Distinct,
    *,
    repeats: Repeats,
) -> tuple[Candidates, NDArray[np.int64]]:
    """Candidates and gold as one protocol counts texts that stand more than once.

    Args:
        mined: Pairs of distinct texts.
        gold: Pairs of sentences, shape [g, 2].
        foreign: The distinct foreign texts.
        english: The distinct English texts.
        repeats: As in `MiningProtocol`.

    Returns:
        Candidates and gold pairs in one numbering: of distinct texts for `text`, else of sentences.

    Source: XTREME `third_party/utils_retrieve.py`, `read_sent2id` (`drop`); jiant
        `jiant/tasks/evaluate/core.py`, `Bucc2018EvaluationScheme` (`every`).
    """
    sides = (foreign, english)
    if repeats == "text":
        numbers = [side.number[rows] for side, rows in zip(sides, gold.T, strict=True)]
        return mined, np.unique(np.stack(numbers, axis=1), axis=0)
    times = [
        np.bincount(side.number)[texts] for side, texts in zip(sides, mined.pairs.T, strict=True)
    ]
    if repeats == "drop":
        is_single = (times[0] == 1) & (times[1] == 1)
        first = [side.first[texts] for side, texts in zip(sides, mined.pairs.T, strict=True)]
        pairs = np.stack(first, axis=1)
        return Candidates(pairs[is_single], mined.scores[is_single]), gold
    of_foreign, of_english = _sentences_of(foreign), _sentences_of(english)
    expanded = [
        (row, column)
        for left, right in mined.pairs.tolist()
        for row in of_foreign[left]
        for column in of_english[right]
    ]
    pairs = np.array(expanded, dtype=np.int64).reshape(-1, 2)
    return Candidates(pairs, np.repeat(mined.scores, times[0] * times[1])), gold


def thinned(curve: Curve, *, points: int) -> Curve:
    """A curve with at most so many of its points, evenly chosen; its ends and its best F1 stay.

    Args:
        curve: Any curve.
        points: Most points to keep, at least 3.

    Raises:
        ValueError: Fewer than 3 points were asked for.
    """
    if points < 3:
        raise ValueError(f"a thinned curve keeps both ends and the best; {points} are too few")
    if len(curve) <= points:
        return curve
    evenly = np.linspace(0, len(curve) - 1, points - 1).round().astype(np.int64)
    kept = np.union1d(evenly, [curve.f1.argmax()])
    return replace(
        curve,
        threshold=curve.threshold[kept],
        precision=curve.precision[kept],
        recall=curve.recall[kept],
        f1=curve.f1[kept],
        predicted=curve.predicted[kept],
        correct=curve.correct[kept],
    )


def _sentences_of(side: Distinct) -> list[list[int]]:
    """The sentences of each distinct text."""
    found: list[list[int]] = [[] for _ in side.texts]
    for sentence, number in enumerate(side.number.tolist()):
        found[number].append(sentence)
    return found
