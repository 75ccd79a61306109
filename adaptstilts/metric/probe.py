"""How well a linear classifier tells the language from a sentence's vector."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from adaptstilts.metric.covariance import shrunk
from adaptstilts.metric.interval import Estimate, wilson
from adaptstilts.metric.vectors import matrix


class Probe(NamedTuple):
    """What a probe reached.

    Attributes:
        accuracy: Share of sentences whose language it named, from folds it was not fitted on.
        chance: Share of the largest language: what naming it always would reach.
    """

    accuracy: Estimate
    chance: float


def language_probe(
    vectors: NDArray[Any],
    languages: Sequence[str],
    groups: Sequence[Hashable],
    *,
    folds: int = 5,
    seed: int = 0,
    confidence: float = 0.95,
) -> Probe:
    """Accuracy of naming the language by the nearest class mean of the whitened vectors.

    That is linear discriminant analysis with equal priors: closed form, one [d, d] factorisation
    a fold. Least squares on one-hot labels costs the same, but a language whose mean lies between
    those of two others is hidden by them (Hastie et al., section 4.2). The covariance within
    languages is shrunk as in `covariance.shrunk`, so n may be below d.

    Args:
        vectors: Sentences of all languages, shape [n, d], any float type.
        languages: Of each sentence, n names.
        groups: Of each sentence the cluster that it must not be parted from, n values: its English
            sentence, so that the probe is never asked for a translation of what it has seen.
        folds: Parts of the groups, each left out once.
        seed: Of the assignment of groups to folds.
        confidence: Two-sided coverage, between 0 and 1.

    Returns:
        Accuracy and chance. Sentences of a group are not independent, so the interval is Wilson's
        for as many items as there are groups, at the accuracy over all sentences: never too narrow,
        and not of width 0 at an accuracy of 1. A sentence whose language occurs in no other fold
        counts as wrong.

    Raises:
        ValueError: The lengths differ, there are fewer than 2 languages or folds, fewer groups than
            folds, the vectors are not [n, d] or not finite, all vectors of each language are equal,
            or the confidence is out of range.

    Source: Hastie, Tibshirani and Friedman 2009, section 4.3; Libovický et al. 2020 (2004.05160),
        section 3, for language identification as a measure of neutrality.
    """
    items = matrix(vectors, "the array")
    if not len(items) == len(languages) == len(groups):
        raise ValueError(
            "vectors, languages and groups must be equal in number; "
            f"got {len(items)}, {len(languages)} and {len(groups)}"
        )
    names, labels = np.unique(np.asarray(languages), return_inverse=True)
    numbers: dict[Hashable, int] = {}
    clusters = np.array([numbers.setdefault(group, len(numbers)) for group in groups])
    if len(names) < 2 or folds < 2 or len(numbers) < folds:
        raise ValueError(
            "a probe needs two languages, two folds and a group for each fold; "
            f"got {len(names)}, {folds} and {len(numbers)}"
        )
    # Dealt like cards: folds differ by one group at most.
    fold_of_group = np.random.default_rng(seed).permutation(np.arange(len(numbers)) % folds)
    fold = fold_of_group[clusters]
    items = items - items.mean(axis=0)
    one_hot = np.eye(len(names))[labels]
    parts = [fold == index for index in range(folds)]
    products = [items[part].T @ items[part] for part in parts]
    product = sum(products, np.zeros_like(products[0]))
    right = 0
    for part, left_out in zip(parts, products, strict=True):
        found = _nearest_mean(items[~part], one_hot[~part], product - left_out, items[part])
        right += int((found == labels[part]).sum())
    accuracy, held = right / len(items), len(numbers)
    low, high = wilson(round(accuracy * held), held, confidence)
    chance = float(np.bincount(labels).max() / len(items))
    # Rounding to whole groups must not put the value outside its interval.
    return Probe(Estimate(accuracy, min(low, accuracy), max(high, accuracy), len(items)), chance)


def _nearest_mean(
    fitted: NDArray[np.float64],
    one_hot: NDArray[np.float64],
    product: NDArray[np.float64],
    asked: NDArray[np.float64],
) -> NDArray[np.intp]:
    """The class of the nearest mean by Mahalanobis distance, shape [asked]."""
    sizes = one_hot.sum(axis=0)
    means = (one_hot.T @ fitted) / np.maximum(sizes, 1)[:, None]
    within = product - (means * sizes[:, None]).T @ means
    deviations = fitted - one_hot @ means
    fourth = float(np.sum(np.einsum("ij,ij->i", deviations, deviations) ** 2))
    factor = linalg.cho_factor(shrunk(within, fourth, len(fitted)))
    weights = linalg.cho_solve(factor, means.T)
    # Of the squared distance only this differs between the classes.
    scores = asked @ weights - 0.5 * np.einsum("cd,dc->c", means, weights)
    scores[:, sizes == 0] = -np.inf
    return np.asarray(scores.argmax(axis=1))
