"""What a machine can do for a run, tried out rather than looked up where that is cheap."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import torch
from huggingface_hub import constants

from adaptstilts.base.identity import POCKET, identify
from adaptstilts.base.int8 import Int8Linear
from adaptstilts.data.source import mirror_root
from adaptstilts.errors import AdaptstiltsError
from adaptstilts.experiment.machine import BF16_CAPABILITY
from adaptstilts.experiment.store import cache_folder
from adaptstilts.record.provenance import hardware
from adaptstilts.record.run import HardwareRecord

State = Literal["ok", "absent", "broken"]
INT8_TOLERANCE = 0.02


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        what: What it is.
        state: `ok`, `absent` (a run does without) or `broken` (a run will fail).
        detail: What was found and, where it helps, what to do.
    """

    what: str
    state: State
    detail: str


def examine(mirror: Path | None) -> list[Finding]:
    """Looks at processor, GPU, int8, cache, disk, the pocket base and the data mirror."""
    machine = HardwareRecord.model_validate(hardware())
    checks: list[Callable[[], Finding]] = [
        lambda: _processor(machine),
        lambda: _gpu(machine),
        lambda: _int8("cpu"),
        _cache,
        _pocket,
        lambda: _mirror(mirror),
        _hub,
    ]
    if torch.cuda.is_available():
        checks.insert(3, lambda: _int8("cuda"))
    return [check() for check in checks]


def _processor(machine: HardwareRecord) -> Finding:
    memory = machine.memory_bytes / 1e9
    detail = f"{machine.cpu or 'unknown'}, {machine.cores} cores, {memory:.0f} GB; computes in fp32"
    return Finding("processor", "ok", detail)


def _gpu(machine: HardwareRecord) -> Finding:
    if machine.gpu is None:
        return Finding("GPU", "absent", "none: --profile auto takes the pocket profile")
    name, capability = machine.gpu.name, float(machine.gpu.compute_capability)
    memory = machine.gpu.memory_bytes / 1e9
    if not torch.cuda.is_available():
        detail = f"{name}, but torch {torch.__version__} cannot use it: install a CUDA build"
        return Finding("GPU", "broken", detail)
    precision = "bf16" if capability >= BF16_CAPABILITY else "fp32 (no bf16 below capability 8.0)"
    return Finding("GPU", "ok", f"{name}, {memory:.0f} GB, computes in {precision}")


def _int8(device: str) -> Finding:
    """Multiplies a small matrix in int8 and compares with float32."""
    torch.manual_seed(0)
    linear = torch.nn.Linear(64, 32)
    x = torch.randn(8, 64)
    what = f"int8 on {device}"
    expected = linear(x).detach()
    layer = Int8Linear(linear, device=torch.device(device), dtype=torch.float32)
    found = layer(x.to(device)).detach().cpu()
    error = float((found - expected).norm() / expected.norm())
    detail = f"bitsandbytes {version('bitsandbytes')}, relative error {error:.4f} on a test matrix"
    return Finding(what, "ok" if error < INT8_TOLERANCE else "broken", detail)


def _cache() -> Finding:
    folder = cache_folder()
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(existing).free
    stages = len(list(folder.glob("stages/*/*/stage.json")))
    detail = f"{folder}: {stages} finished stages, {free / 1e9:.0f} GB free"
    return Finding("cache", "ok" if free > 1e9 else "broken", detail)


def _pocket() -> Finding:
    try:
        identity = identify(POCKET, None)
    except AdaptstiltsError as error:
        return Finding("pocket base", "broken", str(error))
    shape = identity.shape
    words = "" if shape is None else f"{shape.layers} layers, {shape.pieces:,} pieces, "
    return Finding("pocket base", "ok", f"{words}bundled")


def _mirror(mirror: Path | None) -> Finding:
    try:
        root = mirror_root(mirror)
    except AdaptstiltsError as error:
        return Finding("data mirror", "broken", str(error))
    if root is None:
        return Finding("data mirror", "absent", "none named; --data DIR or $ADAPTSTILTS_DATA")
    count = len(list(root.rglob("*.jsonl.gz")))
    return Finding("data mirror", "ok" if count else "broken", f"{root}: {count} tables")


def _hub() -> Finding:
    if constants.HF_HUB_OFFLINE:
        return Finding("hub", "absent", "switched off by HF_HUB_OFFLINE; its cache is still used")
    return Finding(
        "hub", "ok", f"{constants.ENDPOINT} (not contacted; runs contact it only when they must)"
    )
