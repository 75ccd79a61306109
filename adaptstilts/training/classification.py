"""Learning a task's labels: cross-entropy of a classification head over the adapted encoder."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from adaptstilts.base.load import Base
from adaptstilts.data.batches import length_sorted
from adaptstilts.training.objective import DevScore, Part, last_states


@dataclass(frozen=True)
class Labelled:
    """Tokenised texts with the index of each one's label."""

    token_ids: Sequence[Sequence[int]]
    labels: Sequence[int]


@dataclass(frozen=True)
class Classification:
    """The objective of a classification task.

    Attributes:
        base: The base with the adapter attached.
        head: The task's head, on the base's device.
        train: What is trained on.
        dev: What checkpoints are chosen by.
    """

    base: Base
    head: nn.Module
    train: Labelled
    dev: Labelled
    dev_metric: ClassVar[str] = "accuracy"

    @property
    def lengths(self) -> list[int]:
        """Tokens of each training text."""
        return [len(ids) for ids in self.train.token_ids]

    @property
    def dev_lengths(self) -> list[int]:
        """Tokens of each dev text."""
        return [len(ids) for ids in self.dev.token_ids]

    def parts(self, batches: Sequence[Sequence[int]], *, draw: str) -> list[Part]:
        """The batches of a step; only dropout draws, and it asks torch's generator."""
        return [
            Part(
                count=len(batch),
                tokens=sum(len(self.train.token_ids[index]) for index in batch),
                loss=partial(self._loss, batch),
            )
            for batch in batches
        ]

    def evaluate(self, *, tokens_per_batch: int) -> DevScore:
        """The share of dev texts whose label is predicted."""
        predictions = self.predict(self.dev.token_ids, tokens_per_batch=tokens_per_batch)
        correct = sum(map(int.__eq__, predictions, self.dev.labels))
        return DevScore(correct / len(predictions), len(predictions), None, predictions)

    def predict(self, token_ids: Sequence[Sequence[int]], *, tokens_per_batch: int) -> list[int]:
        """The label with the highest score for each text, with the weights as they are."""
        predictions = [0] * len(token_ids)
        lengths = [len(ids) for ids in token_ids]
        with torch.no_grad():
            for batch in length_sorted(lengths, tokens_per_batch=tokens_per_batch):
                best = self._scores([token_ids[index] for index in batch]).argmax(dim=1)
                for index, label in zip(batch, best.tolist(), strict=True):
                    predictions[index] = label
        return predictions

    def _loss(self, batch: Sequence[int]) -> Tensor:
        """Cross-entropy summed over some training texts, in nats."""
        scores = self._scores([self.train.token_ids[index] for index in batch])
        labels = torch.as_tensor([self.train.labels[index] for index in batch])
        return functional.cross_entropy(scores, labels.to(scores.device), reduction="sum")

    def _scores(self, token_ids: Sequence[Sequence[int]]) -> Tensor:
        """The head's scores for some texts, shape [texts, labels]."""
        scores: Tensor = self.head(*last_states(self.base, token_ids))
        return scores


def shuffled_labels(labelled: Labelled, *, seed: int) -> Labelled:
    """The same texts with their labels dealt out anew: nothing of the task is left to be learned.

    A permutation, so every label stays as frequent as it was.

    Source: Zhang et al. 2017, Understanding Deep Learning Requires Rethinking Generalization
        (arXiv 1611.03530), there with labels drawn at random.
    """
    labels = list(labelled.labels)
    random.Random(f"labels/{seed}").shuffle(labels)
    return replace(labelled, labels=labels)
