"""Mining translations from two sets of vectors: margins over neighbourhoods, one-to-one pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from adaptstilts.metric.knn import BLOCK, Backend, Neighbours, knn

Margin = Literal["ratio", "distance", "absolute"]
Retrieval = Literal["forward", "backward", "intersection", "max"]


@dataclass(frozen=True)
class Distinct:
    """The distinct ones among some texts.

    Attributes:
        texts: Each distinct text once, in the order in which they first occur.
        first: Where each distinct text first occurs, shape [distinct].
        number: For each of the texts given its number among the distinct, shape [n].
    """

    texts: tuple[str, ...]
    first: NDArray[np.int64]
    number: NDArray[np.int64]


@dataclass(frozen=True)
class Candidates:
    """Mined pairs, the best first.

    Attributes:
        pairs: Rows of the first and of the second side, shape [c, 2]; no pair occurs twice.
        scores: Their margins, float64, shape [c], falling; equal ones are ordered by their rows.
    """

    pairs: NDArray[np.int64]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.scores)


def distinct(texts: Sequence[str]) -> Distinct:
    """The distinct texts and where each text is among them.

    A text that stands twice would be its own translation's second neighbour and lower every
    margin, and a one-to-one search would have to leave one of the two without a partner.

    Args:
        texts: Any number of texts; compared as they are.

    Source: LASER `source/mine_bitexts.py`, `TextLoadUnify` (`--unify`).
    """
    numbers: dict[str, int] = {}
    number = np.array([numbers.setdefault(text, len(numbers)) for text in texts], dtype=np.int64)
    _, first = np.unique(number, return_index=True)
    return Distinct(tuple(numbers), first.astype(np.int64), number)


def margin_scores(
    similarity: NDArray[np.float64],
    forward_mean: NDArray[np.float64],
    backward_mean: NDArray[np.float64],
    *,
    margin: Margin = "ratio",
) -> NDArray[np.float64]:
    """How far a pair's cosine stands out of the two sentences' neighbourhoods.

    With b the mean of the two neighbourhoods' mean cosines: `ratio` is cosine / b, `distance` is
    cosine - b, `absolute` the cosine alone. A ratio over b ≤ 0 would turn the order round, so it
    is minus infinity here, and such a pair is never mined; the references divide all the same.

    Args:
        similarity: Cosines of pairs, any shape.
        forward_mean: Mean cosine of the first sentence to its k neighbours; must broadcast.
        backward_mean: Mean cosine of the second sentence to its k neighbours; must broadcast.
        margin: Which of the three.

    Returns:
        Margins, in the common shape.

    Raises:
        ValueError: No such margin.

    Source: Artetxe and Schwenk 2019, "Margin-based Parallel Corpus Mining with Multilingual
        Sentence Embeddings" (ACL), section 3.1; LASER `source/mine_bitexts.py`, `score`.
    """
    if margin not in get_args(Margin):
        raise ValueError(f"no margin is called {margin!r}; take {', '.join(get_args(Margin))}")
    between = (forward_mean + backward_mean) / 2
    if margin == "absolute":
        return similarity + np.zeros_like(between)
    if margin == "distance":
        return similarity - between
    is_positive = between > 0
    ratio = similarity / np.where(is_positive, between, 1.0)
    found: NDArray[np.float64] = np.where(is_positive, ratio, -np.inf)
    return found


def mine(
    x: NDArray[Any],
    y: NDArray[Any],
    *,
    k: int = 4,
    margin: Margin = "ratio",
    retrieval: Retrieval = "max",
    backend: Backend = "numpy",
    block: int = BLOCK,
) -> Candidates:
    """Pairs that may be translations, with their margins; a threshold then cuts them.

    Each sentence chooses, among its k nearest by cosine, the one with the highest margin.
    `forward` takes the choices of `x`, `backward` those of `y`, `intersection` the pairs in which
    each chose the other, and `max` all choices in the order of their margins, leaving out those
    whose sentence on either side is taken already: one-to-one.

    Args:
        x: Vectors of distinct sentences, shape [n, d], any scale (L2-normalised here).
        y: Vectors of distinct sentences, shape [m, d].
        k: Size of a neighbourhood; at most n or m are there.
        margin: As in `margin_scores`.
        retrieval: Which choices are kept.
        backend: As in `knn`.
        block: As in `knn`.

    Returns:
        None where a side has no sentence. No threshold is applied: the references drop margins
        up to 0 under `max`, which a ratio of positive cosines never has.

    Raises:
        ValueError: As `knn` and `margin_scores`, or no such retrieval.
        MachineError: As `knn`.

    Source: LASER `source/mine_bitexts.py`, mode `mine`; XTREME `third_party/utils_retrieve.py`,
        `mine_bitext`. They break ties in no fixed way; here the lowest rows win.
    """
    if retrieval not in get_args(Retrieval):
        raise ValueError(
            f"no retrieval is called {retrieval!r}; take {', '.join(get_args(Retrieval))}"
        )
    if not (len(x) and len(y)):
        return Candidates(np.empty((0, 2), dtype=np.int64), np.empty(0))
    forward = knn(x, y, k=k, block=block, backend=backend)
    backward = knn(y, x, k=k, block=block, backend=backend)
    means = forward.similarity.mean(axis=1), backward.similarity.mean(axis=1)
    forward_best, forward_score = _choices(forward, *means, margin=margin)
    backward_best, backward_score = _choices(backward, *means[::-1], margin=margin)
    pairs = np.stack([np.arange(len(x)), forward_best], axis=1)
    back_pairs = np.stack([backward_best, np.arange(len(y))], axis=1)
    if retrieval == "forward":
        return _ordered(pairs, forward_score)
    if retrieval == "backward":
        return _ordered(back_pairs, backward_score)
    if retrieval == "intersection":
        is_mutual = backward_best[forward_best] == pairs[:, 0]
        return _ordered(pairs[is_mutual], forward_score[is_mutual])
    both = _ordered(
        np.concatenate([pairs, back_pairs]), np.concatenate([forward_score, backward_score])
    )
    return _one_to_one(both, len(x), len(y))


def _choices(
    near: Neighbours, means: NDArray[np.float64], others: NDArray[np.float64], *, margin: Margin
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each sentence the neighbour with the highest margin (the nearest of equals)."""
    scores = margin_scores(near.similarity, means[:, None], others[near.row], margin=margin)
    best, rows = scores.argmax(axis=1), np.arange(len(scores))
    return near.row[rows, best], scores[rows, best]


def _ordered(pairs: NDArray[np.int64], scores: NDArray[np.float64]) -> Candidates:
    """The pairs that have a margin, the best first."""
    order = np.lexsort((pairs[:, 1], pairs[:, 0], -scores))
    order = order[scores[order] > -np.inf]
    return Candidates(pairs[order], scores[order])


def _one_to_one(ordered: Candidates, n: int, m: int) -> Candidates:
    """The pairs neither of whose sentences an earlier pair took."""
    taken, others_taken = bytearray(n), bytearray(m)
    kept = []
    for place, (row, column) in enumerate(ordered.pairs.tolist()):
        if not (taken[row] or others_taken[column]):
            taken[row] = others_taken[column] = 1
            kept.append(place)
    return Candidates(ordered.pairs[kept], ordered.scores[kept])
