"""All that retrieval scores are read from, for one language and one layer, in few passes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adaptstilts.alignment.protocol import CSLS_K, EN_XX, RATIO_K, XX_EN, Direction
from adaptstilts.metric.retrieval import first_equal, unit_pair

# Rows of one language that are compared with the others at once: the product is symmetric, so
# small blocks skip nearly half of it; below about 100 rows a matrix product gets slower.
BLOCK_ROWS = 128


@dataclass(frozen=True)
class Neighbours:
    """What each sentence finds among the other language's, and how near it is.

    A direction names who asks: in `en-xx` query i is English sentence i and candidate j is foreign
    sentence j. All arrays have shape [items]. Of equally good candidates the one with the lowest
    index wins, and candidates with equal vectors are always equally good.

    Attributes:
        nearest: The nearest candidate by cosine.
        margin: The best by ratio margin among the 4 nearest by cosine.
        csls: The best of all by cross-domain similarity local scaling with 10 neighbours.
        rank: Place of the translation among all candidates by cosine, from 1; of equal candidates
            those with a lower index stand before it.
        strong: Whether the translation is the nearest of the other language and no other
            sentence of the query's own language is nearer.
        occurrences: How many queries have candidate j among their 10 nearest; sums to
            items x min(10, items).
        gap: Cosine of pair i less the mean cosine of its two sentences with all others of the
            other language, in -2 to 2; 0 where there is one pair only.

    Source: margin: Artetxe and Schwenk 2019 section 3.2, as LASER `source/xsim.py` searches;
        CSLS: Conneau et al. 2018 section 2.3; strong: Gaschi et al. 2023 (after Roy et al. 2020):
        `multilingual_eval/retrieval.py` there searches the own language and the translation only,
        here the rest of the other language are candidates too; occurrences: Radovanović et al.
        2010 section 2.
    """

    nearest: dict[Direction, NDArray[np.int32]]
    margin: dict[Direction, NDArray[np.int32]]
    csls: dict[Direction, NDArray[np.int32]]
    rank: dict[Direction, NDArray[np.int32]]
    strong: dict[Direction, NDArray[np.bool_]]
    occurrences: dict[Direction, NDArray[np.int32]]
    gap: NDArray[np.float32]


class _Side(NamedTuple):
    """One language: its unit rows [n, d], which rows are equal, and who finds what from here.

    `number` [n] is the same for equal rows of both languages. `similarity` [n, n] has this
    language's sentences as queries; `values` and `indices` [n, k] are its k highest entries.
    """

    units: Tensor
    number: Tensor
    similarity: Tensor
    values: Tensor
    indices: Tensor


def neighbours(x: NDArray[Any], y: NDArray[Any], *, device: torch.device | str) -> Neighbours:
    """Searches both directions between pairs of sentences by every criterion.

    Needs memory for three float32 matrices of shape [n, n]: 12 MB for Tatoeba's n=1000.

    Args:
        x: Foreign vectors, shape [n, d], any scale and float type (L2-normalised here).
        y: English vectors, shape [n, d]; row i is the translation of row i of `x`.
        device: Where the products are computed, in float32.

    Returns:
        What is found. `nearest` is that of `metric.retrieval.nearest_both`, but where two
        cosines differ by rounding alone.

    Raises:
        ValueError: The arrays differ in shape, have no rows or no columns, or a row is all zero
            or not finite (names the row).
    """
    foreign, english = unit_pair(x, y)
    if len(foreign) != len(english):
        raise ValueError(f"pairs are incomplete: {len(foreign)} foreign, {len(english)} English")
    sides = _sides(foreign, english, device)
    asked = {EN_XX: (sides[1], sides[0]), XX_EN: (sides[0], sides[1])}
    pairs = sides[0].similarity.diagonal().clone()
    nearest = {direction: queries.indices[:, 0] for direction, (queries, _) in asked.items()}
    return Neighbours(
        nearest=_int32(nearest),
        margin=_int32({direction: _margin(*both) for direction, both in asked.items()}),
        csls=_int32({direction: _csls(*both) for direction, both in asked.items()}),
        rank=_int32({direction: _rank(queries) for direction, (queries, _) in asked.items()}),
        strong={
            direction: _strong(*both, nearest[direction], pairs).cpu().numpy()
            for direction, both in asked.items()
        },
        occurrences=_int32(
            {
                direction: torch.bincount(queries.indices.flatten(), minlength=len(pairs))
                for direction, (queries, _) in asked.items()
            }
        ),
        gap=_gap(*sides, pairs).cpu().numpy(),
    )


def _sides(
    foreign: NDArray[np.float32], english: NDArray[np.float32], device: torch.device | str
) -> tuple[_Side, _Side]:
    """Both languages with their similarities, in which equal rows have equal entries."""
    items = len(foreign)
    number = first_equal(np.concatenate([foreign, english]))
    firsts = []
    for one in (number[:items], number[items:]):
        _, first, which = np.unique(one, return_index=True, return_inverse=True)
        firsts.append(first[which])
    units = [torch.from_numpy(side).to(device) for side in (foreign, english)]
    similarity = units[0] @ units[1].T
    for dimension, first in enumerate(firsts):
        # A product may round equal rows differently, by where they stand in it.
        if (first != np.arange(items)).any():
            similarity = similarity.index_select(dimension, torch.from_numpy(first).to(device))
    sides = []
    for index, matrix in enumerate((similarity, similarity.T.contiguous())):
        values, indices = _highest(matrix, min(CSLS_K, items))
        numbers = torch.from_numpy(number[index * items : (index + 1) * items]).to(device)
        sides.append(_Side(units[index], numbers, matrix, values, indices))
    return sides[0], sides[1]


def _highest(similarity: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k highest entries of each row in falling order, the lower index first among equals."""
    values, indices = torch.topk(similarity, min(k + 1, similarity.shape[1]), dim=1)
    # torch.topk leaves the order of equals open, and which of them is the last one in.
    tied = (values[:, 1:] == values[:, :-1]).any(dim=1).nonzero()[:, 0]
    if len(tied):
        order = similarity[tied].sort(dim=1, descending=True, stable=True).indices
        indices[tied] = order[:, : indices.shape[1]]
    return values[:, :k], indices[:, :k]


def _local(side: _Side, k: int) -> Tensor:
    """Mean cosine of each sentence with its k nearest, shape [n]: equal for equal sentences."""
    # Added column by column: a reduction may add up some rows in another order than others.
    columns = side.values[:, :k].unbind(dim=1)
    total = columns[0]
    for column in columns[1:]:
        total = total + column
    return total / len(columns)


def _margin(queries: _Side, candidates: _Side) -> Tensor:
    """The best of each query's nearest by cosine over the mean of both local means, shape [n]."""
    values, indices = queries.values[:, :RATIO_K], queries.indices[:, :RATIO_K]
    local = _local(queries, RATIO_K)[:, None] + _local(candidates, RATIO_K)[indices]
    # 0 / 0 says nothing in a candidate's favour.
    ratio = (values / (local / 2)).nan_to_num(nan=-torch.inf, posinf=torch.inf, neginf=-torch.inf)
    return indices.gather(1, ratio.argmax(dim=1, keepdim=True))[:, 0]


def _csls(queries: _Side, candidates: _Side) -> Tensor:
    """The best candidate by 2 cos - local mean, shape [n]; the query's own mean decides nothing."""
    scores = torch.add(-_local(candidates, CSLS_K), queries.similarity, alpha=2)
    if scores.device.type == "cpu":
        return torch.from_numpy(scores.numpy().argmax(axis=1))  # ten times as fast as torch's
    return scores.argmax(dim=1)


def _rank(queries: _Side) -> Tensor:
    """Place of entry i in row i, from 1, shape [n]."""
    similarity = queries.similarity
    pair = similarity.diagonal()[:, None]
    place = 1 + (similarity > pair).sum(dim=1, dtype=torch.int32)
    reached = (similarity >= pair).sum(dim=1, dtype=torch.int32)
    tied = (reached > place).nonzero()[:, 0]
    if len(tied):
        is_earlier = torch.arange(len(pair), device=pair.device) < tied[:, None]
        is_before = (similarity[tied] == pair[tied]) & is_earlier
        place[tied] += is_before.sum(dim=1, dtype=torch.int32)
    return place


def _strong(queries: _Side, candidates: _Side, nearest: Tensor, pairs: Tensor) -> Tensor:
    """Whether the translation is nearest of all but the query itself, shape [n]."""
    items = len(pairs)
    is_right = nearest == torch.arange(items, device=nearest.device)
    # Only queries that found their translation need a look at their own language. They come
    # first, so that what one block finds serves the rows after it and no pair is compared twice.
    asking = is_right.nonzero()[:, 0]
    order = torch.cat([asking, (~is_right).nonzero()[:, 0]])
    units, own, translation = queries.units[order], queries.number[order], candidates.number[order]
    has_twins = bool(torch.isin(translation, own).any())
    highest = torch.full((items,), -torch.inf, device=units.device)
    for start in range(0, len(asking), BLOCK_ROWS):
        end = min(start + BLOCK_ROWS, len(asking))
        forth = units[start:end] @ units[start:].T
        forth.fill_diagonal_(-torch.inf)
        if has_twins:
            # A sentence equal to the translation ties with it, whatever the rounding. It has not
            # found its own translation, so it asks nothing here and no later row needs the same.
            forth.masked_fill_(translation[start:end, None] == own[None, start:], -torch.inf)
        highest[start:end] = highest[start:end].maximum(forth.amax(dim=1))
        if end < len(asking):
            later = highest[end : len(asking)]
            back = forth[:, end - start : end - start + len(later)]
            later.copy_(later.maximum(back.amax(dim=0)))
    is_strong = torch.zeros_like(is_right)
    is_strong[order] = is_right[order] & (pairs[order] >= highest)
    return is_strong


def _gap(foreign: _Side, english: _Side, pairs: Tensor) -> Tensor:
    """Cosine of each pair less the mean of its row and column without it, shape [n]."""
    others = 2 * (len(pairs) - 1)
    if not others:
        return torch.zeros_like(pairs)
    sums = foreign.similarity.sum(dim=1) + english.similarity.sum(dim=1)
    return pairs - (sums - 2 * pairs) / others


def _int32(found: dict[Direction, Tensor]) -> dict[Direction, NDArray[np.int32]]:
    """Arrays in main memory."""
    return {
        direction: array.to(torch.int32).cpu().numpy().copy() for direction, array in found.items()
    }
