"""Which sentence each sentence finds, for every language and layer, and what that is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from adaptstilts.alignment.neighbours import neighbours
from adaptstilts.alignment.protocol import BOTH, EN_XX, XX_EN, Direction, Metric
from adaptstilts.metric.retrieval import nearest_both

_Quantity = TypeVar("_Quantity")


@dataclass(frozen=True)
class Retrieval:
    """What one system found on one language.

    What is by direction has shape [layers, items] in each; query i is right when it found
    candidate i. All but `found` is None where only the cosine was asked for.

    Attributes:
        language: Its code.
        layers: Indices into `hidden_states`.
        found: By direction (`en-xx`, `xx-en`) the candidate that each query found by cosine.
        margin: The same by ratio margin.
        csls: The same by cross-domain similarity local scaling.
        rank: Place of the translation by cosine, from 1.
        strong: Whether the translation is the nearest in both languages.
        occurrences: How many queries have the candidate among their 10 nearest.
        gap: Cosine of each pair less its sentences' mean with all others, shape [layers, items].
    """

    language: str
    layers: tuple[int, ...]
    found: dict[Direction, NDArray[np.int32]]
    margin: dict[Direction, NDArray[np.int32]] | None = None
    csls: dict[Direction, NDArray[np.int32]] | None = None
    rank: dict[Direction, NDArray[np.int32]] | None = None
    strong: dict[Direction, NDArray[np.bool_]] | None = None
    occurrences: dict[Direction, NDArray[np.int32]] | None = None
    gap: NDArray[np.float32] | None = None

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
    device: torch.device | str = "cpu",
    everything: bool = False,
) -> Retrieval:
    """Searches one language in both directions, at every layer.

    Args:
        vectors: Of all distinct sentences, shape [layers, sentences, width].
        language: Its code.
        layers: Indices into `hidden_states`, as in `vectors`.
        foreign: The sentence of each item's foreign side.
        english: The sentence of each item's English side.
        device: Where all searches are done; that by cosine alone is done on the CPU.
        everything: Whether all searches are done, or only that by cosine.

    Raises:
        ValueError: Both sides differ in length, or a vector is all zero or not finite.

    Source: cosine: XTREME `third_party/utils_retrieve.py`, `similarity_search` with `dist
        cosine`: index over the foreign side, English queries. The rest: `Neighbours`.
    """
    sides = np.asarray(foreign), np.asarray(english)
    pairs = ([np.asarray(states)[side] for side in sides] for states in vectors)
    if not everything:
        both = [nearest_both(y, x) for x, y in pairs]
        found = {EN_XX: [forth for forth, _ in both], XX_EN: [back for _, back in both]}
        return Retrieval(
            language,
            tuple(layers),
            {direction: np.stack(rows).astype(np.int32) for direction, rows in found.items()},
        )
    rows = [neighbours(x, y, device=device) for x, y in pairs]

    def stacked(name: str) -> dict[Direction, NDArray[Any]]:
        return {
            direction: np.stack([getattr(row, name)[direction] for row in rows])
            for direction in (EN_XX, XX_EN)
        }

    return Retrieval(
        language,
        tuple(layers),
        found=stacked("nearest"),
        margin=stacked("margin"),
        csls=stacked("csls"),
        rank=stacked("rank"),
        strong=stacked("strong"),
        occurrences=stacked("occurrences"),
        gap=np.stack([row.gap for row in rows]),
    )


def outcomes(retrieval: Retrieval, direction: Direction, metric: Metric) -> NDArray[np.float64]:
    """Each item's part in a score, whose mean over the items is the score.

    Accuracy: 1 where the query found its translation, by cosine (`accuracy`), ratio margin
    (`accuracy_margin`), CSLS (`accuracy_csls`), or among the sentences of both languages
    (`accuracy_strong`). `xsim_error` is 1 less the second of these. `mrr` is 1 / rank. Weighted F1
    over n labels that occur once each is also a mean over items: 2 / (1 + times the candidate was
    found) where the query is right, else 0. `cosine_gap` is the pair's, the same in each
    direction. `both` is the mean of the two directions.

    Args:
        retrieval: What a system found.
        direction: Who asks.
        metric: What is counted.

    Returns:
        Shape [items, layers], each value in 0–1, or in -2 to 2 for `cosine_gap`.

    Raises:
        ValueError: The metric needs more than the search by cosine, and that is all there is.
    """
    if metric == "cosine_gap":
        return _held(retrieval.gap, retrieval, metric).T.astype(np.float64)
    if direction == BOTH:
        forth, back = (outcomes(retrieval, one, metric) for one in (EN_XX, XX_EN))
        return (forth + back) / 2
    match metric:
        case "accuracy":
            return _is_right(retrieval.found[direction])
        case "f1":
            return _f1(retrieval.found[direction])
        case "mrr":
            return 1.0 / _held(retrieval.rank, retrieval, metric)[direction].T
        case "accuracy_margin":
            return _is_right(_held(retrieval.margin, retrieval, metric)[direction])
        case "xsim_error":
            return 1.0 - _is_right(_held(retrieval.margin, retrieval, metric)[direction])
        case "accuracy_csls":
            return _is_right(_held(retrieval.csls, retrieval, metric)[direction])
        case "accuracy_strong":
            strong = _held(retrieval.strong, retrieval, metric)[direction]
            return strong.T.astype(np.float64)


def _held(quantity: _Quantity | None, retrieval: Retrieval, metric: Metric) -> _Quantity:
    """What a metric reads, which must be there."""
    if quantity is None:
        raise ValueError(
            f"{metric} of {retrieval.language} needs more than the search by cosine; retrieve "
            "with everything=True"
        )
    return quantity


def _is_right(found: NDArray[np.int32]) -> NDArray[np.float64]:
    """1 where a query found its translation, shape [items, layers]."""
    return (found == np.arange(found.shape[1])).T.astype(np.float64)


def _f1(found: NDArray[np.int32]) -> NDArray[np.float64]:
    """Each query's part in the weighted F1, shape [items, layers]."""
    items = found.shape[1]
    times = np.stack([np.bincount(layer, minlength=items) for layer in found])
    shares: NDArray[np.float64] = np.where(found == np.arange(items), 2.0 / (1.0 + times), 0.0)
    return shares.T
