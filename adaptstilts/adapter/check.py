"""Is it on? An adapter that silently does nothing is the commonest failure in this field."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from adaptstilts.adapter.attach import adapter_layers, delta_norms
from adaptstilts.base.hidden_states import pooled_states
from adaptstilts.base.load import Base
from adaptstilts.errors import AdapterError


def probe_ids(base: Base, *, length: int = 8) -> list[int]:
    """Row ids of a short probe sentence that any base has, trimmed or not."""
    rows = base.model.get_input_embeddings().num_embeddings
    # Ids 0 to 3 are <s>, <pad>, </s> and <unk> in XLM-R's vocabulary.
    inner = [4 + index for index in range(length) if 4 + index < rows]
    return [0, *inner, 2]


def check_is_on(base: Base, name: str) -> None:
    """Proves that an adapter, once loaded, changes what the base computes; then all are off.

    That all keys match is checked where the weights are written; here: the update is not zero on
    any of its target modules, and a probe sentence's states move.

    Args:
        base: The base with the adapter attached.
        name: The adapter.

    Raises:
        AdapterError: An update is zero or not a number, or the probe sentence does not move.
    """
    norms = delta_norms(base.model, name)
    dead = [path for path, norm in norms.items() if not norm > 0.0]
    if not norms or dead:
        where = dead[0] if dead else "any module"
        raise AdapterError(
            f"adapter `{name}` does nothing on {where} ({len(dead)} of {len(norms)} target modules "
            "have a zero update). It was not trained, or its weights were not loaded"
        )
    if not _moves(base, name, probe_ids(base)) > 0.0:  # neither 0 nor not a number
        raise AdapterError(
            f"adapter `{name}` is loaded but a probe sentence's states do not move, or are no "
            "numbers: its update is below the precision of the base, or far beyond its range"
        )


def _moves(base: Base, name: str, ids: Sequence[int]) -> float:
    """How far the probe's last-layer vector moves when the adapter is switched on."""
    input_ids = torch.as_tensor([ids], device=base.device)
    mask = torch.ones_like(input_ids)
    last = [base.shape.layers]
    for _, layer in adapter_layers(base.model):
        layer.enable_adapters(enabled=False)
    off = pooled_states(base.model, input_ids, mask, last)
    for _, layer in adapter_layers(base.model):
        layer.enable_adapters(enabled=True)
        layer.set_adapter([name], inference_mode=True)
    on = pooled_states(base.model, input_ids, mask, last)
    for _, layer in adapter_layers(base.model):
        layer.enable_adapters(enabled=False)
    return float((on - off).norm())
