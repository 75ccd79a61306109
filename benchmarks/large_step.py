"""One process of its own: an XLM-R-Large-shaped base in int8 takes LoRA training steps on the CPU.

Prints one line of JSON; `benchmarks/cpu.py` calls it, with and without `--trim`, so that each
peak of memory is the process' own.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from adaptstilts.base.load import frozen_base, random_encoder
from adaptstilts.base.shape import XLM_R_LARGE
from adaptstilts.base.vocabulary import used_pieces
from benchmarks import ours
from benchmarks.measure import memory_of, peak_bytes, reset_peak, resident_bytes
from benchmarks.rows import labelled

CPU = torch.device("cpu")
ROWS, TOKENS_PER_BATCH, STEPS = 200, 320, 2


def measure(*, is_trimmed: bool) -> dict[str, Any]:
    """Memory and seconds of making, freezing, trimming and stepping."""
    libraries = resident_bytes(CPU)
    reset_peak(CPU)
    seconds = {}
    started = time.perf_counter()
    encoder = random_encoder(XLM_R_LARGE, seed=0)
    seconds["seconds_making"] = time.perf_counter() - started

    started = time.perf_counter()
    base = frozen_base(encoder, None, quantization="int8", compute="fp32", device="cpu")
    train = labelled(n=ROWS, pieces=XLM_R_LARGE.pieces, seed=0)
    if is_trimmed:
        base.trim_vocabulary(used_pieces(train.token_ids, range(4)))
    seconds["seconds_freezing"] = time.perf_counter() - started
    peak_loading = peak_bytes(CPU)

    reset_peak(CPU)
    loaded = resident_bytes(CPU)
    training = ours.new_training(base, train, tokens_per_batch=TOKENS_PER_BATCH)
    taken = list(islice(ours.steps(training), STEPS))
    return {
        "case": "trimmed" if is_trimmed else "whole vocabulary",
        "layers": base.shape.layers,
        "pieces": XLM_R_LARGE.pieces,
        "kept_pieces": base.model.get_input_embeddings().num_embeddings,
        "parameter_bytes": base.bytes,
        "tokens_of_steps": [piece.amounts["tokens"] for piece in taken],
        "seconds_of_steps": [piece.seconds for piece in taken],
        **seconds,
        "libraries_bytes": libraries,
        "peak_loading_bytes": peak_loading,
        "loaded_bytes": loaded,
        "peak_step_bytes": peak_bytes(CPU),
        "peak_process_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "memory_is": memory_of(CPU),
    }


def main() -> None:
    """Measures one case and prints it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trim", action="store_true")
    print(json.dumps(measure(is_trimmed=parser.parse_args().trim)))


if __name__ == "__main__":
    main()
