"""What a system's expression means: adapters with weights. No torch here.

For LoRA, a system is the frozen weight plus a weighted sum of updates, W + Σ wᵢ ΔWᵢ.
"""

from __future__ import annotations

from adaptstilts.recipe.system import NO_ADAPTER, ScaleSystem, SweepSystem, SystemEntry


def adapter_weights(system: SystemEntry) -> dict[str, float]:
    """The adapters of a system and the weight of each update.

    Args:
        system: `none`, an adapter's name, or an expression over adapters.

    Returns:
        Weights by adapter; empty for the bare base. An adapter scaled by 0 stays in, with 0.
    """
    if isinstance(system, SweepSystem):
        raise TypeError("a sweep is several systems: expand it first; this is a bug in adaptstilts")
    if isinstance(system, ScaleSystem):
        inner = adapter_weights(system.scale.of)
        return {name: weight * system.scale.by for name, weight in inner.items()}
    return {} if system == NO_ADAPTER else {system: 1.0}
