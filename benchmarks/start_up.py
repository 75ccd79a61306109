"""How long the command line takes to answer, as a ratio to an interpreter that does nothing."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from typing import Any

from benchmarks.outcome import ROOT

CALLS = {
    "python -c pass": ("-c", "pass"),
    "adaptstilts --help": ("cli.py", "--help"),
    "adaptstilts plan (smoke recipe)": (
        "cli.py",
        "plan",
        "recipes/smoke/sst2_tatoeba.yaml",
    ),
}
TIMES = 7


def measure() -> list[dict[str, Any]]:
    """Medians over seven calls each, taken in turns, after one that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in CALLS}
    for turn in range(TIMES + 1):
        for name, arguments in CALLS.items():
            started = time.perf_counter()
            subprocess.run(
                [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, check=True
            )
            if turn > 0:
                seconds[name].append(time.perf_counter() - started)
    reference = statistics.median(seconds["python -c pass"])
    return [
        {
            "case": name,
            "calls": TIMES,
            "seconds": statistics.median(measured),
            "fastest_seconds": min(measured),
            "ratio_to_nothing": statistics.median(measured) / reference,
        }
        for name, measured in seconds.items()
    ]
