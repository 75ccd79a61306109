from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from adaptstilts.metric import retrieval
from adaptstilts.metric.retrieval import nearest, nearest_both

SIZES = st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(2, 24), st.integers(0, 999))


def brute_force(queries: np.ndarray, candidates: np.ndarray) -> list[int]:
    """One pair at a time, in float64, first of the best: nothing shared with the code tested."""
    found = []
    for query in queries.astype(np.float64):
        cosines = [
            sum(a * b for a, b in zip(query, c, strict=True))
            / (sum(a * a for a in query) ** 0.5 * sum(b * b for b in c) ** 0.5)
            for c in candidates.astype(np.float64)
        ]
        found.append(max(range(len(cosines)), key=lambda i: (cosines[i], -i)))
    return found


def vectors(n: int, m: int, d: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(n, d)), generator.normal(size=(m, d))


def is_clear(x: np.ndarray, y: np.ndarray) -> bool:
    """Whether each row's best beats its second best by more than float32 rounding could hide."""
    cosines = (x / np.linalg.norm(x, axis=1, keepdims=True)) @ (
        y / np.linalg.norm(y, axis=1, keepdims=True)
    ).T
    if len(y) == 1:
        return True
    best = np.sort(cosines, axis=1)[:, -2:]
    return bool((best[:, 1] - best[:, 0] > 1e-5).all())


def clear_vectors(n: int, m: int, d: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = vectors(n, m, d, seed)
    assume(is_clear(x, y) and is_clear(y, x) and is_clear(x, x))
    return x, y


@settings(deadline=None)
@given(SIZES)
def test_equals_brute_force(sizes: tuple[int, int, int, int]) -> None:
    x, y = clear_vectors(*sizes)
    assert nearest(x, y).tolist() == brute_force(x, y)
    forward, backward = nearest_both(x, y)
    assert forward.tolist() == brute_force(x, y)
    assert backward.tolist() == brute_force(y, x)


def test_equals_scikit_learn() -> None:
    x, y = vectors(300, 200, 64, 1)
    search = NearestNeighbors(n_neighbors=1, metric="cosine", algorithm="brute").fit(y)
    expected = search.kneighbors(x, return_distance=False)[:, 0]
    assert np.array_equal(nearest(x, y), expected)
    assert np.array_equal(nearest_both(x, y)[0], expected)


@settings(deadline=None)
@given(SIZES)
def test_chunks_do_not_change_the_result(sizes: tuple[int, int, int, int]) -> None:
    x, y = clear_vectors(*sizes)
    whole = nearest(x, y), *nearest_both(x, y)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrieval, "CHUNK_ELEMENTS", 3 * len(y))
        in_chunks = nearest(x, y), *nearest_both(x, y)
    for a, b in zip(whole, in_chunks, strict=True):
        assert np.array_equal(a, b)


@settings(deadline=None)
@given(SIZES)
def test_permuted_candidates_are_found_under_their_new_numbers(sizes) -> None:
    x, y = clear_vectors(*sizes)
    order = np.random.default_rng(sizes[3]).permutation(len(y))
    assert np.array_equal(order[nearest(x, y[order])], nearest(x, y))
    forward, backward = nearest_both(x, y[order])
    assert np.array_equal(order[forward], nearest(x, y))
    assert np.array_equal(backward, nearest(y, x)[order])


@settings(deadline=None)
@given(SIZES, st.floats(1e-3, 1e3))
def test_rotation_and_scale_do_not_matter(sizes, scale: float) -> None:
    x, y = clear_vectors(*sizes)
    generator = np.random.default_rng(sizes[3])
    rotation, _ = np.linalg.qr(generator.normal(size=(sizes[2], sizes[2])))
    scales = generator.uniform(0.5, 2.0, size=(len(x), 1)) * scale
    assert np.array_equal(nearest(scales * x @ rotation, y @ rotation), nearest(x, y))


@settings(deadline=None)
@given(SIZES)
def test_identical_sides_find_themselves(sizes) -> None:
    x, _ = clear_vectors(*sizes)
    forward, backward = nearest_both(x, x)
    assert np.mean(forward == np.arange(len(x))) == 1.0
    assert np.mean(backward == np.arange(len(x))) == 1.0


@settings(deadline=None)
@given(SIZES)
def test_equal_rows_go_to_the_lowest_index(sizes) -> None:
    x, y = clear_vectors(*sizes)
    found = nearest(x, y)
    assert np.array_equal(nearest(x, np.concatenate([y, y, y])), found)
    # Queries that are equal tie for each candidate, in the other direction.
    assert np.array_equal(nearest_both(np.concatenate([x, x]), y)[1], nearest(y, x))


def test_a_tie_between_different_candidates_goes_to_the_lowest_index() -> None:
    x = np.array([[1.0, 1.0]])
    y = np.array([[0.0, 1.0], [1.0, 0.0]])
    assert nearest(x, y).tolist() == [0]
    assert nearest_both(y, x)[1].tolist() == [0]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(retrieval, "CHUNK_ELEMENTS", 1)
        assert nearest_both(y, x)[1].tolist() == [0]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, np.int32])
def test_any_number_type(dtype) -> None:
    x = (np.eye(5) * 7).astype(dtype)
    assert nearest(x, x[::-1]).tolist() == [4, 3, 2, 1, 0]


def test_extreme_scales_neither_overflow_nor_vanish() -> None:
    x, y = vectors(20, 20, 8, 3)
    assert np.array_equal(nearest(x * 1e200, y * 1e-200), nearest(x, y))
    small = (x * 1e-30).astype(np.float32)
    assert np.array_equal(nearest(small, (y * 1e30).astype(np.float32)), nearest(x, y))


def test_input_is_left_as_it_was() -> None:
    x, y = vectors(4, 5, 3, 0)
    before = x.copy(), y.copy()
    nearest_both(x, y)
    assert np.array_equal(x, before[0])
    assert np.array_equal(y, before[1])


def test_bad_input_is_refused_with_its_row() -> None:
    x = np.ones((3, 2))
    zero, infinite, unknown = x.copy(), x.copy(), x.copy()
    zero[1], infinite[2, 0], unknown[0, 1] = 0, np.inf, np.nan
    with pytest.raises(ValueError, match="row 1 of the first array is all zero"):
        nearest(zero, x)
    with pytest.raises(ValueError, match="row 2 of the second array is not finite"):
        nearest_both(x, infinite)
    with pytest.raises(ValueError, match="row 0 of the first array is not finite"):
        nearest(unknown, x)
    with pytest.raises(ValueError, match="width: 2 and 3"):
        nearest(x, np.ones((3, 3)))
    for empty in (np.ones((0, 2)), np.ones((2, 0)), np.ones(2)):
        with pytest.raises(ValueError, match=r"shape \[n, d\]"):
            nearest(x, empty)
