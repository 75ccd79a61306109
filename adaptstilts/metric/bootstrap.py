"""What every bootstrap here is made of: numbered clusters, drawn again and again as wholes.

Tatoeba's languages share English sentences, so their items are not independent: a resample draws
distinct English sentences with replacement, and each brings its items in all languages along.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Resamples drawn at once: 64 x 28,000 clusters are 14 MB of draws and 7 MB of weights.
CHUNK_RESAMPLES = 64


class Interval(NamedTuple):
    """A statistic, its interval and its standard error, one entry a column (a layer, say).

    Attributes:
        value: The statistic of the sample itself, shape [k].
        low: Lower end, shape [k]; not a number where there is but one cluster.
        high: Upper end, shape [k]; not a number where there is but one cluster.
        error: Standard error, shape [k]: the standard deviation over the resamples, not a number
            where there is but one cluster.
    """

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    error: NDArray[np.float64]


def cluster_ids(english: Sequence[Sequence[str]]) -> list[NDArray[np.int64]]:
    """Number the distinct English sentences over all languages.

    Args:
        english: For each language the English sentence of each item, lengths n_l.

    Returns:
        For each language the cluster of each item, shape [n_l]; equal text has the same number in
        every language.
    """
    numbers: dict[str, int] = {}
    return [
        np.array([numbers.setdefault(text, len(numbers)) for text in texts], dtype=np.int64)
        for texts in english
    ]


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
