"""What alignment at all layers costs: beside a bare forward pass, beside MTEB; and its memory.

`python benchmarks/alignment.py` runs on the bundled encoder, on real Tatoeba where ADAPTSTILTS_DATA
names a mirror, else on the bundled bitexts. `--device cuda` takes XLM-R Large's shape with random
weights and leaves MTEB and the memory out. `--tiny` shows in seconds that the code works.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import torch  # noqa: E402
from rich.console import Console  # noqa: E402
from rich.table import Table  # noqa: E402

from adaptstilts.task.languages import LANGUAGE_SETS  # noqa: E402
from benchmarks import alignment_cases  # noqa: E402
from benchmarks.outcome import RESULTS, cell, header, machine, write  # noqa: E402

# Each table's key in the result, its title, and its columns: heading, key, unit.
TABLES: tuple[tuple[str, str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "phases",
        "All layers, both directions: phases beside one bare forward pass over the same batches",
        (
            ("phase", "case", ""),
            ("seconds", "seconds", "s"),
            ("bare forward passes", "forward_ratio", "x"),
            ("lowest", "forward_ratio_low", "x"),
            ("highest", "forward_ratio_high", "x"),
            ("goal", "goal", "x"),
        ),
    ),
    (
        "together",
        "Adapters on the upper half of the layers",
        (
            ("encoded", "case", ""),
            ("adapters", "adapters", "n"),
            ("shared layers", "shared_layers", "n"),
            ("seconds", "seconds", "s"),
            ("this / together", "together_ratio", "x"),
        ),
    ),
    (
        "mteb",
        "Beside MTEB's Tatoeba task through sentence-transformers: from sentences to scores",
        (
            ("case", "case", ""),
            ("layers", "layers", "n"),
            ("seconds", "seconds", "s"),
            ("MTEB / this", "mteb_ratio", "x"),
            ("lowest", "mteb_ratio_low", "x"),
            ("highest", "mteb_ratio_high", "x"),
            ("macro F1", "macro_f1", ""),
        ),
    ),
    (
        "memory",
        "The process' own memory (the vectors' scratch file not counted), own process each",
        (
            ("languages", "languages", ""),
            ("sentences", "sentences", "n"),
            ("scratch file", "vectors_bytes", "bytes"),
            ("loaded", "loaded_bytes", "bytes"),
            ("peak", "peak_bytes", "bytes"),
        ),
    ),
)


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Attributes:
        languages: Codes, for the phases.
        rivals: How many of them for MTEB and for adapters together.
        pairs: Most pairs of a language; None takes all.
        rounds: How often cases take turns.
        adapters: How many are encoded together.
        memory: Numbers of languages of which the memory is measured.
        memory_pairs: Most pairs of a language there.
    """

    languages: tuple[str, ...]
    rivals: int
    pairs: int | None
    rounds: int
    adapters: int
    memory: tuple[int, ...]
    memory_pairs: int


WHOLE = Sizes(("de", "fi", "fr", "ru", "th", "zh"), 3, None, 3, 4, (5, 20), 300)
TINY = Sizes(("de", "fr"), 2, 24, 1, 2, (1, 2), 24)
# The pocket encoder's languages, those of `WHOLE` first where they are.
POCKET = LANGUAGE_SETS["pocket"]


def memory(count: int, pairs: int) -> dict[str, Any]:
    """Runs `alignment_memory.py` in a process of its own."""
    script = Path(__file__).with_name("alignment_memory.py")
    arguments = ["--languages", ",".join(POCKET[:count]), "--pairs", str(pairs)]
    done = subprocess.run(
        [sys.executable, str(script), *arguments], stdout=subprocess.PIPE, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measure(sizes: Sizes, console: Console, *, device: str) -> dict[str, Any]:
    """Runs all cases."""
    started = time.monotonic()
    base = alignment_cases.load(device, "int8")
    material = alignment_cases.gather(base, sizes.languages, pairs=sizes.pairs)
    few = alignment_cases.gather(base, sizes.languages[: sizes.rivals], pairs=sizes.pairs)
    settings = {
        "device": device,
        "is_tiny": sizes is TINY,
        "threads": torch.get_num_threads(),
        "quantization": base.quantization,
        "base": "pocket" if device == "cpu" else "XLM-R Large's shape, random weights",
        "languages": list(sizes.languages),
        "source": material.source,
        "pairs": sum(map(len, material.bitexts)),
        "sentences": len(material.corpus.token_ids),
        "rivals_languages": [one.language for one in few.bitexts],
        "rivals_sentences": len(few.corpus.token_ids),
    }
    result = header("alignment", settings)
    console.print(f"alignment benchmark on {device}: {machine(result)}")
    console.print("phases …")
    result["phases"] = alignment_cases.phases(material, rounds=sizes.rounds)
    console.print("adapters together …")
    result["together"] = alignment_cases.together(few, adapters=sizes.adapters, rounds=sizes.rounds)
    result["mteb"], result["memory"] = [], []
    if device == "cpu":
        console.print("MTEB …")
        # Imported here: it takes seconds, and a machine with a GPU need not have it.
        from benchmarks.mteb_rival import beside_mteb

        result["mteb"] = beside_mteb(few.bitexts, rounds=sizes.rounds)
        console.print("memory …")
        result["memory"] = [memory(count, sizes.memory_pairs) for count in sizes.memory]
    result["seconds"] = round(time.monotonic() - started, 1)
    return result


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--languages", help="codes, such as de,fr")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    sizes = TINY if options.tiny else WHOLE
    if options.languages:
        codes = tuple(options.languages.split(","))
        sizes = Sizes(**{**vars(sizes), "languages": codes})
    path = options.output or RESULTS / f"alignment-{options.device}.json"
    # A pipe gives no width; 80 columns would cut the tables.
    console = Console() if sys.stdout.isatty() else Console(width=120)
    result = measure(sizes, console, device=options.device)
    for key, title, columns in TABLES:
        if not result[key]:
            continue
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
