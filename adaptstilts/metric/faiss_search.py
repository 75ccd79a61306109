"""Neighbours by faiss, which is optional: pairs that may be near, to be compared by `knn`."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptstilts.errors import MachineError

# Rows that faiss wants for each cell of an inverted file; it warns below that.
ROWS_PER_CELL = 39
# The share of the cells that a query visits.
VISITED_SHARE = 1 / 8
# Neighbours asked for beyond k, so that ties at the border are seen.
SPARE = 8


def exact(
    x: NDArray[np.float32], y: NDArray[np.float32], *, k: int, slack: np.float32, block: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Every pair that stands within `slack` of its query's k-th best, by an exact index.

    Args:
        x: Unit queries, shape [n, d].
        y: Unit candidates, shape [m, d].
        k: Neighbours of each query, at most m.
        slack: Twice the error of a similarity in float32.
        block: Most similarities held at once.

    Yields:
        Rows of `x` and rows of `y`; a query comes once.

    Raises:
        MachineError: faiss is not installed.
    """
    index = _faiss().IndexFlatIP(x.shape[1])
    index.add(np.ascontiguousarray(y))
    pending = np.arange(len(x))
    width = min(len(y), k + SPARE)
    while pending.size:
        unsettled = []
        for queries in _chunks(pending, max(1, block // width)):
            similarity, found = index.search(np.ascontiguousarray(x[queries]), width)
            lowest = similarity[:, k - 1, None] - slack
            # Where even the last one found stands that near, more such may follow: ask for more.
            is_settled = (similarity[:, -1] < lowest[:, 0]) | (width == len(y))
            unsettled.append(queries[~is_settled])
            is_near = (similarity >= lowest) & is_settled[:, None]
            rows, places = np.nonzero(is_near)
            yield queries[rows], found[rows, places]
        pending = np.concatenate(unsettled)
        width = min(len(y), 2 * width)


def approximate(
    x: NDArray[np.float32], y: NDArray[np.float32], *, k: int, block: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """About the k nearest of each query, by an inverted file of √m cells, an eighth visited.

    Args:
        x: Unit queries, shape [n, d].
        y: Unit candidates, shape [m, d].
        k: Neighbours of each query, at most m.
        block: Most similarities held at once.

    Yields:
        Rows of `x` and rows of `y`; fewer than k for a query that visits too few rows.

    Raises:
        MachineError: faiss is not installed.
    """
    faiss = _faiss()
    width, rows = x.shape[1], np.ascontiguousarray(y)
    cells = max(1, min(int(len(y) ** 0.5), len(y) // ROWS_PER_CELL))
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, cells, faiss.METRIC_INNER_PRODUCT)
    index.train(rows)  # k-means from faiss's own fixed seed
    index.add(rows)
    index.nprobe = max(1, round(cells * VISITED_SHARE))
    for queries in _chunks(np.arange(len(x)), max(1, block // k)):
        _, found = index.search(np.ascontiguousarray(x[queries]), k)
        places = np.nonzero(found >= 0)  # -1 where there was no more
        yield queries[places[0]], found[places]


def _chunks(rows: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(rows), size):
        yield rows[start : start + size]


def _faiss() -> Any:
    try:
        return importlib.import_module("faiss")
    except ImportError as error:
        raise MachineError(
            "the backends `faiss` and `faiss_approximate` need faiss, which is not installed here: "
            "pip install faiss-cpu (or adaptstilts[faiss]), or take the backend `numpy`"
        ) from error
