"""LoRA training and encoding on a GPU, with each quantization and with the Trainer, in one run.

`python benchmarks/gpu.py` needs torch, transformers, peft, accelerate, bitsandbytes and numpy;
neither a network nor an installed package. `--device cpu --tiny` runs the same code in seconds.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch  # noqa: E402

from adaptstilts.base.load import random_encoder  # noqa: E402
from benchmarks.gpu_cases import (  # noqa: E402
    LARGE,
    SEED,
    TINY,
    Sizes,
    inputs,
    measure_ours,
    measure_rivals,
)
from benchmarks.measure import Budget, memory_of  # noqa: E402
from benchmarks.outcome import RESULTS, cell, header, machine, write  # noqa: E402

# Each table's key in the result, its title, and its columns: heading, key, unit.
TABLES: tuple[tuple[str, str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "memory",
        "Memory after loading (whole vocabulary, then trimmed)",
        (
            ("case", "case", ""),
            ("parameters", "parameter_bytes", "bytes"),
            ("on the device", "resident_bytes", "bytes"),
            ("peak", "peak_loading_bytes", "bytes"),
            ("parameters, trimmed", "trimmed_parameter_bytes", "bytes"),
            ("on the device, trimmed", "trimmed_resident_bytes", "bytes"),
        ),
    ),
    (
        "training",
        "LoRA training (medians over steps)",
        (
            ("case", "case", ""),
            ("compute", "compute", ""),
            ("batch", "batch", ""),
            ("vocabulary", "vocabulary", ""),
            ("tokens/s", "tokens_per_second", ""),
            ("ours int8 / this", "int8_ratio", "x"),
            ("s/step", "seconds_per_step", ""),
            ("peak memory", "peak_memory_bytes", "bytes"),
        ),
    ),
    (
        "encoding",
        "Encoding (mean-pooled states of all layers up to the deepest)",
        (
            ("case", "case", ""),
            ("compute", "compute", ""),
            ("deepest layer", "deepest_layer", ""),
            ("sentences/s", "sentences_per_second", ""),
            ("ours int8 / this", "int8_ratio", "x"),
            ("peak memory", "peak_memory_bytes", "bytes"),
        ),
    ),
    (
        "checks",
        "Checks (a sentence alone against in company; the same training again, and resumed)",
        (
            ("case", "case", ""),
            ("largest difference", "largest_difference", ""),
            ("relative", "relative_difference", ""),
            ("repeated equal", "is_repeated_equal", ""),
            ("difference", "repeated_difference", ""),
            ("resumed equal", "is_resumed_equal", ""),
            ("difference", "resumed_difference", ""),
        ),
    ),
)


def measure(sizes: Sizes, *, device: str, budget: Budget) -> dict[str, Any]:
    """Runs all cases that fit into the budget."""
    where = torch.device(device)
    settings = {
        "device": device,
        "is_tiny": sizes is TINY,
        "threads": torch.get_num_threads(),
        "budget_seconds": budget.seconds,
        "seed": SEED,
        "sizes": {name: _plain(value) for name, value in vars(sizes).items()},
        "weights": "random",
        "rows": "synthetic ids; lengths as SST-2's (training) and Tatoeba's (encoding)",
        "memory_is": memory_of(where),
    }
    result = header("gpu", settings)
    print(f"{result['benchmark']} benchmark on {device}: {machine(result)}")
    found = inputs(sizes, where, random_encoder(sizes.shape, seed=SEED))

    def told(what: str) -> None:
        print(f"  {budget.spent:5.0f} s  {what}", flush=True)

    parts = measure_ours(found, budget, told)
    rivals = measure_rivals(found, budget, told)
    result |= {name: rows + rivals.get(name, []) for name, rows in parts.items()}
    _add_ratios(result["training"], "tokens_per_second", ())
    _add_ratios(result["encoding"], "sentences_per_second", ("deepest_layer",))
    return result | {
        "skipped": budget.skipped,
        "failed": budget.failed,
        "seconds": round(budget.spent, 1),
    }


def _plain(value: Any) -> Any:
    """A dataclass as a mapping, anything else as it is."""
    return vars(value) if hasattr(value, "__dict__") else value


def _add_ratios(rows: list[dict[str, Any]], rate: str, alike: tuple[str, ...]) -> None:
    """Puts beside each rate how many times as fast our int8 was in the same run."""
    for row in rows:
        for reference in rows:
            if reference["case"] == "int8" and all(reference[k] == row[k] for k in alike):
                row["int8_ratio"] = reference[rate] / row[rate]


def print_tables(result: dict[str, Any]) -> None:
    """Prints plain tables; `rich` may be missing where this runs."""
    for key, title, columns in TABLES:
        print(f"\n{title}")
        lines = [[heading for heading, _, _ in columns]]
        lines += [[cell(row.get(name), unit) for _, name, unit in columns] for row in result[key]]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        for line in lines:
            print("  " + "  ".join(text.ljust(w) for text, w in zip(line, widths, strict=True)))
    print(f"\nMemory: {result['settings']['memory_is']}.")
    for skipped in result["skipped"]:
        print(f"SKIPPED {skipped['case']}: {skipped['why']}")
    for failed in result["failed"]:
        print(f"FAILED {failed['case']}: {failed['error']}")


def main() -> int:
    """Measures, prints, writes; 1 where a case failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a tiny shape: tests the code only")
    parser.add_argument("--budget", type=float, default=420.0, help="seconds (default 420)")
    parser.add_argument("--output", type=Path, help="JSON file (default: in benchmarks/results)")
    given = parser.parse_args()
    if given.device == "cuda" and not torch.cuda.is_available():
        parser.error(f"torch {torch.__version__} sees no CUDA device; try --device cpu --tiny")
    name = f"gpu-{'tiny-' if given.tiny else ''}{given.device}.json"
    path = given.output or RESULTS / name
    budget = Budget(given.budget)
    result = measure(TINY if given.tiny else LARGE, device=given.device, budget=budget)
    print_tables(result)
    write(result, path)
    print(f"\n{result['seconds']:.0f} s; written to {path}")
    return 1 if result["failed"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
