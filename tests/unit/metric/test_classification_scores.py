from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score

from adaptstilts.metric.classification import accuracy, item_f1, majority_share, weighted_f1

PAIRS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=60)


@given(PAIRS)
def test_agree_with_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    predicted, gold = zip(*pairs, strict=True)
    expected = f1_score(gold, predicted, average="weighted", zero_division=0)
    assert weighted_f1(predicted, gold) == pytest.approx(expected, abs=1e-12)
    assert accuracy(predicted, gold) == pytest.approx(accuracy_score(gold, predicted), abs=1e-12)


@given(PAIRS, st.randoms(use_true_random=False))
def test_the_order_of_the_items_does_not_matter(pairs, shuffler) -> None:
    predicted, gold = zip(*pairs, strict=True)
    shuffled = list(pairs)
    shuffler.shuffle(shuffled)
    predicted_again, gold_again = zip(*shuffled, strict=True)
    assert accuracy(predicted, gold) == accuracy(predicted_again, gold_again)
    assert weighted_f1(predicted, gold) == pytest.approx(weighted_f1(predicted_again, gold_again))


def test_known_values() -> None:
    assert accuracy([1, 0, 1, 1], [1, 1, 1, 0]) == 0.5
    assert majority_share([1, 1, 0, 1]) == 0.75
    # Class a: predicted 2, gold 1, right 1, so 2/3; class b: predicted 1, gold 2, right 1: 2/3.
    assert item_f1(["a", "a", "b"], ["a", "b", "b"]).tolist() == pytest.approx([2 / 3] * 3)
    assert item_f1([0, 0], [0, 1]).tolist() == pytest.approx([2 / 3, 0.0])


def test_retrieval_f1_is_at_most_accuracy() -> None:
    # Every sentence is its own class: an index that is found twice costs its class precision.
    predictions = np.array([0, 1, 1, 3, 0])
    gold = np.arange(5)
    assert accuracy(predictions, gold) == pytest.approx(3 / 5)
    assert weighted_f1(predictions, gold) == pytest.approx((2 / 3 + 2 / 3 + 1) / 5)


@pytest.mark.parametrize("score", [accuracy, item_f1, weighted_f1])
def test_shapes_that_do_not_fit_are_refused(score) -> None:
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        score([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="n is 0"):
        score([], [])
    with pytest.raises(ValueError, match=r"shape \[n\]"):
        score([[1]], [[1]])
    with pytest.raises(ValueError, match="n is 0"):
        majority_share([])
