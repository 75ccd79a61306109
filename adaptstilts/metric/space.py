"""Post-processings of a multilingual space that need no training: the cheap rivals of an adapter.

All but `averaged` use the statistics (means, covariance) of the very sentences that are scored, so
they are transductive: they see the test sentences of both sides, but never which belong together.
Covariances are made in double precision, since a few dimensions of XLM-R outweigh the others.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from adaptstilts.metric.covariance import shrunk
from adaptstilts.metric.vectors import matrix, unit

Sides = tuple[NDArray[np.float32], NDArray[np.float32]]


def centred(x: NDArray[Any], y: NDArray[Any]) -> Sides:
    """Each language without its own mean, which holds much of what tells the languages apart.

    Args:
        x: Foreign vectors, shape [n, d], any float type.
        y: English vectors, shape [m, d].

    Returns:
        Both sides in float32, the same shapes.

    Raises:
        ValueError: A side is not [n, d], has a value that is not finite, or the widths differ.

    Source: Libovický et al. 2020 (2004.05160), section 4, "centering".
    """
    foreign, english = _centred(x, y)
    return foreign.astype(np.float32), english.astype(np.float32)


def without_top_pcs(x: NDArray[Any], y: NDArray[Any], *, k: int = 3) -> Sides:
    """Both sides without the directions in which the pooled vectors vary most.

    Each side is centred first, so that the difference of the languages' means is no direction.

    Args:
        x: Foreign vectors, shape [n, d], any float type.
        y: English vectors, shape [m, d].
        k: How many directions to remove.

    Returns:
        Both sides in float32, the same shapes.

    Raises:
        ValueError: As `centred`, or k is not at least 1 and below both the width and the number of
            directions that n + m centred vectors have.

    Source: Mu and Viswanath 2018, "All-but-the-top", algorithm 1; they advise about d / 100.
    """
    foreign, english = _centred(x, y)
    pooled = np.concatenate([foreign, english])
    n, width = pooled.shape
    if not 1 <= k < min(width, n - 2):
        raise ValueError(f"k must be at least 1 and below {min(width, n - 2)}; got {k}")
    # The leading directions follow from the smaller of the two products.
    if width <= n:
        directions = _top_eigenvectors(pooled.T @ pooled, k)
    else:
        directions = pooled.T @ _top_eigenvectors(pooled @ pooled.T, k)
        # Where the vectors vary in fewer than k directions the others have no length: kept as 0.
        lengths = np.linalg.norm(directions, axis=0)
        directions /= np.where(lengths > 1e-12 * lengths.max(), lengths, np.inf)
    for side in (foreign, english):
        side -= (side @ directions) @ directions.T
    return foreign.astype(np.float32), english.astype(np.float32)


def whitened(x: NDArray[Any], y: NDArray[Any], *, shrinkage: float | None = None) -> Sides:
    """Both sides, each centred, at equal variance in all directions of the pooled vectors.

    The covariance is factored by Cholesky. That whitening is a rotation of the ZCA and the PCA
    forms: cosines and neighbours are the same, at a fraction of an eigendecomposition's time.

    Args:
        x: Foreign vectors, shape [n, d], any float type.
        y: English vectors, shape [m, d].
        shrinkage: Share of a round covariance mixed in, 0 to 1. None takes Ledoit and Wolf's, with
            which fewer vectors than dimensions are no obstacle; at 0 the covariance of the result
            is the identity.

    Returns:
        Both sides in float32, the same shapes.

    Raises:
        ValueError: As `centred`, the shrinkage is out of range, all vectors of each side are
            equal, or without shrinkage the vectors do not span all dimensions.

    Source: Kessy et al. 2018, "Optimal whitening and decorrelation", section 2; Ledoit and Wolf
        2004 for the shrinkage.
    """
    foreign, english = _centred(x, y)
    pooled = np.concatenate([foreign, english])
    fourth = float(np.sum(np.einsum("ij,ij->i", pooled, pooled) ** 2))
    covariance = shrunk(pooled.T @ pooled, fourth, len(pooled), shrinkage=shrinkage)
    try:
        factor = linalg.cholesky(covariance, lower=True)
    except linalg.LinAlgError as error:
        raise ValueError(
            f"{len(pooled)} vectors do not span {pooled.shape[1]} dimensions; raise the shrinkage"
        ) from error
    white = linalg.solve_triangular(factor, pooled.T, lower=True).T.astype(np.float32)
    return np.ascontiguousarray(white[: len(foreign)]), np.ascontiguousarray(white[len(foreign) :])


def averaged(layers: NDArray[Any]) -> NDArray[np.float32]:
    """For each layer the mean of the unit vectors of that layer and all below it.

    Unlike the others this uses no statistic of other sentences.

    Args:
        layers: Vectors of one side, shape [layers, n, d], any float type, the lowest layer first.

    Returns:
        Shape [layers, n, d], float32; the first layer is its unit vectors.

    Raises:
        ValueError: The shape is another, a value is not finite, or a vector is all zero.
    """
    stack = np.asarray(layers)
    if stack.ndim != 3 or 0 in stack.shape:
        raise ValueError(f"layers must have shape [layers, n, d]; got {stack.shape}")
    means = np.empty(stack.shape, dtype=np.float32)
    total = np.zeros(stack.shape[1:], dtype=np.float64)
    for index, layer in enumerate(stack):
        name = f"layer {index} of the stack"
        total += unit(matrix(layer, name), name)
        means[index] = total / (index + 1)
    return means


def _centred(x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    foreign, english = matrix(x, "the foreign side"), matrix(y, "the English side")
    if foreign.shape[1] != english.shape[1]:
        raise ValueError(f"vectors differ in width: {foreign.shape[1]} and {english.shape[1]}")
    return foreign - foreign.mean(axis=0), english - english.mean(axis=0)


def _top_eigenvectors(product: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Unit eigenvectors of the k largest eigenvalues, shape [d, k]."""
    size = len(product)
    _, vectors = linalg.eigh(product, subset_by_index=[size - k, size - 1])
    return np.asarray(vectors, dtype=np.float64)
