"""The k nearest neighbours by cosine, exact, in bounded memory, whatever does the search."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from adaptstilts.metric.faiss_search import approximate, exact
from adaptstilts.metric.retrieval import unit_pair

Backend = Literal["numpy", "faiss", "faiss_approximate"]

# Similarities held at once: 64 MiB in float32.
BLOCK = 1 << 24

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Rows of the queries and rows of the candidates, of one length."""


class Neighbours(NamedTuple):
    """The nearest candidates of each query, the nearest first.

    Attributes:
        similarity: Cosines, float64, shape [n, k].
        row: Rows of the candidates, shape [n, k].
    """

    similarity: NDArray[np.float64]
    row: NDArray[np.int64]


def knn(
    x: NDArray[Any],
    y: NDArray[Any],
    *,
    k: int = 4,
    block: int = BLOCK,
    backend: Backend = "numpy",
) -> Neighbours:
    """The k nearest rows of `y` for each row of `x`, by cosine.

    The search runs in float32; every candidate that its rounding could have misplaced is then
    compared again in float64. So `numpy` and `faiss` give equal results, bit for bit, and neither
    the block nor the machine's BLAS decides anything: a tie goes to the lowest index.

    Memory beyond the vectors, their float32 copies and the result: `block` similarities and, at
    worst (all rows equal), about 100 bytes for each of them; n × m are never held. With
    `numpy` that is tested; with faiss the index holds one more copy of `y`.

    Args:
        x: Queries, shape [n, d], any scale and float type (L2-normalised here).
        y: Candidates, shape [m, d].
        k: Neighbours of each query; with fewer candidates, all of them.
        block: Most similarities held at once; it changes no result.
        backend: `numpy`; `faiss` (an exact `IndexFlatIP`, faster on many cores); or
            `faiss_approximate` (an inverted file: far faster on millions of rows, but neighbours
            may be missed, so it is not for a figure that is compared).

    Returns:
        Similarities and rows of `y`, shape [n, min(k, m)].

    Raises:
        ValueError: `k` or `block` is below 1, the backend is unknown, or the vectors are refused
            as by `retrieval.nearest`.
        MachineError: A faiss backend was asked for and faiss is not installed.

    Source: LASER `source/mine_bitexts.py`, `knn` (IndexFlatIP on L2-normalised vectors).
    """
    if k < 1 or block < 1:
        raise ValueError(f"k and block must be at least 1; got k={k} and block={block}")
    if backend not in get_args(Backend):
        raise ValueError(f"no backend is called {backend!r}; take {', '.join(get_args(Backend))}")
    queries, candidates = unit_pair(x, y)
    k, slack = min(k, len(candidates)), _slack(queries.shape[1])
    if backend == "numpy":
        parts = _by_tiles(queries, candidates, k=k, slack=slack, block=block)
    elif backend == "faiss":
        parts = exact(queries, candidates, k=k, slack=slack, block=block)
    else:
        parts = approximate(queries, candidates, k=k, block=block)
    found = Neighbours(
        np.full((len(queries), k), -np.inf),
        np.full((len(queries), k), len(candidates), dtype=np.int64),
    )
    for rows, columns in parts:
        _keep_best(found, rows, columns, pair_similarities(queries, candidates, rows, columns))
    # An inverted file may visit too few rows; what it lacks is searched exactly.
    lacking = np.flatnonzero((found.row == len(candidates)).any(axis=1))
    if lacking.size:
        rest = knn(queries[lacking], candidates, k=k, block=block)
        found.similarity[lacking], found.row[lacking] = rest
    return found


def pair_similarities(
    x: NDArray[np.float32],
    y: NDArray[np.float32],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Inner products of chosen pairs in float64, each a function of its two rows alone.

    Args:
        x: Shape [n, d].
        y: Shape [m, d].
        rows: Rows of `x`, shape [p].
        columns: Rows of `y`, shape [p].

    Returns:
        Shape [p]; about 8 MiB is held beside it, whatever p is.
    """
    found = np.empty(len(rows))
    step = max(1, (1 << 19) // x.shape[1])
    for start in range(0, len(rows), step):
        part = slice(start, start + step)
        # Not a matrix product: BLAS may round equal rows differently, by where they stand.
        products = x[rows[part]].astype(np.float64)
        products *= y[columns[part]]
        found[part] = products.sum(axis=1)
    return found


def _slack(width: int) -> np.float32:
    """How far below the k-th best similarity in float32 a true neighbour may stand.

    Twice the bound on the rounding error of an inner product of unit vectors, d·u with u = 2^-24
    (Higham 2002, "Accuracy and Stability of Numerical Algorithms", section 3.1), and a little more
    for the rounding of the lengths and of this very sum.
    """
    return np.float32(2.02 * (width + 8) * 2.0**-24)


def _by_tiles(
    x: NDArray[np.float32], y: NDArray[np.float32], *, k: int, slack: np.float32, block: int
) -> Iterator[Pairs]:
    """Pairs that may be among the k best, from tiles of at most `block` similarities."""
    columns = min(len(y), block)
    rows = max(1, block // columns)
    for row in range(0, len(x), rows):
        for column in range(0, len(y), columns):
            similarity = x[row : row + rows] @ y[column : column + columns].T
            best = min(k, similarity.shape[1])
            lowest = np.partition(similarity, -best, axis=1)[:, -best, None]
            near_rows, near_columns = np.nonzero(similarity >= lowest - slack)
            del similarity, lowest
            yield near_rows + row, near_columns + column


def _keep_best(
    found: Neighbours,
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    similarity: NDArray[np.float64],
) -> None:
    """Puts pairs among the best so far of their queries, in place; a tie goes to the lowest row."""
    k = found.row.shape[1]
    queries = np.unique(rows)
    rows = np.concatenate([np.repeat(queries, k), rows])
    columns = np.concatenate([found.row[queries].ravel(), columns])
    similarity = np.concatenate([found.similarity[queries].ravel(), similarity])
    order = np.lexsort((columns, -similarity, rows))
    rows, columns, similarity = rows[order], columns[order], similarity[order]
    place = np.arange(len(rows)) - np.searchsorted(rows, rows)
    is_kept = place < k
    at = (rows[is_kept], place[is_kept])
    found.similarity[at], found.row[at] = similarity[is_kept], columns[is_kept]
