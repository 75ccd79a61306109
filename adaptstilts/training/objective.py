"""What a training minimises: the seam between the loop and its objectives, one file each.

An objective owns the texts, the output layer and the loss; the loop owns the adapter, the
optimizer, the schedule and the state. An objective keeps nothing between two steps, so that a
resumed training needs none of its state: what it draws is decided by the seed and the step's number
alone.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from adaptstilts.base.load import Base
from adaptstilts.data.batches import collate


@dataclass(frozen=True)
class Part:
    """One batch of a step, made ready: all is settled but what torch's own generator draws.

    Attributes:
        count: What the loss is a sum over: texts, or masked pieces.
        tokens: Tokens that the batch puts through the encoder, without padding.
        loss: Computes the summed loss, a scalar that can be differentiated; to be called once.
    """

    count: int
    tokens: int
    loss: Callable[[], Tensor]


@dataclass(frozen=True)
class DevScore:
    """How a training does on its dev texts.

    Attributes:
        value: The share that is right, 0 to 1; checkpoints are chosen by it.
        n: What the share is of: texts, or masked pieces.
        loss: Mean loss on the same, in nats; None where it is not computed.
        predictions: The label predicted for each dev text; None where there are no labels.
    """

    value: float
    n: int
    loss: float | None
    predictions: list[int] | None


class Objective(Protocol):
    """What the loop asks of an objective."""

    @property
    def head(self) -> nn.Module:
        """The output layer that is trained with the adapter; a module without weights if none."""

    @property
    def lengths(self) -> Sequence[int]:
        """Tokens of each training text."""

    @property
    def dev_lengths(self) -> Sequence[int]:
        """Tokens of each dev text."""

    @property
    def dev_metric(self) -> str:
        """What `DevScore.value` is called in the record."""

    def parts(self, batches: Sequence[Sequence[int]], *, draw: str) -> list[Part]:
        """Makes the batches of one step ready.

        Args:
            batches: Indices of training texts.
            draw: Text that decides whatever is drawn; another one for each seed and step.
        """

    def evaluate(self, *, tokens_per_batch: int) -> DevScore:
        """Scores the dev texts with dropout off, in the same way at every call."""


def last_states(base: Base, token_ids: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """The last layer's states of some texts, with whatever adapter is active.

    Args:
        base: The base, trimmed or not.
        token_ids: Piece ids of each text.

    Returns:
        States of shape [texts, longest, width] and the attention mask of shape [texts, longest].
    """
    padding_id = base.model.config.pad_token_id
    input_ids, mask = collate(token_ids, padding_id=padding_id, rows=base.rows)
    input_ids, mask = input_ids.to(base.device), mask.to(base.device)
    states: Tensor = base.model(input_ids=input_ids, attention_mask=mask).last_hidden_state
    return states, mask


@contextmanager
def drawn_from(device: torch.device, draw: str) -> Iterator[None]:
    """Lets torch draw from a text while the context lasts; its generators are then as before."""
    devices = [torch.cuda.current_device()] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(random.Random(draw).getrandbits(63))
        yield
