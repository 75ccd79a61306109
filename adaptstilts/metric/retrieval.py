"""Nearest neighbours by cosine, in one or both directions; `classification` scores them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Similarities held at once: 64 MiB in float32.
CHUNK_ELEMENTS = 1 << 24


def nearest(queries: NDArray[Any], candidates: NDArray[Any]) -> NDArray[np.int64]:
    """Index of each query's nearest candidate by cosine.

    Args:
        queries: Vectors, shape [n, d], any scale and float type (L2-normalised here).
        candidates: Vectors, shape [m, d].

    Returns:
        Indices into `candidates`, shape [n]. Similarities are compared in float32; a tie goes to
        the lowest index, and equal candidates always tie.

    Raises:
        ValueError: A shape is not [n, d] with n and d above 0, the widths differ, or a row is all
            zero or not finite (names the row).

    Source: XTREME `third_party/evaluate_retrieval.py` with `--dist cosine`; an exact search.
    """
    x, y = unit_pair(queries, candidates)
    found = np.empty(len(x), dtype=np.int64)
    for start, similarity in _similarities(x, y):
        found[start : start + len(similarity)] = similarity.argmax(axis=1)
    return first_equal(y)[found]


def nearest_both(x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Nearest neighbours in both directions, from one pass over the similarities.

    Args:
        x: Vectors, shape [n, d], any scale and float type (L2-normalised here).
        y: Vectors, shape [m, d].

    Returns:
        (indices into `y` for each row of `x`, shape [n]; indices into `x` for each row of `y`,
        shape [m]), with ties as in `nearest`.

    Raises:
        ValueError: As `nearest`.
    """
    units, others = unit_pair(x, y)
    forward = np.empty(len(units), dtype=np.int64)
    backward = np.zeros(len(others), dtype=np.int64)
    best = np.full(len(others), -np.inf, dtype=np.float32)
    for start, similarity in _similarities(units, others):
        forward[start : start + len(similarity)] = similarity.argmax(axis=1)
        rows = similarity.argmax(axis=0)
        highest = similarity[rows, np.arange(len(others))]
        is_better = highest > best  # strictly: an earlier chunk wins a tie
        backward[is_better] = rows[is_better] + start
        best[is_better] = highest[is_better]
    return first_equal(others)[forward], first_equal(units)[backward]


def _similarities(
    x: NDArray[np.float32], y: NDArray[np.float32]
) -> Iterator[tuple[int, NDArray[np.float32]]]:
    rows = max(1, CHUNK_ELEMENTS // len(y))
    for start in range(0, len(x), rows):
        yield start, x[start : start + rows] @ y.T


def first_equal(units: NDArray[np.float32]) -> NDArray[np.int64]:
    """For each row the first row with the same bytes: BLAS may round equal rows differently.

    Args:
        units: Rows, shape [n, d].

    Returns:
        Row numbers, shape [n]; each row's own where no earlier row is equal.
    """
    first: dict[bytes, int] = {}
    return np.array([first.setdefault(row.tobytes(), i) for i, row in enumerate(units)])


def unit_pair(
    queries: NDArray[Any], candidates: NDArray[Any]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The rows of two arrays at length 1, in float32.

    Args:
        queries: Vectors, shape [n, d], any scale and float type.
        candidates: Vectors, shape [m, d].

    Returns:
        Both scaled, shapes [n, d] and [m, d]; equal rows of one float type stay equal.

    Raises:
        ValueError: As `nearest`.
    """
    x, y = _unit(queries, "the first array"), _unit(candidates, "the second array")
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"vectors differ in width: {x.shape[1]} and {y.shape[1]}")
    return x, y


def _unit(vectors: NDArray[Any], name: str) -> NDArray[np.float32]:
    """The rows at length 1; scaled by their largest entry first, so that no square overflows."""
    array = np.asarray(vectors)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name} must have shape [n, d] with n and d above 0; got {array.shape}")
    if array.dtype not in (np.float32, np.float64):
        array = array.astype(np.float32)
    largest = np.abs(array).max(axis=1, keepdims=True)
    for rows, what in (
        (np.flatnonzero(~np.isfinite(largest[:, 0])), "not finite"),
        (np.flatnonzero(largest[:, 0] == 0), "all zero"),
    ):
        if rows.size:
            raise ValueError(f"row {rows[0]} of {name} is {what}; it has no direction")
    scaled = (array / largest).astype(np.float32)
    unit: NDArray[np.float32] = scaled / np.linalg.norm(scaled, axis=1, keepdims=True)
    return unit
