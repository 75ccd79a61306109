"""What must hold whatever the speed: batch independence, and the same weights on every run."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any

import torch

from adaptstilts.adapter.attach import detach
from adaptstilts.base.hidden_states import pooled_states
from adaptstilts.base.load import Base
from adaptstilts.data.batches import collate
from adaptstilts.training.classification import Labelled
from adaptstilts.training.loop import Step, Training
from adaptstilts.training.state import State
from benchmarks import ours


def batch_dependence(base: Base, token_ids: Sequence[Sequence[int]]) -> dict[str, Any]:
    """How far a sentence's last-layer vector moves when others share its batch.

    Returns:
        `largest_difference` between a vector's components alone and in company, and as a share of
        the vectors' norm (`relative_difference`); `sentences`, of unequal lengths.
    """
    last = [base.shape.layers]
    together = _vectors(base, token_ids, last)
    alone = torch.cat([_vectors(base, [ids], last) for ids in token_ids])
    difference = (together - alone).double()
    return {
        "sentences": len(token_ids),
        "largest_difference": float(difference.abs().max()),
        "relative_difference": float(difference.norm() / alone.double().norm()),
    }


def _vectors(base: Base, token_ids: Sequence[Sequence[int]], layers: Sequence[int]) -> torch.Tensor:
    """Pooled vectors of one batch, shape [sentences, width]."""
    input_ids, mask = collate(token_ids, padding_id=base.model.config.pad_token_id, rows=base.rows)
    pooled = pooled_states(base.model, input_ids.to(base.device), mask.to(base.device), layers)
    return pooled[0].cpu()


def repeatability(
    base: Base, train: Labelled, *, tokens_per_batch: int, steps: int = 5
) -> dict[str, Any]:
    """Whether a training gives the same weights again, and when it is cut in two.

    The base must carry no adapter; it carries none afterwards.

    Returns:
        For a second run (`repeated`) and for one that was stopped half-way and resumed from its
        state (`resumed`): whether the weights are bit-equal to the first run's, and the largest
        difference.
    """
    first, _ = _weights(base, train, tokens_per_batch, steps)
    again, _ = _weights(base, train, tokens_per_batch, steps)
    _, half_way = _weights(base, train, tokens_per_batch, steps // 2)
    resumed, _ = _weights(base, train, tokens_per_batch, steps, half_way)
    found: dict[str, Any] = {"steps": steps}
    for name, weights in (("repeated", again), ("resumed", resumed)):
        found[f"is_{name}_equal"] = bool(torch.equal(first, weights))
        found[f"{name}_difference"] = float((first - weights).abs().max())
    return found


def _weights(
    base: Base, train: Labelled, tokens_per_batch: int, until: int, state: State | None = None
) -> tuple[torch.Tensor, State]:
    """The trained weights after step `until`, and the state there."""
    training = ours.new_training(base, train, tokens_per_batch=tokens_per_batch, state=state)
    try:
        _run(training, until)
        return ours.adapter_weights(training), training.state()
    finally:
        detach(base.model, ours.ADAPTER)


def _run(training: Training, until: int) -> None:
    """Trains until that many steps are done."""
    steps = (event for event in training.run() if isinstance(event, Step))
    list(islice(steps, until - training.step))
