"""What a benchmark leaves: one JSON file that says what was measured on what."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from adaptstilts.record.files import write_text
from adaptstilts.record.provenance import git_state, hardware, utc_now, versions

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PACKAGES = (
    "adaptstilts",
    "torch",
    "transformers",
    "peft",
    "accelerate",
    "bitsandbytes",
    "numpy",
    "mteb",
    "sentence-transformers",
)


def header(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """When, on what and with what a benchmark runs, and how busy the machine was before it."""
    return {
        "format": 1,
        "benchmark": name,
        "started_at": utc_now(),
        "settings": settings,
        "load_average": round(os.getloadavg()[0], 2),
        "hardware": hardware(),
        "versions": versions(PACKAGES),
        "git": git_state(ROOT),
    }


def machine(head: dict[str, Any]) -> str:
    """The machine and the versions in one line."""
    found, packages = head["hardware"], head["versions"]
    gpu = found["gpu"]
    where = [gpu["name"]] if gpu else []
    where.append(f"{found['cpu']}, {found['cores']} cores, {found['memory_bytes'] / 2**30:.0f} GB")
    names = ("torch", "transformers", "peft", "bitsandbytes")
    return "; ".join(where) + "; " + ", ".join(f"{name} {packages[name]}" for name in names)


def write(result: dict[str, Any], path: Path) -> Path:
    """Writes a result; the file is whole or not there."""
    write_text(path, json.dumps(result, indent=2, ensure_ascii=False, sort_keys=False) + "\n")
    return path


def cell(value: Any, unit: str = "") -> str:
    """A figure as a table shows it; `bytes` become MB or GB."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if unit == "bytes":
        return f"{value / 1e9:.2f} GB" if value >= 1e9 else f"{value / 1e6:.1f} MB"
    if unit == "x":
        return f"{value:.2f}×"
    if isinstance(value, float):
        if value == 0:
            return "0"
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
