"""Hidden states of any layers, pooled, stopping at the deepest layer that is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
    with first_layers(model, max(layers)), torch.no_grad():
        modules = [model.embeddings, *model.encoder.layer]
        wanted = {layer: modules[layer] for layer in layers}
        pooled, _ = _pooled(model, input_ids, mask, wanted, pooling)
    return torch.stack([pooled[layer] for layer in layers])


def state_after(
    model: XLMRobertaModel,
    input_ids: Tensor,
    mask: Tensor,
    count: int,
    *,
    layers: Sequence[int] = (),
    pooling: Pooling = "mean",
) -> tuple[Tensor, list[Tensor]]:
    """`hidden_states[count]` of every token, for `pooled_states_from`, and what lies below it.

    Args:
        model: As `pooled_states`.
        input_ids: Shape [batch, length].
        mask: Attention mask, shape [batch, length].
        count: How many layers are run.
        layers: Indices into `hidden_states`, up to `count`, that are pooled on the way.
        pooling: As `pooled_states`.

    Returns:
        The state, shape [batch, length, width], and for each of `layers` what `pooled_states`
        gives, float32, shape [batch, width].
    """
    with first_layers(model, count), torch.no_grad():
        modules = [model.embeddings, *model.encoder.layer]
        wanted = {layer: modules[layer] for layer in layers}
        pooled, state = _pooled(model, input_ids, mask, wanted, pooling)
    return state, [pooled[layer] for layer in layers]


def pooled_states_from(
    model: XLMRobertaModel,
    input_ids: Tensor,
    mask: Tensor,
    layers: Sequence[int],
    *,
    state: Tensor,
    count: int,
    pooling: Pooling = "mean",
) -> Tensor:
    """What `pooled_states` gives, going on from a state below, bit for bit.

    Systems that differ only above some layer share what lies below: it is computed once.

    Args:
        model: As `pooled_states`.
        input_ids: Shape [batch, length].
        mask: Attention mask, shape [batch, length].
        layers: Indices into `hidden_states`, all of them above `count`.
        state: The first of `state_after(…, count)`.
        count: How many layers have been run.
        pooling: As `pooled_states`.

    Returns:
        float32, shape [layers, batch, width].
    """
    whole = model.encoder.layer
    upper = whole[count : max(layers)]
    replaced = model.embeddings.register_forward_hook(lambda *_: state)
    model.encoder.layer = upper
    try:
        with torch.no_grad():
            wanted = {layer: upper[layer - count - 1] for layer in layers}
            pooled, _ = _pooled(model, input_ids, mask, wanted, pooling)
    finally:
        model.encoder.layer = whole
        replaced.remove()
    return torch.stack([pooled[layer] for layer in layers])


def _pooled(
    model: XLMRobertaModel,
    input_ids: Tensor,
    mask: Tensor,
    wanted: Mapping[int, nn.Module],
    pooling: Pooling,
) -> tuple[dict[int, Tensor], Tensor]:
    """Runs the model and pools what some of its modules give; that, and the last layer's states."""
    pool = {"mean": mean_pool, "cls": cls_pool}[pooling]
    pooled: dict[int, Tensor] = {}

    def keep(layer: int) -> Callable[[nn.Module, object, Tensor], None]:
        def hook(_module: nn.Module, _inputs: object, output: Tensor) -> None:
            pooled[layer] = pool(output, mask)

        return hook

    handles = [module.register_forward_hook(keep(layer)) for layer, module in wanted.items()]
    try:
        last: Tensor = model(input_ids=input_ids, attention_mask=mask).last_hidden_state
    finally:
        for handle in handles:
            handle.remove()
    return pooled, last
