"""A covariance that can be inverted, whatever the number of vectors."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def shrunk(
    scatter: NDArray[np.float64], fourth: float, n: int, *, shrinkage: float | None = None
) -> NDArray[np.float64]:
    """Mixes a covariance with a round one: (1 - s) S + s (trace S / d) I.

    Args:
        scatter: Sum of the outer products of the centred vectors, shape [d, d].
        fourth: Sum of the fourth powers of their lengths.
        n: How many there are.
        shrinkage: s, from 0 to 1. None takes Ledoit and Wolf's, which minimises the expected
            squared error and falls towards 0 as n grows beyond d.

    Returns:
        Shape [d, d], divided by n; positive definite where s is above 0 and not all vectors are 0.

    Raises:
        ValueError: The shrinkage is not in 0 to 1, or all vectors are equal.

    Source: Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional covariance
        matrices", section 3.
    """
    if shrinkage is not None and not 0 <= shrinkage <= 1:
        raise ValueError(f"shrinkage lies between 0 and 1; got {shrinkage}")
    sample = scatter / n
    width = len(sample)
    mean_variance = float(np.trace(sample)) / width
    if not mean_variance > 0:
        raise ValueError("all vectors are equal: they have no variance")
    if shrinkage is None:
        norm = float(np.sum(sample * sample))
        from_round = norm - width * mean_variance**2
        error = (fourth / n - norm) / n
        shrinkage = 1.0 if from_round <= error else max(error, 0.0) / from_round
    mixed = (1 - shrinkage) * sample
    mixed[np.diag_indices(width)] += shrinkage * mean_variance
    return np.asarray(mixed, dtype=np.float64)
