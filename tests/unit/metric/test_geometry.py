"""Anisotropy and hubness: against pairs taken one by one, scipy, and known truths."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from adaptstilts.metric.geometry import anisotropy, antihub_share, hubness_skew, occurrences
from adaptstilts.metric.interval import wilson

SIZES = st.tuples(st.integers(3, 20), st.integers(1, 24), st.integers(0, 999))


def vectors(n: int, d: int, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(n, d)) + generator.normal(size=d)


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / math.sqrt(float(a @ a) * float(b @ b)))


@settings(deadline=None, max_examples=60)
@given(SIZES)
def test_anisotropy_is_the_mean_over_all_pairs(sizes) -> None:
    x = vectors(*sizes)
    found = anisotropy(x)
    pairs = list(itertools.combinations(x, 2))
    assert found.cosine.value == pytest.approx(np.mean([cosine(a, b) for a, b in pairs]), abs=1e-9)
    parts = np.mean([a * b / math.sqrt(float(a @ a) * float(b @ b)) for a, b in pairs], axis=0)
    assert found.contributions == pytest.approx(np.sort(parts)[::-1][:10], abs=1e-9)
    assert parts[found.dimensions] == pytest.approx(found.contributions, abs=1e-9)
    everything = anisotropy(x, top=x.shape[1])
    assert everything.contributions.sum() == pytest.approx(found.cosine.value, abs=1e-9)
    if abs(found.cosine.value) > 1e-6:
        assert found.shares * found.cosine.value == pytest.approx(found.contributions)
        assert everything.shares.sum() == pytest.approx(1)


@settings(deadline=None, max_examples=40)
@given(SIZES)
def test_its_interval_is_the_jackknife_over_vectors(sizes) -> None:
    x = vectors(*sizes)
    n = len(x)
    found = anisotropy(x).cosine
    parts = np.array(
        [
            np.mean([cosine(a, b) for a, b in itertools.combinations(np.delete(x, i, axis=0), 2)])
            for i in range(n)
        ]
    )
    error = math.sqrt((n - 1) / n * ((parts - parts.mean()) ** 2).sum())
    half = stats.t.ppf(0.975, n - 1) * error
    assert found.low == pytest.approx(max(-1, found.value - half), abs=1e-7)
    assert found.high == pytest.approx(min(1, found.value + half), abs=1e-7)


@settings(deadline=None, max_examples=40)
@given(SIZES, st.floats(1e-3, 1e3))
def test_mean_cosine_does_not_depend_on_rotation_scale_or_order(sizes, scale: float) -> None:
    x = vectors(*sizes)
    generator = np.random.default_rng(sizes[-1])
    turn = np.linalg.qr(generator.normal(size=(x.shape[1],) * 2))[0]
    moved = anisotropy(scale * x[generator.permutation(len(x))] @ turn).cosine
    assert moved == pytest.approx(anisotropy(x).cosine, abs=1e-7)


def test_random_pairs_as_in_the_literature_agree() -> None:
    generator = np.random.default_rng(1)
    x = vectors(400, 30, 0)
    left = generator.integers(400, size=10_000)
    right = (left + generator.integers(1, 400, size=10_000)) % 400
    drawn = [cosine(x[i], x[j]) for i, j in zip(left, right, strict=True)]
    error = np.std(drawn) / 100
    assert anisotropy(x).cosine.value == pytest.approx(np.mean(drawn), abs=4 * error)


def test_an_outlier_dimension_is_named() -> None:
    x = np.random.default_rng(0).normal(size=(200, 50))
    x[:, 17] += 20
    found = anisotropy(x)
    assert found.dimensions[0] == 17
    assert found.shares[0] > 0.98
    assert found.cosine.low > 0.8


def test_its_interval_covers_the_truth_as_often_as_it_says() -> None:
    # Mean cosine of two draws = squared length of the mean unit vector.
    generator = np.random.default_rng(2)
    centre = np.array([1.0, 0.5, 0, 0, 0, 0])

    def draw(n: int) -> np.ndarray:
        return generator.normal(size=(n, 6)) + centre

    many = draw(400_000)
    truth = np.sum((many / np.linalg.norm(many, axis=1, keepdims=True)).mean(axis=0) ** 2)
    runs = 800
    found = [anisotropy(draw(150)).cosine for _ in range(runs)]
    covered = np.mean([one.low <= truth <= one.high for one in found])
    assert 0.93 <= covered <= 0.97


def test_two_vectors_have_no_interval_and_one_has_no_cosine() -> None:
    found = anisotropy(np.array([[1.0, 0.0], [1.0, 1.0]]))
    assert found.cosine.value == pytest.approx(math.sqrt(0.5))
    assert math.isnan(found.cosine.low)
    assert np.isnan(anisotropy(np.array([[1.0, 0.0], [0.0, 1.0]])).shares).all()
    with pytest.raises(ValueError, match="two vectors"):
        anisotropy(np.ones((1, 3)))
    with pytest.raises(ValueError, match="all zero"):
        anisotropy(np.zeros((3, 3)))
    with pytest.raises(ValueError, match="top"):
        anisotropy(np.ones((3, 3)), top=0)


@given(st.integers(1, 20), st.integers(1, 30), st.integers(0, 999))
def test_occurrences_are_counted(k: int, queries: int, seed: int) -> None:
    n = k + 5
    generator = np.random.default_rng(seed)
    found = np.array([generator.choice(n, size=k, replace=False) for _ in range(queries)])
    counts = occurrences(found, n)
    assert counts.tolist() == [sum(j in row for row in found.tolist()) for j in range(n)]
    assert counts.sum() == queries * k
    if k == 1:
        assert occurrences(found[:, 0], n).tolist() == counts.tolist()


def test_neighbours_that_cannot_be_are_refused() -> None:
    for wrong in ([[0, 3]], [[-1, 0]]):
        with pytest.raises(ValueError, match="0 to 2"):
            occurrences(np.array(wrong), 3)
    with pytest.raises(ValueError, match="twice"):
        occurrences(np.array([[0, 1, 0]]), 3)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 50), min_size=2, max_size=60))
def test_skew_is_scipy_s(values: list[int]) -> None:
    found = hubness_skew(np.array(values), resamples=50)
    if len(set(values)) == 1:
        assert math.isnan(found.value)
        assert math.isnan(found.low)
    else:
        assert found.value == pytest.approx(stats.skew(values), abs=1e-9)
        assert found.low <= found.high
    assert found.n == len(values)


def test_its_bootstrap_copies_candidates() -> None:
    counts = np.random.default_rng(0).poisson(2, size=80)
    found = hubness_skew(counts, resamples=300, seed=5)
    drawn = np.random.default_rng(5).multinomial(80, np.full(80, 1 / 80), size=300)
    skews = [stats.skew(np.repeat(counts, times)) for times in drawn]
    assert (found.low, found.high) == pytest.approx(np.quantile(skews, [0.025, 0.975]))
    assert found == hubness_skew(counts, resamples=300, seed=5)
    assert found != hubness_skew(counts, resamples=300, seed=6)


def test_hubs_come_with_dimensions() -> None:
    generator = np.random.default_rng(0)

    def skew(d: int) -> float:
        x = generator.normal(size=(400, d))
        distances = ((x[:, None] - x[None]) ** 2).sum(axis=2)
        np.fill_diagonal(distances, np.inf)
        return hubness_skew(occurrences(distances.argsort(axis=1)[:, :10], 400)).value

    assert skew(2) < 0.7
    assert skew(60) > 1.5


@given(st.lists(st.integers(0, 3), min_size=1, max_size=40))
def test_antihubs_are_counted(values: list[int]) -> None:
    found = antihub_share(np.array(values))
    assert found.value == values.count(0) / len(values)
    assert (found.low, found.high) == wilson(values.count(0), len(values))
    assert found.low <= found.value <= found.high


def test_the_antihub_interval_covers_where_queries_compete() -> None:
    # 200 queries each pick one of 100 equal candidates: a candidate is missed by (99/100)^200.
    truth = 0.99**200
    generator = np.random.default_rng(0)
    covered = [
        one.low <= truth <= one.high
        for one in (
            antihub_share(occurrences(generator.integers(100, size=200), 100)) for _ in range(1000)
        )
    ]
    assert np.mean(covered) >= 0.95


def test_counts_that_cannot_be_are_refused() -> None:
    for wrong in ([], [-1, 2], [[1, 2]]):
        for function in (hubness_skew, antihub_share):
            with pytest.raises(ValueError, match="counts must be"):
                function(np.array(wrong))
    with pytest.raises(ValueError, match="resamples"):
        hubness_skew(np.array([1, 2]), resamples=0)
