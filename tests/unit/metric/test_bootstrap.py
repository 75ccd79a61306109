from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptstilts.metric import resample
from adaptstilts.metric.bootstrap import (
    cluster_ids,
    difference_interval,
    difference_intervals,
    language_difference_intervals,
    language_intervals,
    macro_interval,
    macro_intervals,
    micro_interval,
    seed_interval,
)


def sample(sizes: list[int], pool: int, layers: int = 3, seed: int = 0):
    generator = np.random.default_rng(seed)
    clusters = [generator.choice(pool, size=n, replace=False) for n in sizes]
    hits = [generator.random((n, layers)) < 0.6 for n in sizes]
    return hits, clusters


def slow_interval(hits, clusters, resamples: int, seed: int, confidence: float):
    """The same statistic item by item: a drawn cluster is copied, not weighted."""
    labels = sorted({int(c) for ids in clusters for c in ids})
    generator = np.random.default_rng(seed)
    statistics = []
    for _ in range(resamples):
        draws = generator.integers(0, len(labels), size=len(labels))
        means = []
        for array, ids in zip(hits, clusters, strict=True):
            rows = [
                array[i].astype(float)
                for draw in draws
                for i in np.flatnonzero(ids == labels[draw])
            ]
            if rows:
                means.append(np.mean(rows, axis=0))
        statistics.append(np.mean(means, axis=0))
    tail = (1 - confidence) / 2
    return np.quantile(statistics, [tail, 1 - tail], axis=0)


@pytest.mark.parametrize(("sizes", "pool"), [([12, 9, 5], 14), ([6, 1, 2], 20), ([3], 3)])
def test_equals_a_bootstrap_that_copies_items(sizes: list[int], pool: int) -> None:
    # The second has languages of one and two items, which many resamples do not draw at all.
    hits, clusters = sample(sizes, pool)
    found = macro_interval(hits, clusters, resamples=150, seed=3, confidence=0.9)
    low, high = slow_interval(hits, clusters, 150, 3, 0.9)
    assert found.value == pytest.approx(np.mean([h.mean(axis=0) for h in hits], axis=0))
    assert found.low == pytest.approx(low, abs=1e-9)
    assert found.high == pytest.approx(high, abs=1e-9)


def test_one_language_without_shared_clusters_is_the_textbook_interval() -> None:
    generator = np.random.default_rng(5)
    hits = (generator.random((400, 1)) < 0.3).astype(float)
    found = macro_interval([hits], [np.arange(400)], resamples=4000)
    half = 1.96 * hits.std() / 20
    assert found.low[0] == pytest.approx(hits.mean() - half, abs=0.006)
    assert found.high[0] == pytest.approx(hits.mean() + half, abs=0.006)


def test_shared_sentences_widen_the_interval() -> None:
    # The same 200 sentences in ten languages with the same outcomes hold no more knowledge than in
    # one; taken as 2,000 independent items they would seem to.
    hits = (np.random.default_rng(2).random((200, 1)) < 0.5).astype(float)
    shared = macro_interval([hits] * 10, [np.arange(200)] * 10)
    alone = macro_interval([hits], [np.arange(200)])
    apart = macro_interval([hits] * 10, [np.arange(200) + 200 * i for i in range(10)])
    assert shared.low == pytest.approx(alone.low)
    assert shared.high == pytest.approx(alone.high)
    width = (shared.high - shared.low)[0]
    assert (apart.high - apart.low)[0] == pytest.approx(width / 10**0.5, rel=0.1)


def test_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(11)
    covered = 0
    for seed in range(200):
        difficulty = generator.random(150)  # of each English sentence, alike in all languages
        clusters = [generator.choice(150, size=80, replace=False) for _ in range(4)]
        hits = [(generator.random((80, 1)) < difficulty[ids, None]) for ids in clusters]
        found = macro_interval(hits, clusters, resamples=400, seed=seed)
        covered += bool(found.low[0] <= 0.5 <= found.high[0])
    assert 0.90 <= covered / 200 <= 0.99


@pytest.mark.parametrize("effect", [0.0, 0.15])
def test_a_difference_covers_the_truth_as_often_as_it_says(effect: float) -> None:
    # Two systems on sentences of unequal difficulty, some shared by the languages. A sentence is
    # right where one draw, the same in all languages and systems, lies below its difficulty, else
    # by a draw of its own: outcomes depend on each other as in Tatoeba.
    generator = np.random.default_rng(12)
    runs, covered = 1500, 0
    for seed in range(runs):
        difficulty = generator.random(400) * (1 - effect)
        common = generator.random(400)
        clusters = [generator.choice(400, size=n, replace=False) for n in (200, 120, 60)]
        systems = []
        for gain in (effect, 0.0):
            own = [
                np.where(generator.random(len(c)) < 0.5, common[c], generator.random(len(c)))
                for c in clusters
            ]
            systems.append(
                [(u < difficulty[c] + gain)[:, None] for u, c in zip(own, clusters, strict=True)]
            )
        found = difference_interval(*systems, clusters, resamples=400, seed=seed)
        covered += bool(found.low[0] <= effect <= found.high[0])
    # 93 to 97 %; the simulation's own standard error is 0.6 points.
    assert 0.93 <= covered / runs <= 0.97


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), st.integers(0, 99))
def test_value_lies_in_0_to_1_and_layers_do_not_touch_each_other(sizes, seed: int) -> None:
    hits, clusters = sample(sizes, 14, seed=seed)
    found = macro_interval(hits, clusters, resamples=50, seed=seed)
    assert ((found.value >= 0) & (found.value <= 1)).all()
    known = ~np.isnan(found.low)
    assert (found.low[known] <= found.high[known]).all()
    second = macro_interval([h[:, 1:2] for h in hits], clusters, resamples=50, seed=seed)
    assert second.value[0] == found.value[1]
    assert np.array_equal(second.low, found.low[1:2], equal_nan=True)
    assert np.array_equal(second.high, found.high[1:2], equal_nan=True)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 99))
def test_neither_numbering_nor_order_of_items_matters(seed: int) -> None:
    hits, clusters = sample([12, 9, 5], 14, seed=seed)
    found = macro_interval(hits, clusters, resamples=60)
    order = np.random.default_rng(seed).permutation(12)
    moved = macro_interval(
        [hits[0][order], *hits[1:]],
        [clusters[0][order] * 7 + 100, *(c * 7 + 100 for c in clusters[1:])],
        resamples=60,
    )
    assert found.value == pytest.approx(moved.value)
    assert np.array_equal(found.low, moved.low)
    assert np.array_equal(found.high, moved.high)


def test_the_same_seed_gives_the_same_interval_whatever_the_chunk(monkeypatch) -> None:
    hits, clusters = sample([40, 30], 60)
    found = macro_interval(hits, clusters, resamples=100, seed=4)
    monkeypatch.setattr(resample, "CHUNK_RESAMPLES", 7)
    again = macro_interval(hits, clusters, resamples=100, seed=4)
    assert np.array_equal(found.low, again.low)
    assert np.array_equal(found.high, again.high)
    other = macro_interval(hits, clusters, resamples=100, seed=5)
    assert not np.array_equal(found.low, other.low)


def test_a_difference_is_paired() -> None:
    hits, clusters = sample([40, 30], 60)
    same = difference_interval(hits, hits, clusters, resamples=100)
    assert same.value.tolist() == same.low.tolist() == same.high.tolist() == [0.0] * 3
    others, _ = sample([40, 30], 60, seed=9)
    forth = difference_interval(hits, others, clusters, resamples=100)
    back = difference_interval(others, hits, clusters, resamples=100)
    assert forth.value == pytest.approx(-back.value)
    assert forth.low == pytest.approx(-back.high)
    assert (forth.low <= forth.value).all()
    direct = macro_interval(
        [a.astype(float) - b for a, b in zip(hits, others, strict=True)], clusters, resamples=100
    )
    assert np.array_equal(forth.low, direct.low)
    unsigned = difference_interval(
        [a.astype(np.uint8) for a in hits],
        [b.astype(np.uint8) for b in others],
        clusters,
        resamples=100,
    )
    assert np.array_equal(forth.value, unsigned.value)


def test_several_confidences_come_from_the_same_resamples() -> None:
    hits, clusters = sample([40, 30], 60)
    others, _ = sample([40, 30], 60, seed=9)
    levels = (0.95, 0.9, 0.5)
    found = macro_intervals(hits, clusters, confidences=levels, resamples=100, seed=1)
    differences = difference_intervals(
        hits, others, clusters, confidences=levels, resamples=100, seed=1
    )
    for level in levels:
        alone = macro_interval(hits, clusters, resamples=100, seed=1, confidence=level)
        paired = difference_interval(
            hits, others, clusters, resamples=100, seed=1, confidence=level
        )
        for one, other in ((found[level], alone), (differences[level], paired)):
            assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert (found[0.95].low <= found[0.9].low).all()
    assert (found[0.9].high <= found[0.95].high).all()
    with pytest.raises(ValueError, match="confidence"):
        macro_intervals(hits, clusters, confidences=(0.95, 1.0))


def test_the_error_is_that_of_a_mean() -> None:
    hits = (np.random.default_rng(5).random((400, 2)) < 0.3).astype(float)
    found = macro_interval([hits], [np.arange(400)], resamples=4000)
    assert found.error == pytest.approx(hits.std(axis=0) / 20, rel=0.05)
    assert (found.high - found.low) / 2 == pytest.approx(1.96 * found.error, rel=0.05)
    shared = macro_interval([hits] * 4, [np.arange(400)] * 4, resamples=4000)
    assert shared.error == pytest.approx(found.error)
    assert np.isnan(macro_interval([hits], [np.arange(400)], resamples=1).error).all()


def test_micro_counts_every_item_once() -> None:
    hits, clusters = sample([12, 9, 5], 14)
    found = micro_interval(hits, clusters, resamples=150, seed=3, confidence=0.9)
    assert found.value == pytest.approx(np.concatenate(hits).mean(axis=0))
    generator = np.random.default_rng(3)
    labels = sorted({int(c) for ids in clusters for c in ids})
    statistics = []
    for _ in range(150):
        draws = generator.integers(0, len(labels), size=len(labels))
        rows = [
            array[i].astype(float)
            for draw in draws
            for array, ids in zip(hits, clusters, strict=True)
            for i in np.flatnonzero(ids == labels[draw])
        ]
        statistics.append(np.mean(rows, axis=0))
    low, high = np.quantile(statistics, [0.05, 0.95], axis=0)
    assert found.low == pytest.approx(low, abs=1e-6)
    assert found.high == pytest.approx(high, abs=1e-6)
    equal = [h[:5] for h in hits], [c[:5] for c in clusters]
    macro = macro_interval(*equal, resamples=20)
    assert micro_interval(*equal, resamples=20).value == pytest.approx(macro.value)
    with pytest.raises(ValueError, match="same languages"):
        micro_interval(hits, clusters[:2])


def test_a_language_does_not_depend_on_the_others() -> None:
    hits, clusters = sample([40, 30, 5], 60)
    together = language_intervals(hits, clusters, resamples=80, seed=1)
    for array, ids, found in zip(hits, clusters, together, strict=True):
        alone = macro_interval([array], [ids], resamples=80, seed=1)
        assert np.array_equal(found.value, array.mean(axis=0))
        assert np.array_equal(found.low, alone.low)
        assert np.array_equal(found.high, alone.high)
    others, _ = sample([40, 30, 5], 60, seed=9)
    differences = language_difference_intervals(hits, others, clusters, resamples=80, seed=1)
    for a, b, ids, found in zip(hits, others, clusters, differences, strict=True):
        alone = difference_interval([a], [b], [ids], resamples=80, seed=1)
        assert np.array_equal(found.low, alone.low)
        assert np.array_equal(found.value, alone.value)


def test_one_cluster_has_no_interval() -> None:
    found = macro_interval([np.ones((2, 1))], [np.zeros(2, dtype=int)])
    assert found.value.tolist() == [1.0]
    assert np.isnan(found.low).all()
    assert np.isnan(found.high).all()
    assert np.isnan(found.error).all()


def test_cluster_ids_are_shared_between_languages() -> None:
    ids = cluster_ids([["a", "b"], ["b", "c", "a"], []])
    assert [array.tolist() for array in ids] == [[0, 1], [1, 2, 0], []]


def test_what_does_not_fit_is_refused() -> None:
    one, ids = np.ones((3, 2)), np.arange(3)
    with pytest.raises(ValueError, match="same languages"):
        macro_interval([one], [ids, ids])
    with pytest.raises(ValueError, match="same languages"):
        language_intervals([], [])
    with pytest.raises(ValueError, match="language 1 must have shape"):
        macro_interval([one, np.ones((3, 1))], [ids, ids])
    with pytest.raises(ValueError, match="language 0 must have shape"):
        macro_interval([np.ones(3)], [ids])
    with pytest.raises(ValueError, match="language 0 must have shape"):
        macro_interval([np.ones((0, 2))], [np.arange(0)])
    with pytest.raises(ValueError, match="3 items but clusters of shape"):
        macro_interval([one], [np.arange(2)])
    with pytest.raises(ValueError, match="not finite"):
        macro_interval([np.full((3, 2), np.nan)], [ids])
    with pytest.raises(ValueError, match="same items of both systems"):
        difference_interval([one], [one[:2]], [ids])
    with pytest.raises(ValueError, match="resamples"):
        macro_interval([one], [ids], resamples=0)
    with pytest.raises(ValueError, match="confidence"):
        macro_interval([one], [ids], confidence=1.0)


def seeds_of(generator, seeds: int, sizes: list[int], spread: float):
    """Paired differences of trainings whose true effects differ, on shared sentences."""
    clusters = [np.arange(n) for n in sizes]
    common = [generator.normal(0, 0.4, (n, 1)) for n in sizes]
    hits = [
        [effect + c + generator.normal(0, 0.3, c.shape) for c in common]
        for effect in generator.normal(0.02, spread, seeds)
    ]
    return hits, clusters


@pytest.mark.parametrize(("seeds", "spread"), [(3, 0.0), (3, 0.02), (3, 0.1), (5, 0.03)])
def test_seed_intervals_cover_the_truth_as_often_as_they_say(seeds: int, spread: float) -> None:
    generator = np.random.default_rng(11)
    runs, covered = 600, 0
    for _ in range(runs):
        hits, clusters = seeds_of(generator, seeds, [120, 80], spread)
        found = seed_interval(hits, clusters, resamples=200)
        covered += bool(found.low[0] <= 0.02 <= found.high[0])
    # Two standard errors of the simulation (0.9 points each) around 93 to 97 %.
    assert 0.93 - 0.018 <= covered / runs <= 0.97 + 0.018


def test_equal_seeds_leave_the_interval_of_the_sentences() -> None:
    hits, clusters = sample([300, 200], 320)
    found = seed_interval([hits] * 3, clusters, resamples=4000)
    alone = macro_interval(hits, clusters, resamples=4000)
    assert found.value == pytest.approx(alone.value)
    assert found.low == pytest.approx(alone.low, abs=0.004)
    assert found.high == pytest.approx(alone.high, abs=0.004)
    assert found.error == pytest.approx(alone.error)


def test_one_seed_has_no_interval_for_seeds() -> None:
    hits, clusters = sample([30, 20], 32)
    assert np.isnan(seed_interval([hits], clusters).low).all()
    with pytest.raises(ValueError, match="the same languages"):
        seed_interval([hits, hits[:1]], clusters)
