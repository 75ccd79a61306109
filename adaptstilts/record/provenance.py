"""Where a run took place: package versions, state of the code, hardware, time.

Each lookup that can find nothing says so in its result; only what a docstring names is caught.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import adaptstilts

_SECONDS = 10.0


def utc_now() -> str:
    """Give the time as ISO 8601 in UTC, to the second, such as `2026-11-22T15:33:00Z`."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def versions(names: Iterable[str]) -> dict[str, str]:
    """Look up installed packages by their distribution names, without importing them.

    Args:
        names: Distribution names, such as `torch`. `adaptstilts` is answered by the code that runs,
            installed or not.

    Returns:
        Version for each name, in the order given; `not installed` where there is none.
    """
    found: dict[str, str] = {}
    for name in names:
        try:
            found[name] = adaptstilts.__version__ if name == "adaptstilts" else version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def git_state(folder: Path) -> dict[str, Any] | None:
    """Commit of the repository that tracks `folder`.

    Args:
        folder: A folder of the code.

    Returns:
        `commit` (40 hex digits) and `is_dirty` (a tracked file was changed). None where there is
        no git, no repository that git will read, no commit, nothing in `folder` that is tracked
        (an installed copy inside someone's project), or where git took over ten seconds.
    """
    if shutil.which("git") is None:
        return None
    tracked = _output(["git", "-C", str(folder), "ls-files", "--", "."])
    commit = _output(["git", "-C", str(folder), "rev-parse", "--verify", "HEAD"])
    changes = _output(["git", "-C", str(folder), "status", "--porcelain", "--untracked-files=no"])
    if not tracked or not commit or changes is None:
        return None
    return {"commit": commit.strip(), "is_dirty": bool(changes.strip())}


def hardware() -> dict[str, Any]:
    """Describe the machine, without torch.

    Returns:
        The fields of `HardwareRecord`: `cpu` (model name, or None), `cores` (that this process
        may use), `memory_bytes`, `gpu` (the first that `nvidia-smi` lists, as `GpuRecord`; None
        where it is absent, fails, takes over ten seconds or answers in another form), `python`,
        `platform`.
    """
    import psutil

    affinity = getattr(os, "sched_getaffinity", None)
    return {
        "cpu": _cpu_model(),
        "cores": len(affinity(0)) if affinity else (os.cpu_count() or 1),
        "memory_bytes": int(psutil.virtual_memory().total),
        "gpu": _gpu(),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def _cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str | None:
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""  # not Linux
    for line in text.splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name" and value.strip():
            return value.strip()
    return platform.processor() or platform.machine() or None


def _gpu() -> dict[str, Any] | None:
    if shutil.which("nvidia-smi") is None:
        return None
    query = "--query-gpu=name,memory.total,compute_cap"
    answer = _output(["nvidia-smi", query, "--format=csv,noheader,nounits"])
    for line in (answer or "").splitlines():
        cells = [cell.strip() for cell in line.rsplit(",", 2)]
        if len(cells) == 3 and cells[1].isdigit():
            name, mebibytes, capability = cells
            return {
                "name": name,
                "memory_bytes": int(mebibytes) * 1024**2,
                "compute_capability": capability,
            }
    return None


def _output(command: Sequence[str]) -> str | None:
    """Standard output of a command; None where it cannot start, fails or takes too long."""
    try:
        done = subprocess.run(  # noqa: S603 - fixed commands, no shell
            command,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_SECONDS,
            check=False,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
