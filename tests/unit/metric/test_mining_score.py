"""Thresholds, precision, recall, F1 and their intervals, against counting by loops."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptstilts.metric.mining import Candidates
from adaptstilts.metric.mining_score import (
    best_threshold,
    f1_at,
    interval_at,
    precision_recall_curve,
)

PAIRS = st.tuples(st.integers(0, 5), st.integers(0, 5))
NOTHING = Candidates(np.empty((0, 2), dtype=np.int64), np.empty(0))


def candidates_of(scored: dict[tuple[int, int], float]) -> Candidates:
    ordered = sorted(scored.items(), key=lambda item: (-item[1], item[0]))
    pairs = np.array([pair for pair, _ in ordered], dtype=np.int64).reshape(-1, 2)
    return Candidates(pairs, np.array([score for _, score in ordered], dtype=np.float64))


# Scores of a few whole numbers, so that many tie; and scores of which no two are equal.
tied = st.dictionaries(PAIRS, st.integers(0, 4).map(float), max_size=14)
untied = st.lists(PAIRS, unique=True, min_size=2, max_size=14).flatmap(
    lambda pairs: st.permutations(range(len(pairs))).map(
        lambda order: {p: 1 + o / 7 for p, o in zip(pairs, order, strict=True)}
    )
)
golds = st.lists(PAIRS, unique=True, min_size=1, max_size=9)


def counted(scored: dict[tuple[int, int], float], gold: list, threshold: float) -> tuple[int, int]:
    predicted = [pair for pair, score in scored.items() if score >= threshold]
    return len([pair for pair in predicted if pair in gold]), len(predicted)


def plain_f1(correct: int, predicted: int, gold: int) -> float:
    if not correct:
        return 0.0
    precision, recall = correct / predicted, correct / gold
    return 2 * precision * recall / (precision + recall)


@given(scored=tied, gold=golds, threshold=st.sampled_from([-1.0, 0.0, 0.5, 2.0, 3.0, 9.0]))
def test_scores_equal_counting(scored: dict, gold: list, threshold: float) -> None:
    found = f1_at(candidates_of(scored), np.array(gold), threshold)
    correct, predicted = counted(scored, gold, threshold)
    assert (found.correct, found.predicted, found.gold) == (correct, predicted, len(gold))
    assert found.precision == pytest.approx(correct / predicted if predicted else 0.0)
    assert found.recall == pytest.approx(correct / len(gold))
    assert found.f1 == pytest.approx(plain_f1(correct, predicted, len(gold)))
    assert found.threshold == threshold


@given(scored=tied, gold=golds)
def test_the_curve_is_what_its_thresholds_give(scored: dict, gold: list) -> None:
    candidates = candidates_of(scored)
    curve = precision_recall_curve(candidates, np.array(gold))
    assert len(curve) == len(set(scored.values()))
    assert (np.diff(curve.threshold) < 0).all()
    for place, threshold in enumerate(curve.threshold):
        at = f1_at(candidates, np.array(gold), threshold)
        assert (at.correct, at.predicted) == (curve.correct[place], curve.predicted[place])
        assert at.precision == curve.precision[place]
        assert at.recall == curve.recall[place]
        assert at.f1 == curve.f1[place]
    assert curve.gold == len(gold)


@given(scored=tied, gold=golds)
def test_no_threshold_is_better_than_the_best(scored: dict, gold: list) -> None:
    candidates = candidates_of(scored)
    best = best_threshold(candidates, np.array(gold))
    cuts = sorted({*scored.values(), 99.0})
    every = {cut: plain_f1(*counted(scored, gold, cut), len(gold)) for cut in cuts}
    found = f1_at(candidates, np.array(gold), best)
    assert found.f1 == pytest.approx(max(every.values()))
    if found.f1 > 0:  # of equals, the highest threshold: nothing that predicts less is as good
        fewer = [cut for cut in cuts if counted(scored, gold, cut)[1] < found.predicted]
        assert all(every[cut] < found.f1 - 1e-12 for cut in fewer)


@given(scored=untied, gold=golds)
def test_the_threshold_is_the_reference_s_midpoint(scored: dict, gold: list) -> None:
    """The rule of `bucc_optimize` in words: walk down, note the middle below each better F1."""
    ordered = sorted(scored, key=lambda pair: -scored[pair])
    best, expected, right = 0.0, 0.0, 0
    for place, pair in enumerate(ordered):
        right += pair in gold
        f1 = plain_f1(right, place + 1, len(gold))
        if f1 > best + 1e-12:
            below = ordered[min(place + 1, len(ordered) - 1)]  # the reference fails at the last
            best, expected = f1, (scored[pair] + scored[below]) / 2
    assert best_threshold(candidates_of(scored), np.array(gold)) == pytest.approx(expected)


def test_a_middle_that_rounds_to_the_lower_margin_leaves_it_out() -> None:
    low = 1.0
    high = np.nextafter(low, 2)
    assert (low + high) / 2 == low
    candidates = candidates_of({(0, 0): high, (1, 0): low})
    threshold = best_threshold(candidates, np.array([[0, 0]]))
    assert f1_at(candidates, np.array([[0, 0]]), threshold).f1 == 1.0


def test_gold_that_was_never_mined_lowers_recall_alone() -> None:
    candidates = candidates_of({(0, 0): 2.0})
    found = f1_at(candidates, np.array([[0, 0], [7, 7], [8, 8], [0, 0]]), 1.0)
    assert (found.precision, found.recall, found.f1) == (1.0, 1 / 3, 0.5)  # a repeat counts once


def test_without_candidates_or_without_right_ones_all_is_zero() -> None:
    gold = np.array([[0, 0]])
    assert len(precision_recall_curve(NOTHING, gold)) == 0
    assert best_threshold(NOTHING, gold) == 0.0
    assert f1_at(NOTHING, gold, 0.0).f1 == 0.0
    assert interval_at(NOTHING, gold, 0.0).value.tolist() == [0, 0, 0]
    wrong = candidates_of({(1, 1): 1.5, (2, 2): 1.2})
    assert best_threshold(wrong, gold) == 0.0
    found = f1_at(wrong, gold, 0.0)
    assert (found.f1, found.precision, found.predicted) == (0.0, 0.0, 2)


def test_what_cannot_be_scored_is_refused() -> None:
    candidates = candidates_of({(0, 0): 1.0})
    for gold in (np.empty((0, 2), dtype=int), np.array([1, 2]), np.array([[1, 2, 3]])):
        with pytest.raises(ValueError, match=r"gold pairs must have shape \[g, 2\]"):
            f1_at(candidates, gold, 1.0)
    twice = Candidates(np.array([[0, 0], [0, 0]]), np.array([2.0, 1.0]))
    with pytest.raises(ValueError, match="a candidate pair occurs twice"):
        best_threshold(twice, np.array([[0, 0]]))
    rising = Candidates(np.array([[0, 0], [1, 0]]), np.array([1.0, 2.0]))
    with pytest.raises(ValueError, match="margins must fall"):
        best_threshold(rising, np.array([[0, 0]]))
    for bad in ({"resamples": 0}, {"confidence": 1.0}):
        with pytest.raises(ValueError, match="resamples must be at least 1"):
            interval_at(candidates, np.array([[0, 0]]), 1.0, **bad)


def plain_groups(pairs: list[tuple[int, int]]) -> list[set[tuple[int, int]]]:
    """Pairs that share a sentence, directly or through others, by merging until nothing merges."""
    groups = [{pair} for pair in pairs]
    for _ in pairs:
        for one in groups:
            for other in groups:
                if one is not other and any(
                    a[0] == b[0] or a[1] == b[1] for a in one for b in other
                ):
                    one |= other
                    other.clear()
    return [group for group in groups if group]


@settings(deadline=None, max_examples=15)
@given(scored=tied, gold=golds, seed=st.integers(0, 99))
def test_interval_equals_a_plain_bootstrap(scored: dict, gold: list, seed: int) -> None:
    predicted = {pair for pair, score in scored.items() if score >= 2}
    groups = plain_groups(sorted(predicted | set(gold)))
    found = interval_at(candidates_of(scored), np.array(gold), 2.0, resamples=4000, seed=seed)
    if len(groups) == 1:
        assert np.isnan(found.low).all()
        return
    draw = random.Random(seed)
    drawn = []
    for _ in range(4000):
        pairs = [pair for _ in groups for pair in draw.choice(groups)]
        right = sum(pair in predicted and pair in gold for pair in pairs)
        guessed, wanted = sum(p in predicted for p in pairs), sum(p in gold for p in pairs)
        f1 = 2 * right / (guessed + wanted)
        drawn.append((right / max(1, guessed), right / max(1, wanted), f1))
    # With few groups the quantiles jump, so shares below the ends are compared, not the ends.
    for column, (low, high) in enumerate(zip(found.low, found.high, strict=True)):
        values = np.array(drawn)[:, column]
        assert np.mean(values < low - 1e-9) <= 0.025 + 0.012
        assert np.mean(values <= low + 1e-9) >= 0.025 - 0.012
        assert np.mean(values > high + 1e-9) <= 0.025 + 0.012
        assert np.mean(values >= high - 1e-9) >= 0.025 - 0.012


def test_interval_narrows_as_data_grow_and_repeats_with_its_seed() -> None:
    def of(n: int) -> np.ndarray:
        scored = {(i, i if i % 4 else n + i): 2.0 for i in range(n)}
        gold = np.array([(i, i) for i in range(n)])
        found = interval_at(candidates_of(scored), gold, 1.0, seed=1)
        again = interval_at(candidates_of(scored), gold, 1.0, seed=1)
        assert np.array_equal(found.low, again.low)
        assert (found.low < found.value).all()
        assert (found.value < found.high).all()
        return found.high - found.low

    few, many = of(40), of(4000)
    # Precision is a share of independent pairs here: its width is known.
    assert many[0] == pytest.approx(2 * 1.96 * (0.75 * 0.25 / 4000) ** 0.5, rel=0.1)
    assert few[2] == pytest.approx(10 * many[2], rel=0.25)


def test_a_wrong_pair_and_what_it_displaced_are_drawn_together() -> None:
    crossed = candidates_of({(0, 1): 2.0, (1, 0): 1.0})
    found = interval_at(crossed, np.array([[0, 0], [1, 1]]), 0.0)
    assert np.isnan(found.low).all()  # one group
