"""A random adapter as large as a trained one: what does any update of this size do to the base?"""

from __future__ import annotations

import random
from collections.abc import Mapping

import torch
from torch import Tensor

from adaptstilts.adapter.attach import product_norm

A, B = ".lora_A.weight", ".lora_B.weight"


def random_like(weights: Mapping[str, Tensor], *, seed: int) -> dict[str, Tensor]:
    """A LoRA of the same shapes whose update has another direction and the same size, per module.

    Both factors are Gaussian and then scaled alike, so that ‖B'A'‖ = ‖BA‖ (Frobenius) on every
    module. The factor alpha / rank is the same for both adapters and drops out. The trained
    adapter's own random start has no part in it: each module draws from a seed of its own, derived
    from `seed` and its name.

    Args:
        weights: A trained adapter by `attach.read_weights`' names: A of shape [rank, inputs] and B
            of shape [outputs, rank] for each module.
        seed: Decides the directions.

    Returns:
        Weights by the same names, float32.

    Raises:
        ValueError: A weight is neither A nor B of a LoRA, or lacks the other.
    """
    modules = {name.removesuffix(A) for name in weights if name.endswith(A)}
    expected = {module + part for module in modules for part in (A, B)}
    if expected != weights.keys():
        odd = sorted(expected ^ weights.keys())[0]
        raise ValueError(f"{odd} has no partner in a LoRA adapter; this is a bug in adaptstilts")
    drawn: dict[str, Tensor] = {}
    for module in sorted(modules):
        generator = torch.Generator()
        generator.manual_seed(random.Random(f"random/{seed}/{module}").getrandbits(63))
        a, b = (
            torch.randn(weights[module + part].shape, generator=generator, dtype=torch.float64)
            for part in (A, B)
        )
        wanted = product_norm(weights[module + A], weights[module + B])
        factor = (wanted / product_norm(a, b)) ** 0.5
        drawn[module + A] = (factor * a).to(torch.float32)
        drawn[module + B] = (factor * b).to(torch.float32)
    return drawn
