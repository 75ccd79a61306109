"""Which sentence each sentence finds: nearest neighbours for every language and layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptstilts.alignment.protocol import BOTH, EN_XX, XX_EN, Direction, Metric
from adaptstilts.metric.retrieval import nearest_both


@dataclass(frozen=True)
class Retrieval:
    """What one system found on one language.

    Attributes:
        language: Its code.
        layers: Indices into `hidden_states`.
        found: By direction (`en-xx`, `xx-en`) the candidate that each query found, shape
            [layers, items]; query i is right when it found candidate i.
    """

    language: str
    layers: tuple[int, ...]
    found: dict[Direction, NDArray[np.int32]]

    @property
    def items(self) -> int:
        """Sentence pairs."""
        return int(self.found[EN_XX].shape[1])


def retrieve(
    vectors: NDArray[Any],
    *,
    language: str,
    layers: Sequence[int],
    foreign: Sequence[int],
    english: Sequence[int],
) -> Retrieval:
    """Cosine nearest neighbours of one language in both directions.

    Args:
        vectors: Of all distinct sentences, shape [layers, sentences, width].
        language: Its code.
        layers: Indices into `hidden_states`, as in `vectors`.
        foreign: The sentence of each item's foreign side.
        english: The sentence of each item's English side.

    Source: XTREME `third_party/utils_retrieve.py`, `similarity_search` with `dist cosine`: index
        over the foreign side, English queries.
    """
    found: dict[Direction, list[NDArray[np.int64]]] = {EN_XX: [], XX_EN: []}
    for layer in range(len(layers)):
        states = np.asarray(vectors[layer])
        from_english, from_foreign = nearest_both(states[list(english)], states[list(foreign)])
        found[EN_XX].append(from_english)
        found[XX_EN].append(from_foreign)
    return Retrieval(
        language,
        tuple(layers),
        {direction: np.stack(rows).astype(np.int32) for direction, rows in found.items()},
    )


def outcomes(retrieval: Retrieval, direction: Direction, metric: Metric) -> NDArray[np.float64]:
    """Each item's part in a score, whose mean over the items is the score.

    Accuracy: 1 where the query found its translation. Weighted F1 over n labels that occur once
    each is also a mean over items: 2 / (1 + times the candidate was found) where the query is
    right, else 0. `both` is the mean of the two directions.

    Args:
        retrieval: What a system found.
        direction: Who asks.
        metric: What is counted.

    Returns:
        Shape [items, layers], each value in 0–1.
    """
    if direction == BOTH:
        forth, back = (outcomes(retrieval, one, metric) for one in (EN_XX, XX_EN))
        return (forth + back) / 2
    found = retrieval.found[direction]
    layers, items = found.shape
    is_right = found == np.arange(items)
    if metric == "accuracy":
        return is_right.T.astype(np.float64)
    times = np.stack([np.bincount(found[layer], minlength=items) for layer in range(layers)])
    shares: NDArray[np.float64] = np.where(is_right, 2.0 / (1.0 + times), 0.0)
    return shares.T
