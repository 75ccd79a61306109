"""Mining a set: where thresholds come from, how repeated texts count, what the result says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from builders import padded, tiny_base, token_ids
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptstilts.alignment.bucc import Threshold, counted, evaluate, thinned
from adaptstilts.alignment.encode import encode
from adaptstilts.alignment.mining_protocol import MINING_PROTOCOLS
from adaptstilts.base.hidden_states import pooled_states
from adaptstilts.data.mining_set import MiningSet
from adaptstilts.metric.mining import Candidates, distinct
from adaptstilts.metric.mining_score import f1_at, precision_recall_curve

PAPER, JIANT = MINING_PROTOCOLS["xtreme-paper"], MINING_PROTOCOLS["jiant"]
TEXT = replace(PAPER, repeats="text")


def noisy_set(
    seed: int, *, name: str, pairs: int = 30, rest: int = 40, noise: float = 0.5
) -> tuple[np.ndarray, np.ndarray, MiningSet]:
    """Translations that lie near each other among sentences that have none."""
    generator = np.random.default_rng(seed)
    foreign = generator.normal(size=(pairs + rest, 16)) + 0.5
    english = generator.normal(size=(pairs + rest + 5, 16)) + 0.5
    english[:pairs] = foreign[:pairs] + noise * generator.normal(size=(pairs, 16))
    corpora = MiningSet(
        name,
        "zh",
        [f"zh {i}" for i in range(len(foreign))],
        [f"en {i}" for i in range(len(english))],
        np.stack([np.arange(pairs)] * 2, axis=1),
    )
    return foreign, english, corpora


def plain_result(x: np.ndarray, y: np.ndarray, gold: set[tuple[int, int]]) -> tuple[float, float]:
    """The whole procedure of the references, by loops: best F1 on this gold, and its threshold."""
    cosines = [
        [float(u @ v / np.sqrt((u @ u) * (v @ v))) for v in y.astype(float)]
        for u in x.astype(float)
    ]
    turned = list(zip(*cosines, strict=True))
    near_x = [sorted(range(len(y)), key=lambda j: -row[j])[:4] for row in cosines]
    near_y = [sorted(range(len(x)), key=lambda i: -column[i])[:4] for column in turned]
    mean_x = [sum(cosines[i][j] for j in near) / len(near) for i, near in enumerate(near_x)]
    mean_y = [sum(cosines[i][j] for i in near) / len(near) for j, near in enumerate(near_y)]

    def ratio(i: int, j: int) -> float:
        return cosines[i][j] / ((mean_x[i] + mean_y[j]) / 2)

    chosen = {(i, max(near, key=lambda j: ratio(i, j))) for i, near in enumerate(near_x)}
    chosen |= {(max(near, key=lambda i: ratio(i, j)), j) for j, near in enumerate(near_y)}
    left, right, kept = set(), set(), []
    for i, j in sorted(chosen, key=lambda pair: -ratio(*pair)):
        if i not in left and j not in right:
            kept.append((i, j))
            left.add(i)
            right.add(j)
    best, threshold = 0.0, 0.0
    for place in range(len(kept)):
        hits = len(gold & set(kept[: place + 1]))
        f1 = 2 * hits / (place + 1 + len(gold))
        if f1 > best + 1e-12:
            below = kept[min(place + 1, len(kept) - 1)]
            best, threshold = f1, (ratio(*kept[place]) + ratio(*below)) / 2
    return best, threshold


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 9999), noise=st.floats(0.1, 2.0), pairs=st.integers(1, 12))
def test_equals_the_references_procedure_by_loops(seed: int, noise: float, pairs: int) -> None:
    x, y, corpora = noisy_set(seed, name="dev", pairs=pairs, rest=10, noise=noise)
    expected, threshold = plain_result(x, y, set(map(tuple, corpora.gold.tolist())))
    for protocol in (PAPER, JIANT, TEXT):  # alike where no text is repeated
        found = evaluate(x, y, corpora, protocol, resamples=20)
        assert found.score.f1 == pytest.approx(expected)
        assert found.threshold.value == pytest.approx(threshold, rel=1e-5)
        assert found.score.gold == pairs


def test_a_threshold_of_its_own_gold_is_an_oracle_and_one_of_dev_is_not() -> None:
    x, y, dev_set = noisy_set(1, name="bucc2018/zh-en/dev")
    dev = evaluate(x, y, dev_set, PAPER)
    assert dev.is_oracle
    assert dev.threshold.chosen_on == dev.name == "bucc2018/zh-en/dev"
    x, y, test_set = noisy_set(2, name="bucc2018/zh-en/test")
    honest = evaluate(x, y, test_set, PAPER, threshold=dev.threshold)
    oracle = evaluate(x, y, test_set, PAPER)
    assert not honest.is_oracle
    assert honest.threshold == dev.threshold
    assert honest.score.threshold == dev.threshold.value
    assert oracle.is_oracle
    assert honest.score.f1 <= oracle.score.f1
    assert honest.curve.f1.max() == pytest.approx(oracle.score.f1)
    # The same set's threshold, handed back in, stays an oracle.
    assert evaluate(x, y, test_set, PAPER, threshold=oracle.threshold).is_oracle
    assert (honest.interval.low <= honest.interval.value).all()
    assert honest.interval.value[2] == honest.score.f1


def test_an_equal_text_is_right_under_any_identifier() -> None:
    x, y, corpora = noisy_set(1, name="dev", noise=0.02)
    plain = evaluate(x, y, corpora, TEXT)
    assert plain.score.f1 == 1.0
    # Each gold sentence once more, at the front: gold names the second of two equal texts.
    pairs = len(corpora.gold)
    doubled = MiningSet(
        "dev",
        "zh",
        [*corpora.foreign[:pairs], *corpora.foreign],
        corpora.english,
        corpora.gold + np.array([pairs, 0]),
    )
    twice = np.concatenate([x[:pairs], x])
    by_text = evaluate(twice, y, doubled, TEXT)
    assert by_text.score == plain.score
    assert by_text.threshold == plain.threshold  # repeats did not crowd any neighbourhood
    dropped = evaluate(twice, y, doubled, PAPER)
    assert (dropped.score.correct, dropped.score.gold) == (0, pairs)
    every = evaluate(twice, y, doubled, JIANT)
    assert (every.score.correct, every.score.recall) == (pairs, 1.0)
    assert every.score.predicted == 2 * pairs


def test_counting_repeats_by_hand() -> None:
    foreign, english = distinct(["a", "b", "a"]), distinct(["A", "B", "C", "B"])
    mined = Candidates(np.array([[0, 0], [1, 1]]), np.array([2.0, 1.0]))
    gold = np.array([[2, 0], [0, 0], [1, 3]])
    found, wanted = counted(mined, gold, foreign, english, repeats="text")
    assert found is mined
    assert wanted.tolist() == [[0, 0], [1, 1]]  # two pairs of sentences are one pair of texts
    found, wanted = counted(mined, gold, foreign, english, repeats="drop")
    assert len(found) == 0
    assert wanted is gold
    found, wanted = counted(mined, gold, foreign, english, repeats="every")
    assert found.pairs.tolist() == [[0, 0], [2, 0], [1, 1], [1, 3]]
    assert found.scores.tolist() == [2, 2, 1, 1]
    assert f1_at(found, wanted, 0.0).correct == 3
    none = Candidates(np.empty((0, 2), dtype=np.int64), np.empty(0))
    for repeats in ("text", "drop", "every"):
        assert len(counted(none, gold, foreign, english, repeats=repeats)[0]) == 0


def test_gold_that_no_candidate_has_counts_as_missed() -> None:
    x, y, corpora = noisy_set(4, name="dev", noise=0.1)
    more = replace(corpora, gold=np.concatenate([corpora.gold, [[40, 41], [50, 51]]]))
    found = evaluate(x, y, more, PAPER)
    assert found.score.gold == len(corpora.gold) + 2
    assert found.score.recall == pytest.approx(len(corpora.gold) / found.score.gold)
    with pytest.raises(ValueError, match=r"gold pairs must have shape \[g, 2\]"):
        evaluate(x, y, replace(corpora, gold=np.empty((0, 2), dtype=np.int64)), PAPER)


def test_vectors_must_be_as_many_as_sentences() -> None:
    x, y, corpora = noisy_set(5, name="dev")
    with pytest.raises(ValueError, match="dev: 69 vectors for 70 foreign sentences"):
        evaluate(x[1:], y, corpora, PAPER)
    with pytest.raises(ValueError, match="76 vectors for 75 English sentences"):
        evaluate(x, np.concatenate([y, y[:1]]), corpora, PAPER)


def test_a_thinned_curve_keeps_its_ends_and_its_best() -> None:
    generator = np.random.default_rng(0)
    pairs = np.stack([np.arange(3000)] * 2, axis=1)
    curve = precision_recall_curve(
        Candidates(pairs, np.sort(generator.random(3000))[::-1]),
        pairs[generator.random(3000) < 0.3],
    )
    thin = thinned(curve, points=50)
    assert len(thin) in (49, 50)
    assert thin.f1.max() == curve.f1.max()
    assert thin.threshold[0] == curve.threshold[0]
    assert thin.threshold[-1] == curve.threshold[-1]
    assert thin.gold == curve.gold
    rows = np.searchsorted(-curve.threshold, -thin.threshold)
    for name in ("precision", "recall", "f1", "predicted", "correct"):
        assert np.array_equal(getattr(thin, name), getattr(curve, name)[rows])
    assert thinned(thin, points=50) is thin
    with pytest.raises(ValueError, match="2 are too few"):
        thinned(curve, points=2)


def test_a_result_holds_no_more_than_200_points() -> None:
    x, y, corpora = noisy_set(6, name="dev", pairs=100, rest=300)
    found = evaluate(x, y, corpora, PAPER)
    assert found.candidates > 200
    assert 190 <= len(found.curve) <= 200
    assert found.threshold.value in found.curve.threshold
    assert found.threshold == Threshold(found.score.threshold, "dev")


def test_encoding_pools_as_it_is_told() -> None:
    base = tiny_base()
    sentences = token_ids(8)
    pooled = {}
    for pooling in ("mean", "cls"):
        pooled[pooling] = np.zeros((1, 8, 32), dtype=np.float32)
        list(encode(base, sentences, layers=[2], vectors=pooled[pooling], pooling=pooling))
        for index, text in enumerate(sentences):
            alone = pooled_states(base.model, *padded([text]), [2], pooling=pooling)[0, 0]
            np.testing.assert_allclose(pooled[pooling][0, index], alone.numpy(), atol=2e-5)
    assert not np.isclose(pooled["mean"], pooled["cls"]).all(axis=2).any()
