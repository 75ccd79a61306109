"""Switches a system's adapters on for as long as a context lasts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import nn

from adaptstilts.adapter.attach import adapter_layers
from adaptstilts.errors import CompositionError


@contextmanager
def active(model: nn.Module, weights: Mapping[str, float]) -> Iterator[None]:
    """Makes a model compute W + Σ wᵢ ΔWᵢ; afterwards every adapter is off.

    An adapter with weight 0 is switched off rather than multiplied by 0, so the result is
    bit-equal to the base.

    Args:
        model: The encoder with the adapters attached.
        weights: Weight of each adapter's update.

    Raises:
        CompositionError: The model does not carry one of the adapters.
    """
    used = {name: weight for name, weight in weights.items() if weight != 0.0}
    layers = [layer for _, layer in adapter_layers(model)]
    absent = [name for name in used if not any(name in layer.lora_A for layer in layers)]
    if absent:
        raise CompositionError(f"adapter `{absent[0]}` is not on the model; load it first")
    try:
        for layer in layers:
            layer.enable_adapters(enabled=bool(used))
            if used:
                layer.set_adapter(list(used), inference_mode=True)
                for name, weight in used.items():
                    layer.set_scale(name, weight)
        yield
    finally:
        for layer in layers:
            for name in used:
                layer.set_scale(name, 1.0)
            layer.enable_adapters(enabled=False)
