"""What the measures of a space ask of their input, and vectors made unit length."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def paired(x: NDArray[Any], y: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Two sides whose rows belong together, in double precision.

    Args:
        x: Vectors, shape [n, d], any float type.
        y: Vectors of the same items, shape [n, e].

    Raises:
        ValueError: A side is not [n, d] with n and d above 0, has a value that is not finite, or
            the two differ in rows.
    """
    first, second = matrix(x, "the first side"), matrix(y, "the second side")
    if len(first) != len(second):
        raise ValueError(f"the sides are not paired: {len(first)} and {len(second)} rows")
    return first, second


def matrix(vectors: NDArray[Any], name: str) -> NDArray[np.float64]:
    """Vectors in double precision, one a row.

    Args:
        vectors: Shape [n, d], any float type.
        name: What an error calls them.

    Raises:
        ValueError: The shape is not [n, d] with n and d above 0, or a value is not finite.
    """
    array = np.asarray(vectors, dtype=np.float64)
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name} must have shape [n, d] with n and d above 0; got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds a value that is not finite")
    return array


def unit(vectors: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    """Each vector divided by its length.

    Args:
        vectors: Shape [..., d].
        name: What an error calls them.

    Raises:
        ValueError: A vector is all zero: it has no direction.
    """
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if not lengths.all():
        raise ValueError(f"{name} holds a vector that is all zero; it has no direction")
    return np.asarray(vectors / lengths, dtype=np.float64)
