"""A head on disk, beside its adapter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

WEIGHTS = "head.safetensors"


def save(folder: Path, weights: Mapping[str, Tensor]) -> None:
    """Writes a head's weights to `head.safetensors` in an existing folder."""
    tensors = {name: tensor.contiguous() for name, tensor in weights.items()}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})


def load(folder: Path, head: nn.Module) -> None:
    """Reads a head's weights into a head of the same shape, in place."""
    head.load_state_dict(load_file(folder / WEIGHTS))
