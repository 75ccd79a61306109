"""Resamples of mined pairs for several systems at once: what they find in the same draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

RESAMPLES = 2000


def mining_draws(
    predicted: Sequence[NDArray[Any]],
    gold: NDArray[Any],
    *,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> NDArray[np.float64] | None:
    """Precision, recall and F1 of several systems over resampled pairs, the same for all of them.

    What is drawn, with replacement, are the pairs that some system predicts or that are gold, in
    groups that share a sentence, so that differences between the systems are paired. Neither the
    systems' neighbourhoods nor their thresholds are drawn anew.

    Args:
        predicted: For each system its predicted pairs, shape [p, 2]; no pair occurs twice.
        gold: Pairs of rows, shape [g, 2] with g above 0; repeats count once.
        resamples: Number of resamples.
        seed: Seed of the draws.

    Returns:
        Shape [resamples, systems, 3]; None where there is but one group.

    Source: Efron and Tibshirani 1993, "An Introduction to the Bootstrap", sections 8.5 (groups)
        and 13.3 (percentile).
    """
    counts = group_counts(predicted, np.unique(np.asarray(gold), axis=0))
    if len(counts) < 2:
        return None
    # Groups with equal counts are alike, so it is enough to draw how many there are of each kind.
    kinds, times = np.unique(counts, axis=0, return_counts=True)
    drawn = (
        np.random.default_rng(seed).multinomial(len(counts), times / len(counts), size=resamples)
        @ kinds
    )
    total = drawn[:, -1:]
    correct, chosen = drawn[:, :-1:2], drawn[:, 1:-1:2]
    return np.stack(
        [
            correct / np.maximum(1, chosen),
            correct / np.maximum(1, total),
            2 * correct / np.maximum(1, chosen + total),
        ],
        axis=2,
    )


def group_counts(predicted: Sequence[NDArray[Any]], gold: NDArray[Any]) -> NDArray[np.int64]:
    """What each group of pairs that shares no sentence with another holds.

    Args:
        predicted: As in `mining_draws`.
        gold: Distinct pairs of rows, shape [g, 2].

    Returns:
        Shape [groups, 2 · systems + 1]: for each system its correct and its predicted pairs, and
        at the end the gold pairs.
    """
    pairs = np.concatenate([*(np.asarray(one).reshape(-1, 2) for one in predicted), gold])
    left, right = (np.unique(side, return_inverse=True)[1].reshape(-1) for side in pairs.T)
    nodes = (int(left.max()) + 1, int(right.max()) + 1)
    size = sum(nodes)
    edges = coo_array((np.ones(len(pairs)), (left, right + nodes[0])), shape=(size, size))
    groups, of_node = connected_components(edges, directed=False)
    of_pair = of_node[left]
    code = left.astype(np.int64) * nodes[1] + right
    ends = np.cumsum([len(one) for one in predicted])
    *of_predicted, of_gold = np.split(of_pair, ends)
    *codes, gold_codes = np.split(code, ends)
    columns = []
    for members, own in zip(of_predicted, codes, strict=True):
        is_correct = np.isin(own, gold_codes)
        columns += [
            np.bincount(members[is_correct], minlength=groups),
            np.bincount(members, minlength=groups),
        ]
    return np.stack([*columns, np.bincount(of_gold, minlength=groups)], axis=1)
