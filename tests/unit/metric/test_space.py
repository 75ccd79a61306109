"""Post-processings: against numpy and scikit-learn, and by what they must leave alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.covariance import ledoit_wolf
from sklearn.decomposition import PCA

from adaptstilts.metric.covariance import shrunk
from adaptstilts.metric.space import averaged, centred, whitened, without_top_pcs

SIZES = st.tuples(st.integers(8, 30), st.integers(8, 30), st.integers(5, 24), st.integers(0, 999))
ALL = (centred, without_top_pcs, whitened)


def sides(n: int, m: int, d: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Two languages about different means, with a few directions that outweigh the others."""
    generator = np.random.default_rng(seed)
    scales = np.geomspace(8, 1, d)
    x, y = (generator.normal(size=(k, d)) * scales + generator.normal(size=d) * 5 for k in (n, m))
    return x.astype(np.float32), y.astype(np.float32)


def rotation(d: int, seed: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d, d)))[0]


def cosines(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = (side.astype(np.float64) for side in (x, y))
    x, y = (side / np.linalg.norm(side, axis=1, keepdims=True) for side in (x, y))
    return x @ y.T


@settings(deadline=None, max_examples=40)
@given(SIZES, st.sampled_from(ALL))
def test_each_side_is_centred_float32_and_of_the_same_shape(sizes, process) -> None:
    x, y = sides(*sizes)
    kept = x.copy()
    for before, after in zip((x, y), process(x, y), strict=True):
        assert after.dtype == np.float32
        assert after.shape == before.shape
        assert np.abs(after.mean(axis=0)).max() < 1e-4
    assert np.array_equal(x, kept), "the input was written to"


@settings(deadline=None, max_examples=40)
@given(SIZES, st.sampled_from(ALL), st.floats(0.01, 100))
def test_cosines_do_not_depend_on_rotation_scale_or_the_place_of_a_side(
    sizes, process, scale
) -> None:
    x, y = sides(*sizes)
    expected = cosines(*process(x, y))
    turn = rotation(x.shape[1], sizes[-1])
    moved = process(scale * (x @ turn), scale * (y @ turn) + 3.0 * scale)
    assert cosines(*moved) == pytest.approx(expected, abs=2e-3)


@settings(deadline=None, max_examples=30)
@given(SIZES, st.sampled_from(ALL))
def test_the_order_of_the_rows_does_not_matter(sizes, process) -> None:
    x, y = sides(*sizes)
    order = np.random.default_rng(sizes[-1]).permutation(len(x))
    expected, _ = process(x, y)
    found, _ = process(x[order], y)
    # Directions have no sign of their own, so cosines are compared.
    assert cosines(found, found) == pytest.approx(
        cosines(expected[order], expected[order]), abs=1e-3
    )


def test_centred_keeps_differences_within_a_language() -> None:
    x, y = sides(12, 9, 6, 0)
    a, b = centred(x, y)
    assert a - a[0] == pytest.approx(x - x[0], abs=1e-4)
    assert b - b[0] == pytest.approx(y - y[0], abs=1e-4)


@pytest.mark.parametrize("d", [10, 90])  # more vectors than dimensions, and fewer
@pytest.mark.parametrize("k", [1, 3])
def test_what_is_removed_is_what_scikit_learn_finds(d: int, k: int) -> None:
    x, y = sides(30, 25, d, 1)
    pooled = np.concatenate([x - x.mean(axis=0), y - y.mean(axis=0)]).astype(np.float64)
    top = PCA(n_components=k, svd_solver="full").fit(pooled).components_
    expected = pooled - pooled @ top.T @ top
    assert np.concatenate(without_top_pcs(x, y, k=k)) == pytest.approx(expected, abs=1e-3)


def test_a_translation_hidden_by_one_loud_direction_is_found_again() -> None:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(200, 20))
    loud = np.zeros(20)
    loud[7] = 60
    y = x + 0.1 * generator.normal(size=x.shape)
    noisy = [side + generator.normal(size=(200, 1)) * loud for side in (x, y)]

    def right(a: np.ndarray, b: np.ndarray) -> float:
        return float((cosines(a, b).argmax(axis=1) == np.arange(200)).mean())

    assert right(*centred(*noisy)) < 0.7
    assert right(*without_top_pcs(*noisy, k=1)) > 0.95
    assert right(*whitened(*noisy)) > 0.9


def test_fewer_directions_than_asked_for_leave_nothing_but_noise() -> None:
    generator = np.random.default_rng(0)
    flat = generator.normal(size=(12, 2)) @ generator.normal(size=(2, 40))
    left = np.concatenate(without_top_pcs(flat, flat[::-1], k=4))
    assert np.abs(left).max() < 1e-5 * np.abs(flat).max()


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 12), st.integers(0, 999))
def test_without_shrinkage_the_covariance_is_the_identity(d: int, seed: int) -> None:
    x, y = sides(40, 30, d, seed)
    white = np.concatenate(whitened(x, y, shrinkage=0)).astype(np.float64)
    assert white.T @ white / len(white) == pytest.approx(np.eye(d), abs=1e-3)


def test_whitened_cosines_are_those_of_zca() -> None:
    x, y = sides(60, 50, 8, 3)
    a, b = x - x.mean(axis=0), y - y.mean(axis=0)
    pooled = np.concatenate([a, b]).astype(np.float64)
    values, vectors = np.linalg.eigh(pooled.T @ pooled / len(pooled))
    zca = vectors @ np.diag(values**-0.5) @ vectors.T
    assert cosines(*whitened(x, y, shrinkage=0)) == pytest.approx(
        cosines(a @ zca, b @ zca), abs=1e-4
    )


def test_fewer_vectors_than_dimensions_are_whitened_with_shrinkage_alone() -> None:
    x, y = sides(10, 10, 50, 0)
    assert all(np.isfinite(side).all() for side in whitened(x, y))
    with pytest.raises(ValueError, match="do not span 50 dimensions"):
        whitened(x, y, shrinkage=0)
    with pytest.raises(ValueError, match="no variance"):
        whitened(np.ones((5, 3)), np.ones((5, 3)))
    with pytest.raises(ValueError, match="between 0 and 1"):
        whitened(x, y, shrinkage=1.5)


@settings(deadline=None, max_examples=40)
@given(st.integers(3, 60), st.integers(2, 40), st.integers(0, 999))
def test_shrinkage_is_that_of_ledoit_and_wolf(n: int, d: int, seed: int) -> None:
    rows = np.random.default_rng(seed).normal(size=(n, d)) * np.geomspace(5, 1, d)
    rows -= rows.mean(axis=0)
    expected, share = ledoit_wolf(rows, assume_centered=True)
    fourth = float((np.linalg.norm(rows, axis=1) ** 4).sum())
    assert shrunk(rows.T @ rows, fourth, n) == pytest.approx(expected, rel=1e-6, abs=1e-9)
    given_share = shrunk(rows.T @ rows, fourth, n, shrinkage=share)
    assert given_share == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_averaged_is_the_running_mean_of_unit_vectors() -> None:
    layers = np.random.default_rng(0).normal(size=(4, 6, 5)).astype(np.float32) * 30
    found = averaged(layers)
    assert found.dtype == np.float32
    for layer in range(4):
        for row in range(6):
            units = [
                layers[i, row] / np.sqrt((layers[i, row] ** 2).sum()) for i in range(layer + 1)
            ]
            assert found[layer, row] == pytest.approx(sum(units) / (layer + 1), abs=1e-6)
    louder = layers * np.array([1, 10, 0.1, 5])[:, None, None]
    assert averaged(louder) == pytest.approx(found, abs=1e-6)
    assert averaged(layers[:2]) == pytest.approx(found[:2], abs=0)


def test_what_does_not_fit_is_refused() -> None:
    x, y = sides(10, 9, 6, 0)
    for process in ALL:
        with pytest.raises(ValueError, match="differ in width"):
            process(x, y[:, :5])
        with pytest.raises(ValueError, match="shape"):
            process(x[0], y)
        with pytest.raises(ValueError, match="not finite"):
            process(x, np.full_like(y, np.nan))
    for k in (0, 6):
        with pytest.raises(ValueError, match="k must be at least 1"):
            without_top_pcs(x, y, k=k)
    with pytest.raises(ValueError, match="layers must have shape"):
        averaged(x)
    with pytest.raises(ValueError, match="layer 1 of the stack holds a vector that is all zero"):
        averaged(np.stack([x, np.zeros_like(x)]))
