"""A whole encoder in one row-wise int8 file, a quarter of its size in 32-bit floats."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

FORMAT = "adaptstilts-int8"
SCALE = ".scale"


def pack(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Rounds each matrix to int8 codes and a scale for each row; the rest goes to float16.

    Args:
        state: Tensors by name, floating point.

    Returns:
        For a matrix `name` of shape [out, in]: `name`, int8 [out, in], and `name.scale`,
        float32 [out], with weight = code x scale. Other tensors: float16 under their own names.
    """
    packed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if tensor.ndim == 2:
            values = tensor.detach().to(torch.float32)
            scale = (values.abs().amax(dim=1) / 127.0).clamp_min(torch.finfo(torch.float32).tiny)
            packed[name] = (values / scale.unsqueeze(1)).round().to(torch.int8).contiguous()
            packed[name + SCALE] = scale.contiguous()
        else:
            packed[name] = tensor.detach().to(torch.float16).contiguous()
    return packed


def save(state: dict[str, Tensor], path: Path) -> None:
    """Packs tensors and writes them to a safetensors file."""
    save_file(pack(state), path, metadata={"format": FORMAT})


def load(path: Path) -> dict[str, Tensor]:
    """Reads a packed file back into 32-bit floats.

    Raises:
        ValueError: The file is in another format.
    """
    with safe_open(path, framework="pt") as file:
        found = (file.metadata() or {}).get("format")
        if found != FORMAT:
            raise ValueError(f"{path} has the format {found!r}, not {FORMAT!r}")
        packed = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    state: dict[str, Tensor] = {}
    for name, tensor in packed.items():
        if name.endswith(SCALE):
            continue
        state[name] = tensor.to(torch.float32)
        if tensor.dtype == torch.int8:
            state[name] *= packed[name + SCALE].unsqueeze(1)
    return state
