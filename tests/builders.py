"""Small, real parts that many tests share: a tiny encoder, an adapter that acts, texts."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from transformers import XLMRobertaModel

from adaptstilts.adapter import store as adapter_store
from adaptstilts.adapter.attach import adapter_layers, attach, read_weights
from adaptstilts.adapter.lora import lora_config
from adaptstilts.base.load import Base, frozen_base, random_encoder
from adaptstilts.base.quantize import Quantization
from adaptstilts.base.shape import Shape

TINY = Shape(layers=3, width=32, heads=4, intermediate=64, pieces=300, positions=66)
DEEP = Shape(layers=24, width=16, heads=2, intermediate=32, pieces=300, positions=66)
QUANTIZATIONS: tuple[Quantization, ...] = ("int8", "llm_int8", "nf4", "none")
EVERY_TARGET = ("query", "key", "value", "attention_output", "intermediate", "output")


def tiny_encoder(shape: Shape = TINY, *, seed: int = 0) -> XLMRobertaModel:
    """An encoder whose weights are large enough for its layers to differ visibly."""
    model = random_encoder(shape, seed=seed)
    with torch.no_grad():
        for parameter in model.encoder.parameters():
            if parameter.ndim == 2:
                parameter.mul_(5.0)
    return model


def tiny_base(
    quantization: Quantization = "int8",
    *,
    seed: int = 0,
    shape: Shape = TINY,
    compute: str = "fp32",
) -> Base:
    """A frozen random base on the CPU, without a tokenizer."""
    return frozen_base(
        tiny_encoder(shape, seed=seed),
        None,
        quantization=quantization,
        compute=compute,
        device="cpu",
    )


def token_ids(
    texts: int, *, seed: int = 0, pieces: int = TINY.pieces, longest: int = 12
) -> list[list[int]]:
    """Random texts of 1 to `longest` pieces between `<s>` and `</s>`, without special pieces."""
    draw = random.Random(seed)
    return [
        [0, *(draw.randrange(4, pieces) for _ in range(draw.randint(1, longest))), 2]
        for _ in range(texts)
    ]


def padded(texts: Sequence[Sequence[int]], *, padding_id: int = 1) -> tuple[Tensor, Tensor]:
    """Input ids and attention mask, made without the code under test."""
    longest = max(map(len, texts))
    ids = [[*text, *[padding_id] * (longest - len(text))] for text in texts]
    mask = [[1] * len(text) + [0] * (longest - len(text)) for text in texts]
    return torch.tensor(ids), torch.tensor(mask)


def add_adapter(
    base: Base,
    name: str = "sst2",
    *,
    seed: int = 0,
    rank: int = 4,
    dropout: float = 0.0,
    targets: Sequence[str] = ("query", "value"),
    layers: Sequence[int] | None = None,
    strength: float = 0.3,
) -> None:
    """Attaches an adapter whose B is random with standard deviation `strength`, switched off."""
    config = lora_config(
        rank=rank, alpha=2.0 * rank, dropout=dropout, targets=targets, layers=layers
    )
    attach(base.model, name, config, seed=seed)
    generator = torch.Generator().manual_seed(seed + 1000)
    for _, layer in adapter_layers(base.model):
        if name in layer.lora_B:
            weight = layer.lora_B[name].weight
            drawn = torch.randn(weight.shape, generator=generator) * strength
            weight.data.copy_(drawn.to(weight.dtype))
        layer.enable_adapters(enabled=False)


def provenance(base: Base, *, task: str = "sst2") -> adapter_store.Provenance:
    """What an adapter of a tiny base would say of itself."""
    return adapter_store.Provenance(
        task=task,
        base="tiny",
        revision=None,
        fingerprint=base.fingerprint,
        weights=base.weights,
        details={"seed": 1},
    )


def save_adapter(base: Base, folder: Path, name: str = "sst2") -> Path:
    """Saves an adapter that is on a base."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = read_weights(base.model, name)
    adapter_store.save(folder, weights, base.model.peft_config[name], provenance(base))
    return folder


def states(base: Base, texts: Sequence[Sequence[int]]) -> Tensor:
    """The whole model's last hidden states, shape [texts, longest, width]."""
    input_ids, mask = padded(texts)
    with torch.no_grad():
        output: Tensor = base.model(input_ids=input_ids, attention_mask=mask).last_hidden_state
    return output


@contextmanager
def saved_for_backward() -> Iterator[list[Tensor]]:
    """Collects every tensor that autograd keeps while the context lasts."""
    kept: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield kept
