"""Debiased CKA: against the estimator's definition, all permutations, and known truths."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics.pairwise import linear_kernel

from adaptstilts.metric import cka
from adaptstilts.metric.cka import cka_null, debiased_cka, null_deviation

SIZES = st.tuples(st.integers(5, 25), st.integers(1, 30), st.integers(1, 30), st.integers(0, 999))


def sides(n: int, d: int, e: int, seed: int, shared: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    x, y = generator.normal(size=(n, d)), generator.normal(size=(n, e))
    k = min(d, e)
    y[:, :k] += shared * x[:, :k]
    return x + 2, y * 3 - 1


def textbook_hsic(k: np.ndarray, m: np.ndarray) -> float:
    """Song et al.'s U-statistic from its definition: a mean over quadruples of different rows."""
    n = len(k)
    terms = [
        k[i, j] * (m[i, j] + m[q, r] - 2 * m[i, q])
        for i, j, q, r in itertools.permutations(range(n), 4)
    ]
    return float(np.mean(terms))


def by_matrices(x: np.ndarray, y: np.ndarray) -> float:
    """Song et al., equation 5, word for word, with Gram matrices of scikit-learn."""

    def hsic(k: np.ndarray, m: np.ndarray) -> float:
        k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
        n, one = len(k), np.ones(len(k))
        middle = (one @ k @ one) * (one @ m @ one) / ((n - 1) * (n - 2))
        return float((np.trace(k @ m) + middle - 2 / (n - 2) * (one @ k @ m @ one)) / (n * (n - 3)))

    k, m = linear_kernel(x), linear_kernel(y)
    return hsic(k, m) / math.sqrt(hsic(k, k) * hsic(m, m))


@pytest.mark.parametrize(("d", "e"), [(2, 3), (12, 9)])
def test_equals_the_definition_over_quadruples(d: int, e: int) -> None:
    x, y = sides(7, d, e, 0)
    k, m = x @ x.T, y @ y.T
    expected = textbook_hsic(k, m) / math.sqrt(textbook_hsic(k, k) * textbook_hsic(m, m))
    assert debiased_cka(x, y).value == pytest.approx(expected, rel=1e-9)


@settings(deadline=None)
@given(SIZES)
def test_equals_song_s_formula(sizes) -> None:
    x, y = sides(*sizes)
    assert debiased_cka(x, y).value == pytest.approx(by_matrices(x, y), abs=1e-9)


@settings(deadline=None, max_examples=50)
@given(SIZES)
def test_both_ways_to_compute_it_are_equal_with_any_rows_left_out(sizes) -> None:
    n = sizes[0] + 5
    x, y = (side - side.mean(axis=0) for side in sides(n, *sizes[1:]))
    left_out = [slice(0, 0), slice(0, 3), slice(3, 6), slice(n - 2, n)]
    by_features = cka._by_features(x, y, left_out)
    by_grams = cka._by_grams(x, y, left_out)
    assert by_features == pytest.approx(by_grams, rel=1e-8, abs=1e-8)
    for row, out in enumerate(left_out):
        kept = [np.delete(side, out, axis=0) for side in (x, y)]
        ratio = by_grams[row, 1] / math.sqrt(by_grams[row, 0] * by_grams[row, 2])
        assert ratio == pytest.approx(by_matrices(*kept), abs=1e-8)


@settings(deadline=None, max_examples=50)
@given(SIZES, st.floats(1e-3, 1e3))
def test_rotation_scale_place_and_order_of_rows_do_not_matter(sizes, scale: float) -> None:
    x, y = sides(*sizes)
    expected = debiased_cka(x, y).value
    generator = np.random.default_rng(sizes[-1])
    turn = np.linalg.qr(generator.normal(size=(x.shape[1],) * 2))[0]
    order = generator.permutation(len(x))
    assert debiased_cka(scale * x @ turn - 7, y).value == pytest.approx(expected, abs=1e-8)
    assert debiased_cka(x[order], y[order]).value == pytest.approx(expected, abs=1e-9)
    assert debiased_cka(y, x).value == pytest.approx(expected, abs=1e-9)
    assert debiased_cka(x, scale * x @ turn).value == pytest.approx(1, abs=1e-9)
    assert -1 - 1e-12 <= expected <= 1 + 1e-12


def test_unrelated_vectors_have_none_though_plain_cka_says_otherwise() -> None:
    x, y = sides(60, 300, 300, 0, shared=0)
    a, b = x - x.mean(axis=0), y - y.mean(axis=0)
    plain = np.linalg.norm(a.T @ b) ** 2 / (np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b))
    assert plain > 0.7
    assert abs(debiased_cka(x, y).value) < 4 * null_deviation(60)


def test_the_interval_covers_the_truth_as_often_as_it_says() -> None:
    # Gaussian vectors whose cross-covariance is half of the first's covariance: a known CKA.
    generator = np.random.default_rng(3)
    scales = np.geomspace(3, 1, 6)
    covariance = np.diag(scales**2)
    other = 0.25 * covariance + np.eye(6)
    truth = np.sum((0.5 * covariance) ** 2) / (np.linalg.norm(covariance) * np.linalg.norm(other))
    runs, covered = 500, 0
    for _ in range(runs):
        x = generator.normal(size=(300, 6)) * scales
        found = debiased_cka(x, 0.5 * x + generator.normal(size=x.shape))
        covered += found.low <= truth <= found.high
    assert 0.92 <= covered / runs <= 0.98


def test_few_rows_have_a_value_and_no_interval() -> None:
    found = debiased_cka(*sides(4, 3, 3, 0))
    assert math.isfinite(found.value)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert found.n == 4


@pytest.mark.parametrize(("d", "e"), [(1, 1), (3, 8)])
def test_over_all_permutations_mean_and_deviation_are_known(d: int, e: int) -> None:
    x, y = sides(7, d, e, 5)
    every = [by_matrices(x, y[list(order)]) for order in itertools.permutations(range(7))]
    assert np.mean(every) == pytest.approx(0, abs=1e-12)
    assert np.std(every) == pytest.approx(null_deviation(7), rel=1e-9)


@pytest.mark.parametrize(("n", "shared"), [(9, 0.0), (10, 0.4)])
def test_cyclic_shifts_are_those_permutations(n: int, shared: float) -> None:
    x, y = sides(n, 4, 3, 1, shared)
    expected = [by_matrices(x, np.roll(y, -shift, axis=0)) for shift in range(n)]
    first, second = (cka._u_centred(side) for side in (x, y))
    assert cka._of_shifts(first, second) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("permutations", "drawn"), [(60, 60), (30, 39)])
@pytest.mark.parametrize("d", [1, 30])
def test_the_null_is_that_of_permutations_drawn_one_by_one(
    permutations: int, drawn: int, d: int
) -> None:
    x, y = sides(40, d, d, 2, shared=0.2)
    found = [cka_null(x, y, permutations=permutations, seed=seed) for seed in range(150)]
    assert {one.permutations for one in found} == {drawn}
    generator = np.random.default_rng(9)
    many = np.array([by_matrices(x, y[generator.permutation(40)]) for _ in range(100 * drawn)])
    deviation = null_deviation(40)
    assert many.std() == pytest.approx(deviation, rel=0.1)
    assert np.mean([one.mean for one in found]) == pytest.approx(0, abs=0.05 * deviation)
    # Quantiles of as many draws: that of a small sample lies a little low.
    quantile = np.quantile(many.reshape(100, drawn), 0.95, axis=1).mean()
    found_quantile = np.mean([one.quantile for one in found])
    assert found_quantile == pytest.approx(quantile, abs=0.25 * deviation)
    share = (many >= debiased_cka(x, y).value).mean()
    p_value = (1 + share * drawn) / (1 + drawn)
    assert np.mean([one.p_value for one in found]) == pytest.approx(p_value, abs=0.02)
    assert cka_null(x, y, permutations=permutations, seed=4) == found[4] != found[5]


@pytest.mark.parametrize("n", [24, 60])
def test_the_null_keeps_its_level_and_sees_a_pairing(n: int) -> None:
    p_values = np.array(
        [cka_null(*sides(n, 5, 4, seed, shared=0), permutations=39).p_value for seed in range(400)]
    )
    for level in (0.05, 0.2):
        # Exact tests stay below their level; three standard errors are the simulation's.
        assert (p_values <= level).mean() <= level + 3 * math.sqrt(level * (1 - level) / 400)
    assert (p_values <= 0.2).mean() > 0.1, "a test may be careful, not deaf"
    found = cka_null(*sides(n, 5, 4, 0), permutations=39)
    assert found.p_value == pytest.approx(1 / (1 + found.permutations))


def test_what_does_not_fit_is_refused() -> None:
    x, y = sides(10, 3, 4, 0)
    for function in (debiased_cka, cka_null):
        with pytest.raises(ValueError, match="10 and 9 rows"):
            function(x, y[:9])
        with pytest.raises(ValueError, match="at least 4 rows"):
            function(x[:3], y[:3])
        with pytest.raises(ValueError, match="second side are equal"):
            function(x, np.full_like(y, 0.1))
    with pytest.raises(ValueError, match="blocks"):
        debiased_cka(x, y, blocks=1)
    with pytest.raises(ValueError, match="permutations"):
        cka_null(x, y, permutations=0)
    with pytest.raises(ValueError, match="at least 4"):
        null_deviation(3)
