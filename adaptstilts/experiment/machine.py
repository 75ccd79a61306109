"""What this machine is used for: profile, device and precision, chosen and told. No torch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from adaptstilts.base.identity import POCKET
from adaptstilts.data.source import Profile
from adaptstilts.record.run import HardwareRecord

# bf16 needs an Ampere GPU; float16 would need loss scaling, so older GPUs compute in float32.
BF16_CAPABILITY = 8.0
HUB_SECONDS = 5.0
WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class Choice:
    """A profile and why it was taken.

    Attributes:
        profile: `full` or `pocket`; decides the data sources and what figures may be set beside.
        layer: The profile of the recipe that is laid onto it, if any.
        reason: Why, in words.
    """

    profile: Profile
    layer: str | None
    reason: str


def choose_profile(
    *,
    offered: list[str],
    base: str,
    revision: str | None,
    has_mirror: bool,
    hardware: HardwareRecord,
) -> Choice:
    """The profile that a run takes when the user leaves it open.

    Args:
        offered: The profiles that the recipe offers beside the plain tree.
        base: `base.model` of the plain tree.
        revision: `base.revision` of the plain tree.
        has_mirror: Whether data come from a mirror, so that no hub is needed for them.
        hardware: This machine.
    """
    if base == POCKET:
        return Choice("pocket", None, "the recipe itself uses the pocket base")
    if POCKET not in offered:
        return Choice("full", None, "the recipe offers no pocket profile")
    gpu = hardware.gpu
    if gpu is None:
        return Choice("pocket", POCKET, "no CUDA GPU is here")
    if is_cpu_build():
        reason = f"a GPU is here ({gpu.name}), but torch is a CPU build; install a CUDA build"
        return Choice("pocket", POCKET, reason)
    is_cached = _is_cached(base, revision)
    if not (is_cached and has_mirror) and not _hub_answers(base, revision):
        lacking = "no mirror is named" if is_cached else f"{base} is not cached"
        reason = f"a GPU is here ({gpu.name}), but {lacking} and the hub does not answer"
        return Choice("pocket", POCKET, reason)
    return Choice("full", None, f"a GPU is here ({gpu.name}) and {base} is at hand")


def choose_device(asked: str, profile: Profile, hardware: HardwareRecord) -> str:
    """`cuda` or `cpu`.

    The full profile means a GPU: it is planned for one wherever the plan is made, and a run on a
    machine without one fails rather than falls back.
    """
    if asked != "auto":
        return asked
    has_gpu = hardware.gpu is not None and not is_cpu_build()
    return "cuda" if has_gpu or profile == "full" else "cpu"


def is_cpu_build() -> bool:
    """Whether the installed torch can use no GPU, told by its version without importing it."""
    return version("torch").endswith("+cpu")


def choose_compute(asked: str, device: str, hardware: HardwareRecord) -> str:
    """`bf16` where the GPU has it, else `fp32`."""
    if asked != "auto":
        return asked
    if device == "cpu":
        return "fp32"
    # Without a GPU here the plan is for another machine; those for this work have bf16.
    gpu = hardware.gpu
    has_bf16 = gpu is None or float(gpu.compute_capability) >= BF16_CAPABILITY
    return "bf16" if has_bf16 else "fp32"


def _is_cached(base: str, revision: str | None) -> bool:
    """Whether a base is a folder or in the hub's cache."""
    if Path(base).expanduser().is_dir():
        return True
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(base, WEIGHTS, revision=revision), str)


def _hub_answers(base: str, revision: str | None) -> bool:
    """Whether the hub knows a base; False where it is switched off or does not answer in time."""
    if os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON"):
        return False
    from huggingface_hub import HfApi

    try:
        HfApi().model_info(base, revision=revision, timeout=HUB_SECONDS)
    except Exception:  # a yes-or-no question: the HTTP library's errors share no base with ours
        return False
    return True
