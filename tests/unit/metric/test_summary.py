"""Means over languages and their intervals, beside a bootstrap that copies items one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from adaptstilts.metric.summary import MACRO, MICRO, Summary, summarize, summarize_each


def sample(sizes: list[int], pool: int, layers: int = 3, seed: int = 0):
    generator = np.random.default_rng(seed)
    clusters = [generator.choice(pool, size=n, replace=False) for n in sizes]
    hits = [generator.random((n, layers)) < 0.6 for n in sizes]
    return hits, clusters


def copied(hits, clusters, resamples: int, seed: int, members: list[int] | None):
    """Means of resamples in which a drawn cluster's items are copied, not weighted.

    Over the languages at `members` their mean of means, each that was drawn; None: over all items.
    """
    labels = sorted({int(c) for ids in clusters for c in ids})
    generator = np.random.default_rng(seed)
    statistics = []
    for _ in range(resamples):
        draws = generator.integers(0, len(labels), size=len(labels))
        rows = [
            [array[i].astype(float) for draw in draws for i in np.flatnonzero(ids == labels[draw])]
            for array, ids in zip(hits, clusters, strict=True)
        ]
        if members is None:
            statistics.append(np.mean([row for language in rows for row in language], axis=0))
            continue
        means = [np.mean(rows[place], axis=0) for place in members if rows[place]]
        if means:
            statistics.append(np.mean(means, axis=0))
    return np.array(statistics)


def assert_percentiles(found: Summary, statistics: np.ndarray) -> None:
    low, low90, high90, high = np.quantile(statistics, [0.025, 0.05, 0.95, 0.975], axis=0)
    for ours, theirs in zip(found[1:5], (low, high, low90, high90), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-7)
    assert found.error == pytest.approx(statistics.std(axis=0, ddof=1), abs=1e-7)


@pytest.mark.parametrize(("sizes", "pool"), [([12, 9, 5], 14), ([6, 1, 2], 20), ([3], 3)])
def test_one_seed_equals_a_bootstrap_that_copies_items(sizes: list[int], pool: int) -> None:
    # The second has languages of one and two items, which many resamples do not draw at all.
    hits, clusters = sample(sizes, pool)
    groups = {"last": [len(sizes) - 1], "ends": sorted({0, len(sizes) - 1})}
    found = summarize([hits], clusters, groups=groups, resamples=150, seed=3)
    assert list(found) == [MACRO, MICRO, *groups]
    means = [array.mean(axis=0) for array in hits]
    assert found[MACRO].value == pytest.approx(np.mean(means, axis=0))
    assert found[MICRO].value == pytest.approx(np.concatenate(hits).mean(axis=0))
    assert np.isposinf(found[MACRO].freedom).all()
    assert_percentiles(found[MACRO], copied(hits, clusters, 150, 3, list(range(len(sizes)))))
    assert_percentiles(found[MICRO], copied(hits, clusters, 150, 3, None))
    for name, places in groups.items():
        assert found[name].value == pytest.approx(np.mean([means[p] for p in places], axis=0))
        assert_percentiles(found[name], copied(hits, clusters, 150, 3, places))


def test_several_seeds_join_the_variance_of_sentences_and_of_seeds() -> None:
    hits, clusters = zip(*(sample([12, 9, 5], 14, seed=seed) for seed in (0, 1, 2)), strict=True)
    found = summarize(hits, clusters[0], groups={"two": [0, 2]}, resamples=150, seed=3)
    pooled = [np.mean(arrays, axis=0) for arrays in zip(*hits, strict=True)]
    for name, places in ((MACRO, [0, 1, 2]), ("two", [0, 2])):
        values = np.array([[one[p].mean(axis=0) for p in places] for one in hits]).mean(axis=1)
        of_items = copied(pooled, clusters[0], 150, 3, places).var(axis=0, ddof=1)
        of_seeds = stats.sem(values, axis=0) ** 2
        error = np.sqrt(of_items + of_seeds)
        freedom = 2 * (of_items + of_seeds) / of_seeds
        one = found[name]
        assert one.value == pytest.approx(values.mean(axis=0))
        assert one.error == pytest.approx(error)
        assert one.freedom == pytest.approx(freedom)
        for confidence, low, high in ((0.95, one.low, one.high), (0.9, one.low90, one.high90)):
            theirs = stats.t.interval(confidence, freedom, values.mean(axis=0), error)
            assert low == pytest.approx(theirs[0])
            assert high == pytest.approx(theirs[1])


def test_one_language_without_shared_clusters_is_the_textbook_interval() -> None:
    generator = np.random.default_rng(5)
    hits = (generator.random((400, 2)) < 0.3).astype(float)
    found = summarize([[hits]], [np.arange(400)], resamples=4000)[MACRO]
    error = hits.std(axis=0) / 20
    assert found.low == pytest.approx(hits.mean(axis=0) - 1.96 * error, abs=0.006)
    assert found.high == pytest.approx(hits.mean(axis=0) + 1.96 * error, abs=0.006)
    assert found.error == pytest.approx(error, rel=0.05)
    assert (found.high90 - found.low90) / 2 == pytest.approx(1.645 * error, rel=0.05)


def test_shared_sentences_widen_the_interval() -> None:
    # The same 200 sentences in ten languages with the same outcomes hold no more knowledge than in
    # one; taken as 2,000 independent items they would seem to.
    hits = (np.random.default_rng(2).random((200, 1)) < 0.5).astype(float)
    shared = summarize([[hits] * 10], [np.arange(200)] * 10)[MACRO]
    alone = summarize([[hits]], [np.arange(200)])[MACRO]
    apart = summarize([[hits] * 10], [np.arange(200) + 200 * i for i in range(10)])[MACRO]
    assert shared.low == pytest.approx(alone.low)
    assert shared.high == pytest.approx(alone.high)
    assert shared.error == pytest.approx(alone.error)
    width = (shared.high - shared.low)[0]
    assert (apart.high - apart.low)[0] == pytest.approx(width / 10**0.5, rel=0.1)


@pytest.mark.parametrize("effect", [0.0, 0.15])
def test_one_seed_covers_the_truth_as_often_as_it_says(effect: float) -> None:
    # Two systems on sentences of unequal difficulty, some shared by the languages. A sentence is
    # right where one draw, the same in all languages and systems, lies below its difficulty, else
    # by a draw of its own: outcomes depend on each other as in Tatoeba.
    generator = np.random.default_rng(12)
    runs, covered, covered90 = 1500, 0, 0
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
        differences = [a.astype(float) - b for a, b in zip(*systems, strict=True)]
        found = summarize([differences], clusters, resamples=400, seed=seed)[MACRO]
        covered += bool(found.low[0] <= effect <= found.high[0])
        covered90 += bool(found.low90[0] <= effect <= found.high90[0])
    # 93 to 97 %; the simulation's own standard error is 0.6 points, and 0.8 at 90 %.
    assert 0.93 <= covered / runs <= 0.97
    assert 0.90 - 0.025 <= covered90 / runs <= 0.90 + 0.025


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
def test_several_seeds_cover_the_truth_as_often_as_they_say(seeds: int, spread: float) -> None:
    generator = np.random.default_rng(11)
    runs, covered = 600, 0
    for _ in range(runs):
        hits, clusters = seeds_of(generator, seeds, [120, 80], spread)
        found = summarize(hits, clusters, resamples=200)[MACRO]
        covered += bool(found.low[0] <= 0.02 <= found.high[0])
    # Two standard errors of the simulation (0.9 points each) around 93 to 97 %.
    assert 0.93 - 0.018 <= covered / runs <= 0.97 + 0.018


def test_equal_seeds_leave_the_interval_of_the_sentences() -> None:
    hits, clusters = sample([300, 200], 320)
    found = summarize([hits] * 3, clusters, resamples=4000)[MACRO]
    alone = summarize([hits], clusters, resamples=4000)[MACRO]
    assert found.value == pytest.approx(alone.value)
    for ours, theirs in zip(found[1:5], alone[1:5], strict=True):
        assert ours == pytest.approx(theirs, abs=0.004)
    assert found.error == pytest.approx(alone.error)


def test_the_mean_over_seeds_is_wider_the_more_they_differ() -> None:
    hits, clusters = sample([40, 30], 60)
    widths = []
    for gap in (0.0, 0.1, 0.3):
        moved = [[array + shift for array in hits] for shift in (-gap, 0.0, gap)]
        found = summarize(moved, clusters, resamples=100)[MACRO]
        widths.append(found.high - found.low)
    assert (widths[0] < widths[1]).all()
    assert (widths[1] < widths[2]).all()


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=4), st.integers(0, 99), st.integers(1, 3))
def test_ends_are_in_order_and_layers_do_not_touch_each_other(
    sizes: list[int], seed: int, seeds: int
) -> None:
    clusters = sample(sizes, 14, seed=seed)[1]
    hits = [sample(sizes, 14, seed=seed + number)[0] for number in range(seeds)]
    places = list(range(0, len(sizes), 2))
    found = summarize(hits, clusters, groups={"some": places}, resamples=50, seed=seed)
    second = summarize(
        [[h[:, 1:2] for h in one] for one in hits],
        clusters,
        groups={"some": places},
        resamples=50,
        seed=seed,
    )
    for name, one in found.items():
        assert ((one.value >= 0) & (one.value <= 1)).all()
        if not np.isnan(one.low).any():
            assert (one.low <= one.low90).all()
            assert (one.low90 <= one.high90).all()
            assert (one.high90 <= one.high).all()
        for ours, theirs in zip(one, second[name], strict=True):
            assert ours[1:2] == pytest.approx(theirs, rel=1e-6, abs=1e-6, nan_ok=True)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 99))
def test_neither_numbering_nor_order_of_items_matters(seed: int) -> None:
    hits, clusters = sample([12, 9, 5], 14, seed=seed)
    order = np.random.default_rng(seed).permutation(12)
    moved = [hits[0][order], *hits[1:]]
    renumbered = [clusters[0][order] * 7 + 100, *(c * 7 + 100 for c in clusters[1:])]
    found = summarize([hits], clusters, resamples=60)
    again = summarize([moved], renumbered, resamples=60)
    for name in (MACRO, MICRO):
        for ours, theirs in zip(found[name], again[name], strict=True):
            assert ours == pytest.approx(theirs)


def test_groups_of_all_and_of_one() -> None:
    hits, clusters = sample([12, 9, 5], 14)
    found = summarize([hits], clusters, groups={"all": [0, 1, 2], "one": [1]}, resamples=60)
    for ours, theirs in zip(found["all"], found[MACRO], strict=True):
        assert np.array_equal(ours, theirs)
    assert found["one"].value == pytest.approx(hits[1].mean(axis=0))


def test_a_language_does_not_depend_on_the_others() -> None:
    hits, clusters = sample([40, 30, 5], 60)
    others, _ = sample([40, 30, 5], 60, seed=9)
    for seeds in ([hits], [hits, others]):
        together = summarize_each(seeds, clusters, resamples=80, seed=1)
        assert len(together) == 3
        for place, (ids, found) in enumerate(zip(clusters, together, strict=True)):
            alone = summarize([[one[place]] for one in seeds], [ids], resamples=80, seed=1)[MACRO]
            for ours, theirs in zip(found, alone, strict=True):
                assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("seeds", [1, 3])
def test_one_cluster_has_no_interval(seeds: int) -> None:
    for name, found in summarize([[np.ones((2, 1))]] * seeds, [np.zeros(2, dtype=int)]).items():
        assert found.value.tolist() == [1.0], name
        assert all(np.isnan(end).all() for end in found[1:])


def test_what_does_not_fit_is_refused() -> None:
    hits, clusters = sample([30, 20], 32)
    for function in (summarize, summarize_each):
        for seeds in ([], [hits, hits[:1]], [hits, [h[:5] for h in hits]]):
            with pytest.raises(ValueError, match="seeds, at least one, must be measured"):
                function(seeds, clusters)
        with pytest.raises(ValueError, match="same languages"):
            function([hits], clusters[:1])
        with pytest.raises(ValueError, match="not finite"):
            function([[h * np.nan for h in hits]], clusters)
