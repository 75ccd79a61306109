"""Resamples of whole clusters: the machinery beneath the intervals of `bootstrap`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Resamples drawn at once: 64 x 28,000 clusters are 14 MB of draws and 7 MB of weights.
CHUNK_RESAMPLES = 64


def macro_mean(outcomes: list[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Mean over languages of the mean over items.

    Args:
        outcomes: For each language, shape [n_l, k], as from `checked`.

    Returns:
        Shape [k].
    """
    means = [array.mean(axis=0, dtype=np.float64) for array in outcomes]
    return np.asarray(np.mean(means, axis=0), dtype=np.float64)


def resampled(
    outcomes: list[NDArray[np.float32]],
    clusters: Sequence[NDArray[np.integer[Any]]],
    resamples: int,
    seed: int,
) -> NDArray[np.float64] | None:
    """Macro means of resamples that draw as many clusters as there are, with replacement.

    Args:
        outcomes: For each language, shape [n_l, k], as from `checked`.
        clusters: For each language the cluster of each item, shape [n_l].
        resamples: Number of resamples.
        seed: Seed of the draws.

    Returns:
        Shape [resamples, k]; None where there is one cluster.
    """
    labels, codes = np.unique(np.concatenate(clusters), return_inverse=True)
    if labels.size < 2:
        return None
    ends = np.cumsum([len(array) for array in outcomes])[:-1]
    members = np.split(codes.reshape(-1), ends)
    return np.concatenate(
        [
            _macro_means(weights, outcomes, members)
            for weights in weight_chunks(labels.size, resamples, seed)
        ]
    )


def weight_chunks(clusters: int, resamples: int, seed: int) -> Iterator[NDArray[np.float32]]:
    """How often each cluster is drawn, chunk by chunk so that memory stays bounded.

    Args:
        clusters: Number of clusters, as many of which each resample draws, with replacement.
        resamples: Number of resamples.
        seed: Seed of the draws.

    Yields:
        Counts, shape [resamples of the chunk, clusters].
    """
    generator = np.random.default_rng(seed)
    for start in range(0, resamples, CHUNK_RESAMPLES):
        yield _weights(generator, min(CHUNK_RESAMPLES, resamples - start), clusters)


def _weights(generator: np.random.Generator, resamples: int, clusters: int) -> NDArray[np.float32]:
    """Multinomial counts, shape [resamples, clusters]: how often each cluster was drawn."""
    draws = generator.integers(0, clusters, size=(resamples, clusters))
    draws += np.arange(resamples)[:, None] * clusters
    counts = np.bincount(draws.reshape(-1), minlength=resamples * clusters)
    return counts.reshape(resamples, clusters).astype(np.float32)


def _macro_means(
    weights: NDArray[np.float32],
    outcomes: list[NDArray[np.float32]],
    members: list[NDArray[np.intp]],
) -> NDArray[np.float64]:
    """Mean over languages for each resample, shape [resamples, k]."""
    total = np.zeros((len(weights), outcomes[0].shape[1]), dtype=np.float64)
    languages = np.zeros((len(weights), 1), dtype=np.float64)
    for array, member in zip(outcomes, members, strict=True):
        item_weights = weights.take(member, axis=1)
        drawn = item_weights.sum(axis=1, keepdims=True, dtype=np.float64)
        is_drawn = drawn > 0
        # A language that was not drawn has a sum of 0 and adds nothing.
        total += (item_weights @ array) / np.where(is_drawn, drawn, 1.0)
        languages += is_drawn
    # Every cluster has an item, so at least one language was drawn in each resample.
    means: NDArray[np.float64] = total / languages
    return means


def checked(
    hits: Sequence[NDArray[Any]], clusters: Sequence[NDArray[np.integer[Any]]]
) -> list[NDArray[np.float32]]:
    """The outcomes as float32, after checking that all shapes belong together.

    Args:
        hits: For each language the outcome of each item, shape [n_l, k].
        clusters: For each language the cluster of each item, shape [n_l].

    Raises:
        ValueError: There is no language, one is empty, the shapes do not fit, or a value is not
            finite.
    """
    if len(hits) != len(clusters) or not hits:
        raise ValueError(
            "hits and clusters must name the same languages, at least one; "
            f"got {len(hits)} and {len(clusters)}"
        )
    outcomes = [np.asarray(array, dtype=np.float32) for array in hits]
    for index, (array, ids) in enumerate(zip(outcomes, clusters, strict=True)):
        if array.ndim != 2 or array.shape[1] != outcomes[0].shape[1] or 0 in array.shape:
            raise ValueError(
                f"hits of language {index} must have shape [n, k], n above 0 and k as in the "
                f"first language; got {array.shape}"
            )
        if np.shape(ids) != (len(array),):
            raise ValueError(
                f"language {index} has {len(array)} items but clusters of shape {np.shape(ids)}"
            )
        if not np.isfinite(array).all():
            raise ValueError(f"hits of language {index} hold a value that is not finite")
    return outcomes
