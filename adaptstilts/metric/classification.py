"""Scores of predicted labels against gold labels; intervals are not made here."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def accuracy(predicted: ArrayLike, gold: ArrayLike) -> float:
    """Share of predictions that equal their gold label.

    Args:
        predicted: Predicted labels, shape [n], integers or text.
        gold: True labels, shape [n].

    Returns:
        Accuracy in 0–1.

    Raises:
        ValueError: The shapes differ, are not [n], or n is 0.
    """
    predicted_labels, gold_labels = _pair(predicted, gold)
    return float(np.mean(predicted_labels == gold_labels))


def majority_share(gold: ArrayLike) -> float:
    """Accuracy of always answering the commonest gold label: what a collapsed model reaches.

    Args:
        gold: True labels, shape [n].

    Returns:
        Share of the commonest label in 0–1.

    Raises:
        ValueError: `gold` is not of shape [n], or n is 0.
    """
    labels, _ = _pair(gold, gold)
    return float(np.unique(labels, return_counts=True)[1].max() / labels.size)


def item_f1(predicted: ArrayLike, gold: ArrayLike) -> NDArray[np.float64]:
    """F1 of each item's gold class, so that the mean over items is the weighted F1.

    A weighted F1 is a mean over items in disguise: each class counts as often as it occurs.
    In this form it can be handed to `summary.summarize`; the interval holds the classes' F1 fixed.

    Args:
        predicted: Predicted labels, shape [n], integers or text.
        gold: True labels, shape [n].

    Returns:
        One F1 an item, shape [n], each in 0–1; 0 where the item's class is never predicted.

    Raises:
        ValueError: The shapes differ, are not [n], or n is 0.
    """
    predicted_labels, gold_labels = _pair(predicted, gold)
    n = gold_labels.size
    classes, codes = np.unique(np.concatenate([predicted_labels, gold_labels]), return_inverse=True)
    codes = codes.reshape(-1)
    predicted_codes, gold_codes = codes[:n], codes[n:]
    hits = np.bincount(gold_codes[predicted_codes == gold_codes], minlength=classes.size)
    sizes = np.bincount(codes, minlength=classes.size)  # predicted plus gold: at least 1 each
    f1: NDArray[np.float64] = (2.0 * hits / sizes)[gold_codes]
    return f1


def weighted_f1(predicted: ArrayLike, gold: ArrayLike) -> float:
    """F1 of each gold class, averaged with the classes' shares of the gold labels.

    Args:
        predicted: Predicted labels, shape [n], integers or text.
        gold: True labels, shape [n].

    Returns:
        Weighted F1 in 0–1; a class that is never predicted has F1 0.

    Raises:
        ValueError: The shapes differ, are not [n], or n is 0.

    Source: scikit-learn `f1_score(average="weighted")`, which MTEB uses for bitext mining.
    """
    return float(item_f1(predicted, gold).mean())


def _pair(predicted: ArrayLike, gold: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    predicted_labels, gold_labels = np.asarray(predicted), np.asarray(gold)
    if predicted_labels.shape != gold_labels.shape or gold_labels.ndim != 1:
        raise ValueError(
            "predicted and gold labels must both have shape [n]; "
            f"got {predicted_labels.shape} and {gold_labels.shape}"
        )
    if gold_labels.size == 0:
        raise ValueError("no labels to score: n is 0")
    return predicted_labels, gold_labels
