"""How much memory this process has held: on the GPU where the work is done there, else in all."""

from __future__ import annotations

import resource
import sys

import torch


def start_counting(device: str) -> None:
    """Forgets the GPU's earlier peak; the resident set's cannot be forgotten."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()


def peak_bytes(device: str) -> int:
    """The most memory held: on the GPU since `start_counting`, or by the process since its start.

    Args:
        device: `cuda` or `cpu`.
    """
    if device == "cuda":
        return int(torch.cuda.max_memory_allocated())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024
