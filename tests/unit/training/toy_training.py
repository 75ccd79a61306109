"""A small training on separable toy texts, and what it left."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator

import torch
from builders import tiny_base, token_ids
from torch import Tensor

from adaptstilts.adapter.attach import attach, read_weights
from adaptstilts.adapter.lora import lora_config
from adaptstilts.base.load import Base
from adaptstilts.head.classification import ClassificationHead, new_head
from adaptstilts.training import state as states
from adaptstilts.training.classification import Classification, Labelled
from adaptstilts.training.loop import Evaluation, Settings, Step, Training

SETTINGS = Settings(
    steps=6,
    learning_rate=3e-3,
    tokens_per_batch=60,
    accumulation=2,
    warmup=0.1,
    weight_decay=0.01,
    clip=1.0,
    evaluations=3,
    seed=1,
)
GOOD, BAD = 100, 200


def separable(texts: int, *, seed: int) -> Labelled:
    """Texts of random pieces whose label is told by one piece in them, three times."""
    ids = token_ids(texts, seed=seed, pieces=90)
    draw = random.Random(seed)
    labels = [draw.randint(0, 1) for _ in ids]
    for text, label in zip(ids, labels, strict=True):
        for _ in range(3):
            text.insert(draw.randint(1, len(text) - 1), GOOD if label else BAD)
    return Labelled(ids, labels)


TRAIN, DEV = separable(60, seed=1), separable(20, seed=2)


def parts(
    *, quantization: str = "int8", dropout: float = 0.3, compute: str = "fp32"
) -> tuple[Base, ClassificationHead]:
    base = tiny_base(quantization, compute=compute)
    config = lora_config(rank=4, alpha=8, dropout=dropout, targets=["query", "value", "output"])
    attach(base.model, "sst2", config, seed=1)
    head = new_head(width=32, labels=2, pooling="first", dropout=0.1, seed=1)
    return base, head


def training(
    settings: Settings = SETTINGS,
    *,
    state: states.State | None = None,
    train: Labelled = TRAIN,
    **kwargs: object,
) -> Training:
    base, head = parts(**kwargs)
    objective = Classification(base, head, train=train, dev=DEV)
    return Training(base, "sst2", objective, settings=settings, state=state)


def weights_of(one: Training) -> dict[str, Tensor]:
    """Everything that a training made: the model's, the masters and the optimizer's."""
    found = dict(one.state().tensors)
    found |= {f"model/{key}": value for key, value in read_weights(one.base.model, "sst2").items()}
    return found | {f"head/{key}": value for key, value in one.objective.head.state_dict().items()}


def assert_bit_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for key, tensor in one.items():
        assert torch.equal(tensor, other[key]), key


def evaluations(events: Iterator[Evaluation | Step]) -> list[Evaluation]:
    return [event for event in events if isinstance(event, Evaluation)]


def base_hash(base: Base) -> str:
    digest = hashlib.sha256()
    for name, tensor in base.model.state_dict().items():
        if "lora_" not in name:
            digest.update(name.encode() + tensor.contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
