"""Two exact searches may part only where float rounding decides: how far apart their finds are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ROUNDING = 2e-6
"""Most that rounding moves a cosine of the same 32-bit vectors: products added in another order."""

ENCODED_APART = 2e-5
"""The same where the vectors too were computed apart, in other batches or by other kernels."""


@dataclass(frozen=True)
class Parting:
    """Queries for which two searches found different candidates.

    Attributes:
        items: Their indices.
        gap: Largest difference in cosine between the two finds, in float64; 0 where they agree.
    """

    items: NDArray[np.int64]
    gap: float


def parting(
    found: NDArray[np.integer],
    other: NDArray[np.integer],
    *,
    queries: NDArray[np.floating],
    candidates: NDArray[np.floating],
) -> Parting:
    """Compares two searches' finds [n] over queries [n, d] and candidates [m, d]."""
    items = np.flatnonzero(np.asarray(found) != np.asarray(other))
    if not items.size:
        return Parting(items, 0.0)
    x, y = (v.astype(np.float64) for v in (queries, candidates))
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    here, there = y[np.asarray(found)[items]], y[np.asarray(other)[items]]
    gaps = np.abs(((here - there) * x[items]).sum(axis=1))
    return Parting(items, float(gaps.max()))
