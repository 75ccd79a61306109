"""What this package does, ready to be timed: training steps and encoding passes."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import XLMRobertaModel

from adaptstilts.adapter.attach import attach
from adaptstilts.adapter.lora import lora_config
from adaptstilts.alignment.encode import encode
from adaptstilts.base.load import Base, frozen_base
from adaptstilts.base.quantize import Quantization
from adaptstilts.head.classification import new_head
from adaptstilts.training.classification import Classification, Labelled
from adaptstilts.training.loop import Evaluation, Settings, Step, Training
from adaptstilts.training.state import State
from benchmarks.measure import Timed, each, rates

ADAPTER = "bench"
RANK, ALPHA, TARGETS = 8, 16.0, ("query", "value")
LEARNING_RATE, WARMUP, WEIGHT_DECAY, CLIP = 3e-4, 0.0, 0.01, 1.0
HEAD_DROPOUT = 0.1
# The schedule is that of a training of this many steps, of which only the first are taken.
PLANNED_STEPS = 10_000


def base_of(
    encoder: XLMRobertaModel, quantization: Quantization, *, compute: str, device: str
) -> Base:
    """A base from a copy of an encoder, which stays as it is."""
    return frozen_base(
        copy.deepcopy(encoder), None, quantization=quantization, compute=compute, device=device
    )


def new_training(
    base: Base,
    train: Labelled,
    *,
    tokens_per_batch: int,
    seed: int = 1,
    state: State | None = None,
    is_attached: bool = False,
) -> Training:
    """A LoRA training of rank 8 on query and value, as the headline recipe sets it."""
    if not is_attached:
        config = lora_config(rank=RANK, alpha=ALPHA, dropout=0.0, targets=TARGETS)
        attach(base.model, ADAPTER, config, seed=seed)
    head = new_head(
        width=base.shape.width, labels=2, pooling="first", dropout=HEAD_DROPOUT, seed=seed
    ).to(base.device)
    settings = Settings(
        steps=PLANNED_STEPS,
        learning_rate=LEARNING_RATE,
        tokens_per_batch=tokens_per_batch,
        accumulation=1,
        warmup=WARMUP,
        weight_decay=WEIGHT_DECAY,
        clip=CLIP,
        evaluations=1,
        seed=seed,
    )
    dev = Labelled(train.token_ids[:1], train.labels[:1])
    objective = Classification(base, head, train=train, dev=dev)
    return Training(base, ADAPTER, objective, settings=settings, state=state)


def steps(training: Training) -> Iterator[Timed]:
    """Times optimizer steps, one after another, with their tokens (padding not counted)."""
    return each(training.run(), training.base.device, _tokens)


def _tokens(event: Evaluation | Step) -> dict[str, int]:
    """What a step got through."""
    return {"tokens": event.tokens if isinstance(event, Step) else 0}


def training_rates(training: Training, *, warm_up: int, measured: int) -> dict[str, Any]:
    """Medians over `measured` steps after `warm_up` steps that are not counted."""
    timed = steps(training)
    list(islice(timed, warm_up))
    return rates(list(islice(timed, measured)))


def encoding_rates(
    base: Base,
    token_ids: Sequence[Sequence[int]],
    *,
    layers: Sequence[int],
    vectors: NDArray[np.float32],
) -> dict[str, Any]:
    """One whole pass over the sentences after a short one that is not counted.

    Args:
        base: The base.
        token_ids: Ids of each sentence.
        layers: Indices into `hidden_states` that are pooled and brought back.
        vectors: Room for the result, shape [layers, sentences, width].
    """
    few = max(1, len(token_ids) // 20)
    list(encode(base, token_ids[:few], layers=layers, vectors=vectors[:, :few]))

    def whole() -> Iterator[int]:
        yield max(encode(base, token_ids, layers=layers, vectors=vectors))

    (piece,) = each(whole(), base.device, lambda done: {"sentences": done})
    return {
        "layers": len(layers),
        "deepest_layer": max(layers),
        "sentences": len(token_ids),
        "tokens": sum(map(len, token_ids)),
        "seconds": piece.seconds,
        "sentences_per_second": len(token_ids) / piece.seconds,
    }


def adapter_weights(training: Training) -> torch.Tensor:
    """All weights that are trained, in one vector, for comparing two trainings."""
    return torch.cat([weight.flatten().cpu() for weight in training.parts.masters.values()])
