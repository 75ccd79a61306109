"""Start-up, an XLM-R-Large-shaped training step, and the pocket base, on the CPU, in minutes.

`python benchmarks/cpu.py` measures our `int8` beside `none` and beside transformers' Trainer with
PEFT in one run, so the ratios mean something although the seconds depend on the machine.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from benchmarks import pocket_cases, start_up  # noqa: E402
from benchmarks.outcome import RESULTS, cell, header, machine, write  # noqa: E402

# Each table's key in the result, its title, and its columns: heading, key, unit.
TABLES: tuple[tuple[str, str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "start_up",
        "Start-up (median of 7 calls)",
        (
            ("call", "case", ""),
            ("seconds", "seconds", ""),
            ("fastest", "fastest_seconds", ""),
            ("ratio to `python -c pass`", "ratio_to_nothing", "x"),
        ),
    ),
    (
        "large_step",
        "XLM-R-Large-shaped, random weights, int8, fp32 compute: LoRA steps (own process each)",
        (
            ("vocabulary", "case", ""),
            ("pieces", "kept_pieces", ""),
            ("parameters", "parameter_bytes", "bytes"),
            ("tokens", "tokens", ""),
            ("s/step", "seconds_per_step", ""),
            ("peak loading", "peak_loading_bytes", "bytes"),
            ("loaded", "loaded_bytes", "bytes"),
            ("peak stepping", "peak_step_bytes", "bytes"),
            ("of it libraries", "libraries_bytes", "bytes"),
        ),
    ),
    (
        "training",
        "Pocket base, bundled sentiment rows, fp32: LoRA training",
        (
            ("case", "case", ""),
            ("batch", "batch", ""),
            ("steps/s", "steps_per_second", ""),
            ("tokens/s", "tokens_per_second", ""),
            ("ours int8 / this (tokens/s)", "int8_ratio", "x"),
            ("lowest", "int8_ratio_low", "x"),
            ("highest", "int8_ratio_high", "x"),
        ),
    ),
    (
        "encoding",
        "Pocket base, bundled bitext, fp32: encoding, all layers mean-pooled",
        (
            ("case", "case", ""),
            ("sentences", "sentences", ""),
            ("sentences/s", "sentences_per_second", ""),
            ("ours int8 / this", "int8_ratio", "x"),
            ("lowest", "int8_ratio_low", "x"),
            ("highest", "int8_ratio_high", "x"),
        ),
    ),
    (
        "loading",
        "Loading (files cached by the system)",
        (
            ("what", "case", ""),
            ("seconds", "seconds", ""),
            ("parameters", "parameter_bytes", "bytes"),
        ),
    ),
)


def large_step(*arguments: str) -> dict[str, Any]:
    """Runs `large_step.py` in a process of its own."""
    script = Path(__file__).with_name("large_step.py")
    done = subprocess.run(
        [sys.executable, str(script), *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    # The first step also warms up; the last one stands for the steps of a training.
    found["tokens"] = found["tokens_of_steps"][-1]
    found["seconds_per_step"] = found["seconds_of_steps"][-1]
    return found


def measure(console: Console) -> dict[str, Any]:
    """Runs all cases."""
    started = time.monotonic()
    result = header("cpu", {"device": "cpu", "threads": torch.get_num_threads()})
    console.print(f"CPU benchmark: {machine(result)}")
    console.print("start-up …")
    result["start_up"] = start_up.measure()
    console.print("XLM-R-Large-shaped step …")
    result["large_step"] = [large_step(), large_step("--trim")]
    console.print("pocket base …")
    result["loading"] = [pocket_cases.loading()]
    bases = {name: pocket_cases.load(name) for name in pocket_cases.QUANTIZATIONS}
    text = pocket_cases.read(bases["int8"])
    result["encoding"] = pocket_cases.encoding(bases, text)
    result["training"] = pocket_cases.training(bases, text)
    result["seconds"] = round(time.monotonic() - started, 1)
    return result


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=RESULTS / "cpu.json")
    path = parser.parse_args().output
    # A pipe gives no width; 80 columns would cut the tables.
    console = Console() if sys.stdout.isatty() else Console(width=120)
    result = measure(console)
    for key, title, columns in TABLES:
        table = Table(title=title, title_justify="left")
        for heading, _, unit in columns:
            table.add_column(heading, justify="left" if not unit else "right")
        for row in result[key]:
            table.add_row(*(cell(row.get(name), unit) for _, name, unit in columns))
        console.print(table)
    write(result, path)
    console.print(f"{result['seconds']:.0f} s; written to {path}", soft_wrap=True)


if __name__ == "__main__":
    main()
