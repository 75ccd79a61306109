"""Neighbours: equal to one pair at a time, whatever the tile or the backend, in bounded memory."""

from __future__ import annotations

import sys
import tracemalloc
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from adaptstilts.errors import MachineError
from adaptstilts.metric.knn import knn

BACKENDS = ["numpy", "faiss"]
SIZES = st.tuples(
    st.integers(1, 25),
    st.integers(1, 25),
    st.integers(2, 12),
    st.integers(1, 6),
    st.integers(0, 99),
)


def drawn(n: int, m: int, d: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(n, d)), generator.normal(size=(m, d))


def plain_cosine(a: np.ndarray, b: np.ndarray) -> float:
    dot = sum(float(p) * float(q) for p, q in zip(a, b, strict=True))
    return dot / (sum(float(p) ** 2 for p in a) * sum(float(q) ** 2 for q in b)) ** 0.5


def exact_order(query: list[int], candidates: list[list[int]]) -> list[int]:
    """Candidates of whole numbers by falling cosine, compared as fractions; ties by their row."""

    def signed_square(candidate: list[int]) -> Fraction:
        dot = sum(a * b for a, b in zip(query, candidate, strict=True))
        return Fraction(dot * abs(dot), sum(b * b for b in candidate))

    return sorted(range(len(candidates)), key=lambda row: (-signed_square(candidates[row]), row))


@pytest.mark.parametrize("backend", BACKENDS)
@settings(deadline=None, max_examples=40)
@given(sizes=SIZES)
def test_equals_one_pair_at_a_time(backend: str, sizes: tuple[int, ...]) -> None:
    if backend == "faiss":
        pytest.importorskip("faiss")
    n, m, d, k, seed = sizes
    x, y = drawn(n, m, d, seed)
    found = knn(x, y, k=k, backend=backend)
    assert found.row.shape == found.similarity.shape == (n, min(k, m))
    for query in range(n):
        cosines = [plain_cosine(x[query], candidate) for candidate in y]
        best = sorted(cosines, reverse=True)[:k]
        np.testing.assert_allclose(found.similarity[query], best, atol=1e-6)
        # The rows named have these cosines, and none is named twice.
        np.testing.assert_allclose([cosines[row] for row in found.row[query]], best, atol=1e-6)
        assert len(set(found.row[query])) == min(k, m)


# Cosines of vectors of -1, 0 and 1 tie in masses, and do so exactly in float64.
signs = st.tuples(st.integers(1, 12), st.integers(1, 30), st.integers(1, 4)).flatmap(
    lambda size: st.tuples(
        *(
            arrays.arrays(np.int8, (rows, size[2]), elements=st.integers(-1, 1)).map(
                lambda found: found + (~found.any(axis=1, keepdims=True)).astype(np.int8)
            )
            for rows in size[:2]
        )
    )
)


@pytest.mark.parametrize("backend", BACKENDS)
@settings(deadline=None, max_examples=60)
@given(sides=signs, k=st.integers(1, 6), block=st.integers(1, 200))
def test_ties_go_to_the_lowest_row(
    backend: str, sides: tuple[np.ndarray, np.ndarray], k: int, block: int
) -> None:
    if backend == "faiss":
        pytest.importorskip("faiss")
    x, y = sides
    found = knn(x, y, k=k, block=block, backend=backend)
    for query, rows in zip(x.tolist(), found.row.tolist(), strict=True):
        assert rows == exact_order(query, y.tolist())[:k]


@settings(deadline=None, max_examples=40)
@given(sizes=SIZES, block=st.integers(1, 300), copies=st.integers(1, 4))
def test_neither_tiles_nor_faiss_change_a_bit(
    sizes: tuple[int, ...], block: int, copies: int
) -> None:
    pytest.importorskip("faiss")
    n, m, d, k, seed = sizes
    x, y = drawn(n, m, d, seed)
    y = np.concatenate([y] * copies)
    whole = knn(x, y, k=k)
    for other in (knn(x, y, k=k, block=block), knn(x, y, k=k, backend="faiss", block=block)):
        assert np.array_equal(other.row, whole.row)
        assert np.array_equal(other.similarity, whole.similarity)


def test_neither_tiles_nor_faiss_change_a_bit_on_crowded_vectors() -> None:
    """Cosines between .9999 and 1, as in an anisotropic space: float32 alone misorders them."""
    pytest.importorskip("faiss")
    x, y = drawn(300, 400, 256, 5)
    x, y = x * 2e-3 + 1, np.repeat(y[:100] * 2e-3 + 1, 4, axis=0)
    whole = knn(x, y, k=4)
    assert whole.similarity.min() > 0.9999
    for other in (knn(x, y, k=4, block=700), knn(x, y, k=4, backend="faiss")):
        assert np.array_equal(other.row, whole.row)
        assert np.array_equal(other.similarity, whole.similarity)
    # Four copies of one sentence are the four neighbours, in the order of their rows.
    assert (whole.row == whole.row[:, :1] + np.arange(4)).all()


@pytest.mark.parametrize("are_equal", [False, True])
def test_memory_is_bounded_by_the_block(are_equal: bool) -> None:
    n, d, block = 2000, 16, 20_000
    x, y = drawn(n, n, d, 0)
    x, y = x.astype(np.float32), y.astype(np.float32)
    if are_equal:
        x[:], y[:] = x[0], x[0]
    knn(x[:2], y[:2])
    tracemalloc.start()
    found = knn(x, y, k=4, block=block)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    held = x.nbytes + y.nbytes + found.row.nbytes + found.similarity.nbytes
    assert peak < 3 * held + 100 * block + (8 << 20)
    assert peak < n * n * 4 * (0.8 if are_equal else 0.2)


def test_approximate_search_finds_most_and_fills_up_to_k() -> None:
    pytest.importorskip("faiss")
    x, y = drawn(200, 3000, 8, 1)
    right, found = knn(x, y, k=4), knn(x, y, k=4, backend="faiss_approximate")
    share = np.mean([len(set(a) & set(b)) / 4 for a, b in zip(found.row, right.row, strict=True)])
    assert 0.5 < share < 1
    assert found.row.max() < 3000
    assert (np.diff(found.similarity) <= 0).all()
    again = knn(x, y, k=4, backend="faiss_approximate")
    assert np.array_equal(again.row, found.row)
    # A query whose cell holds fewer than k rows is searched exactly.
    lonely = np.concatenate([np.tile([1.0, 0.0], (299, 1)) + y[:299, :2] * 1e-3, [[-1.0, 0.0]]])
    assert knn(lonely[-1:], lonely, k=4, backend="faiss_approximate").row[0, 0] == 299
    assert (knn(lonely, lonely, k=40, backend="faiss_approximate").row < 300).all()


def test_without_faiss_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    for backend in ("faiss", "faiss_approximate"):
        with pytest.raises(
            MachineError, match=r"pip install faiss-cpu .* take the backend `numpy`"
        ):
            knn(np.eye(3), np.eye(3), backend=backend)
    assert knn(np.eye(3), np.eye(3), k=1).row.tolist() == [[0], [1], [2]]


def test_bad_arguments_are_refused() -> None:
    x = np.eye(3)
    with pytest.raises(ValueError, match="k and block must be at least 1; got k=0"):
        knn(x, x, k=0)
    with pytest.raises(ValueError, match="got k=1 and block=0"):
        knn(x, x, k=1, block=0)
    with pytest.raises(ValueError, match="no backend is called 'fais'"):
        knn(x, x, k=1, backend="fais")
    with pytest.raises(ValueError, match="row 1 of the second array is all zero"):
        knn(x, np.array([[1, 0, 0], [0, 0, 0]]), k=1)
