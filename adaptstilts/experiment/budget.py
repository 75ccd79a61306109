"""What a plan needs before anything is loaded: parameters and memory, estimated. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from adaptstilts.base.shape import Shape
from adaptstilts.experiment.plan import Plan
from adaptstilts.experiment.stage import Train
from adaptstilts.recipe.adapter import Adapter, numbered_layers, resolved

BYTES = {"fp32": 4, "bf16": 2}
# Bytes of a linear layer's weight; nf4 keeps a float32 scale for every 64 weights.
WEIGHT_BYTES = {"int8": 1.0, "llm_int8": 1.0, "nf4": 0.5 + 4 / 64}
# Values that a transformer layer keeps for the backward pass of one token, in units of the width:
# the inputs of two LayerNorms, query, key, value, the attention's output, the two sums and the
# adapters' inputs; and in units of the feed-forward width: before and after GELU. An estimate from
# the shapes, not yet compared with a GPU.
KEPT_PER_WIDTH = 10
KEPT_PER_INTERMEDIATE = 2
# A trained value: itself, its float32 master, its gradient and AdamW's two moments.
MASTER_AND_MOMENTS = 4 + 4 + 4 + 4


@dataclass(frozen=True)
class Budget:
    """Estimates for one plan; None where the base's shape is not known.

    Attributes:
        base_parameters: Of the whole encoder.
        base_bytes: Held on the device, with the whole vocabulary; trimming only lowers it.
        adapter_parameters: Of each adapter, by name.
        training_bytes: Peak of each adapter's training, by name; seeds do not change it.
    """

    base_parameters: int
    base_bytes: int
    adapter_parameters: dict[str, int]
    training_bytes: dict[str, int]


def estimate(plan: Plan) -> Budget | None:
    """Estimates a plan's parameters and memory from the shapes alone."""
    shape = plan.identity.shape
    if shape is None:
        return None
    base = plan.recipe.base
    size = BYTES[base.compute]
    linear = WEIGHT_BYTES.get(base.quantization, float(size))
    rest = shape.parameters - shape.linear_parameters
    base_bytes = int(shape.linear_parameters * linear + rest * size)
    adapters = {
        name: lora_parameters(shape, entry.adapter)
        for name, entry in resolved(plan.recipe.adapters).items()
    }
    return Budget(
        base_parameters=shape.parameters,
        base_bytes=base_bytes,
        adapter_parameters=adapters,
        training_bytes={
            stage.adapter_name: base_bytes + _training_bytes(shape, stage.adapter, size)
            for stage in plan.stages
            if isinstance(stage, Train)
        },
    )


def lora_parameters(shape: Shape, adapter: Adapter) -> int:
    """Parameters of a LoRA adapter: rank x (inputs + outputs) for each target of its layers."""
    wide = ("intermediate", "output")
    ends = [
        shape.width + (shape.intermediate if target in wide else shape.width)
        for target in adapter.method.targets
    ]
    layers = numbered_layers(adapter.method.layers)
    count = shape.layers if layers is None else len(layers)
    return count * adapter.method.rank * sum(ends)


def _training_bytes(shape: Shape, adapter: Adapter, size: int) -> int:
    """What a training holds beside the base: trained values and one batch's activations."""
    head = shape.width * (shape.width + 1)
    trained = (lora_parameters(shape, adapter) + head) * (size + MASTER_AND_MOMENTS)
    kept = KEPT_PER_WIDTH * shape.width + KEPT_PER_INTERMEDIATE * shape.intermediate
    return trained + adapter.training.tokens_per_batch * shape.layers * kept * size
