"""Base, adapter, training and encoding on a CUDA device; skipped where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from builders import QUANTIZATIONS, TINY, tiny_encoder, token_ids

from adaptstilts.adapter.attach import attach
from adaptstilts.adapter.check import check_is_on
from adaptstilts.adapter.lora import lora_config
from adaptstilts.alignment.encode import encode
from adaptstilts.base.load import Base, frozen_base
from adaptstilts.base.quantize import Quantization
from adaptstilts.composition.activate import active
from adaptstilts.head.classification import new_head
from adaptstilts.training.classification import Classification, Labelled
from adaptstilts.training.loop import Evaluation, Settings, Step, Training
from adaptstilts.training.state import State

pytestmark = pytest.mark.gpu

SETTINGS = Settings(
    steps=4,
    learning_rate=3e-3,
    tokens_per_batch=128,
    accumulation=2,
    warmup=0.1,
    weight_decay=0.01,
    clip=1.0,
    evaluations=2,
    seed=1,
)
TEXTS = token_ids(40, seed=3)
LABELLED = Labelled(TEXTS, [index % 2 for index in range(len(TEXTS))])


def on_gpu(quantization: Quantization, compute: str = "bf16") -> Base:
    return frozen_base(
        tiny_encoder(), None, quantization=quantization, compute=compute, device="cuda"
    )


def training(base: Base, state: State | None = None) -> Training:
    config = lora_config(rank=4, alpha=8, dropout=0.1, targets=["query", "value"])
    attach(base.model, "sst2", config, seed=1)
    head = new_head(width=TINY.width, labels=2, pooling="first", dropout=0.1, seed=1)
    objective = Classification(base, head.to(base.device), train=LABELLED, dev=LABELLED)
    return Training(base, "sst2", objective, settings=SETTINGS, state=state)


def vectors(base: Base, texts: list[list[int]]) -> np.ndarray:
    layers = range(TINY.layers + 1)
    found = np.zeros((len(layers), len(texts), TINY.width), dtype=np.float32)
    assert list(encode(base, texts, layers=layers, vectors=found))[-1] == len(texts)
    return found


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_a_training_moves_the_adapter_and_the_adapter_moves_the_states(
    quantization: Quantization,
) -> None:
    base = on_gpu(quantization)
    bare = vectors(base, TEXTS)
    events = list(training(base).run())
    assert all(math.isfinite(event.loss) for event in events)
    assert [type(event) for event in events].count(Evaluation) == 2
    assert [type(event) for event in events].count(Step) == 4
    check_is_on(base, "sst2")
    with active(base.model, {"sst2": 1.0}):
        assert not np.array_equal(vectors(base, TEXTS)[-1], bare[-1])
    with active(base.model, {"sst2": 0.0}):
        assert np.array_equal(vectors(base, TEXTS), bare)


def test_int8_does_not_depend_on_what_else_is_in_the_batch() -> None:
    base = on_gpu("int8", compute="fp32")
    whole = vectors(base, TEXTS)
    alone = np.concatenate([vectors(base, [text]) for text in TEXTS], axis=1)
    assert np.abs(whole - alone).max() <= 1e-5 * max(1.0, np.abs(alone).max())


def test_trimming_is_lossless() -> None:
    base = on_gpu("int8")
    whole = vectors(base, TEXTS)
    base.trim_vocabulary(sorted({0, 1, 2, 3, *(piece for text in TEXTS for piece in text)}))
    assert np.array_equal(vectors(base, TEXTS), whole)


def test_a_training_goes_on_from_its_state() -> None:
    undisturbed = training(on_gpu("int8"))
    list(undisturbed.run())
    first = training(on_gpu("int8"))
    events = first.run()
    while not isinstance(next(events), Step):
        pass
    resumed = training(on_gpu("int8"), first.state())
    list(resumed.run())
    ours, theirs = resumed.state().tensors, undisturbed.state().tensors
    assert ours.keys() == theirs.keys()
    # As far as the device's kernels repeat themselves; they may add in another order.
    for name, tensor in ours.items():
        assert torch.allclose(tensor, theirs[name], atol=1e-4, rtol=1e-3), name
