"""Time and memory: medians, peaks of a process or of the GPU, and a budget of seconds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

STATUS = Path("/proc/self/status")
CLEAR_REFS = Path("/proc/self/clear_refs")
# What to write to `clear_refs` so that the kernel forgets the peak (proc_pid_clear_refs(5)).
RESET_PEAK = "5"


def wait_for(device: torch.device) -> None:
    """Waits until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def reset_peak(device: torch.device) -> None:
    """Makes `peak_bytes` forget what was held before now, where that can be done."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    else:
        reset_process_peak()


def reset_process_peak() -> bool:
    """Resets this process' peak of resident memory; False where the kernel does not let it."""
    try:
        CLEAR_REFS.write_text(RESET_PEAK, encoding="ascii")
    except OSError:
        return False
    return True


def peak_bytes(device: torch.device) -> int | None:
    """Most memory held since `reset_peak`; None where the system does not say.

    On CUDA what torch's allocator gave out; on the CPU the whole process' resident memory,
    libraries included (`VmHWM`).
    """
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return _status("VmHWM")


def resident_bytes(device: torch.device) -> int | None:
    """Memory held now, in the sense of `peak_bytes`."""
    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device))
    return _status("VmRSS")


def anonymous_bytes() -> int | None:
    """Memory of the process itself that no file backs; None where the system does not say."""
    return _status("RssAnon")


def memory_of(device: torch.device) -> str:
    """What the memory figures count, in words."""
    if device.type == "cuda":
        return "torch.cuda.max_memory_allocated, reset before each case"
    how = "reset before each case" if reset_process_peak() else "since the process began"
    return f"resident memory of the whole process (VmHWM), libraries included, {how}"


def _status(key: str) -> int | None:
    """One value of `/proc/self/status`, in bytes."""
    if not STATUS.is_file():
        return None
    for line in STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024
    return None


@dataclass(frozen=True)
class Timed:
    """One piece of work.

    Attributes:
        seconds: Wall time, with all of the device's work done.
        amounts: How much was done, by what is counted.
    """

    seconds: float
    amounts: dict[str, int]


def each(
    events: Iterable[Any], device: torch.device, amounts: Callable[[Any], dict[str, int]]
) -> Iterator[Timed]:
    """Times each item that a generator takes to produce, until the caller stops asking."""
    wait_for(device)
    started = time.perf_counter()
    for event in events:
        wait_for(device)
        yield Timed(time.perf_counter() - started, amounts(event))
        started = time.perf_counter()


def rates(pieces: list[Timed]) -> dict[str, Any]:
    """Medians over steps: seconds of a step, and each amount a second; and how many there were."""
    found: dict[str, Any] = {
        "steps": len(pieces),
        "seconds_per_step": statistics.median(piece.seconds for piece in pieces),
        "steps_per_second": statistics.median(1 / piece.seconds for piece in pieces),
    }
    for name in pieces[0].amounts:
        found[f"{name}_per_second"] = statistics.median(
            piece.amounts[name] / piece.seconds for piece in pieces
        )
        found[name] = sum(piece.amounts[name] for piece in pieces)
    return found


@dataclass
class Budget:
    """Seconds that all cases together may take; those that would not fit are left out.

    Attributes:
        seconds: The budget.
        started: When it began to run.
        longest: The longest case so far, by kind; the guess for the next one.
        skipped: Names of the cases that were left out, with the reason.
        failed: Names of the cases that ended in an error, with the error.
    """

    seconds: float
    started: float = field(default_factory=time.monotonic)
    longest: dict[str, float] = field(default_factory=dict)
    skipped: list[dict[str, str]] = field(default_factory=list)
    failed: list[dict[str, str]] = field(default_factory=list)

    @property
    def spent(self) -> float:
        """Seconds since the budget began to run."""
        return time.monotonic() - self.started

    @contextmanager
    def case(self, kind: str, name: str) -> Iterator[bool]:
        """Runs a case if it is likely to fit; gives False, and notes why, if it is not.

        An error inside is noted and ends the case, so that the others still run.
        """
        left, guess = self.seconds - self.spent, self.longest.get(kind, 0.0)
        if left < guess or left <= 0:
            reason = f"{max(left, 0):.0f} s were left, the longest such case took {guess:.0f} s"
            self.skipped.append({"case": f"{kind}: {name}", "why": reason})
            yield False
            return
        began = time.monotonic()
        try:
            yield True
        except Exception as error:
            lines = str(error).strip().splitlines() or [""]
            what = f"{type(error).__name__}: {lines[0][:300]}"
            self.failed.append({"case": f"{kind}: {name}", "error": what})
        self.longest[kind] = max(guess, time.monotonic() - began)
