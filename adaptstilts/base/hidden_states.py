"""Hidden states of any layers, pooled, stopping at the deepest layer that is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor, nn
from transformers import XLMRobertaModel

Pooling = Literal["mean", "cls"]


def mean_pool(states: Tensor, mask: Tensor) -> Tensor:
    """Mean over a sentence's tokens, `<s>` and `</s>` included.

    Args:
        states: Shape [batch, length, width].
        mask: 1 for tokens and 0 for padding, shape [batch, length].

    Returns:
        float32, shape [batch, width].

    Source: XTREME `third_party/evaluate_retrieval.py` with `pool_type mean` and
        `pool_skip_special_token` off.
    """
    weights = mask.unsqueeze(-1).to(torch.float32)
    return (states.to(torch.float32) * weights).sum(dim=1) / weights.sum(dim=1)


def cls_pool(states: Tensor, mask: Tensor) -> Tensor:
    """The state of a sentence's first token, `<s>` (what a head's pooling calls `first`).

    Args:
        states: Shape [batch, length, width].
        mask: 1 for tokens and 0 for padding, shape [batch, length]; texts start at the left.

    Returns:
        float32, shape [batch, width].

    Source: XTREME `third_party/evaluate_retrieval.py`, `cls_pool_embedding`.
    """
    del mask
    return states[:, 0].to(torch.float32)


@contextmanager
def first_layers(model: XLMRobertaModel, count: int) -> Iterator[None]:
    """Runs only the first `count` layers of an encoder while the context lasts.

    Layers above cannot change the states below, so those stay bit-equal.
    """
    whole = model.encoder.layer
    model.encoder.layer = whole[:count]
    try:
        yield
    finally:
        model.encoder.layer = whole


def pooled_states(
    model: XLMRobertaModel,
    input_ids: Tensor,
    mask: Tensor,
    layers: Sequence[int],
    *,
    pooling: Pooling = "mean",
) -> Tensor:
    """Pooled `hidden_states[l]` for each layer `l` asked for.

    Args:
        model: The encoder in `eval()` mode, with whatever adapters are active on it.
        input_ids: Shape [batch, length].
        mask: Attention mask, shape [batch, length].
        layers: Indices as in `hidden_states`: 0 is the embeddings, `l` the output of layer `l`.
        pooling: `mean` as in `mean_pool`, or `cls` as in `cls_pool`.

    Returns:
        float32, shape [layers, batch, width].
    """
    pool = {"mean": mean_pool, "cls": cls_pool}[pooling]
    pooled: dict[int, Tensor] = {}

    def keep(layer: int) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            pooled[layer] = pool(output, mask)

        return hook

    deepest = max(layers)
    with first_layers(model, deepest), torch.no_grad():
        modules = [model.embeddings, *model.encoder.layer]
        handles = [modules[layer].register_forward_hook(keep(layer)) for layer in set(layers)]
        try:
            model(input_ids=input_ids, attention_mask=mask)
        finally:
            for handle in handles:
                handle.remove()
    return torch.stack([pooled[layer] for layer in layers])
