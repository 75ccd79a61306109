"""The pocket base on real text: our int8 against `none` and against the Trainer, in turns."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch

from adaptstilts.alignment.corpus import corpus
from adaptstilts.base.identity import identify
from adaptstilts.base.load import Base, load_base
from adaptstilts.base.quantize import Quantization
from adaptstilts.data.batches import bucketed
from adaptstilts.data.bitext import bitext
from adaptstilts.data.classification import examples
from adaptstilts.data.pocket import Pocket
from adaptstilts.data.tokens import tokenize
from adaptstilts.task.intermediate.sst2 import SST2
from adaptstilts.task.registry import BENCHMARKS
from adaptstilts.training.classification import Labelled
from benchmarks import ours, rival
from benchmarks.measure import Timed, rates

CPU = torch.device("cpu")
ROUNDS = 4
TOKENS_PER_BATCH, MAX_LENGTH = 1024, 64
WARM_UP, STEPS = 2, 8
TRAINERS: dict[str, rival.Sampling] = {
    "trainer": "random",
    "trainer_grouped": "group_by_length",
}
OURS: Quantization = "int8"
QUANTIZATIONS: tuple[Quantization, ...] = (OURS, "none")


@dataclass(frozen=True)
class Text:
    """Tokenised pocket data: the sentiment rows, and the distinct sentences of all bitexts."""

    train: Labelled
    sentences: list[list[int]]


def load(quantization: Quantization) -> Base:
    """The bundled encoder on the CPU in 32-bit floats."""
    return load_base(
        identify("pocket", None),
        revision=None,
        quantization=quantization,
        compute="fp32",
        device="cpu",
    )


def loading() -> dict[str, Any]:
    """Seconds of loading the bundled encoder in int8, its files already in the file cache."""
    load(OURS)
    started = time.perf_counter()
    base = load(OURS)
    seconds = time.perf_counter() - started
    return {
        "case": "load the pocket base",
        "quantization": OURS,
        "seconds": seconds,
        "parameter_bytes": base.bytes,
    }


def read(base: Base) -> Text:
    """The bundled text, tokenised by the base's tokenizer."""
    tokenizer, source = base.tokenizer, Pocket()
    if tokenizer is None:
        raise ValueError("the pocket base came without its tokenizer")
    rows = examples(source.read(SST2.train), SST2)
    train = Labelled(tokenize(tokenizer, rows.texts, max_length=MAX_LENGTH), rows.labels)
    tables = BENCHMARKS["tatoeba"].tables
    bitexts = [
        bitext(source.read(table), language)
        for language, table in tables.items()
        if source.has(table)
    ]
    return Text(train, corpus(bitexts, tokenizer, max_length=128).token_ids)


def training(bases: dict[Quantization, Base], text: Text) -> list[dict[str, Any]]:
    """Steps of our loop with each quantization and of the Trainer, in turns."""
    lengths = [len(ids) for ids in text.train.token_ids]
    batches = bucketed(lengths, tokens_per_batch=TOKENS_PER_BATCH, seed=1, epoch=0)
    rows_per_batch = round(len(lengths) / len(batches))
    model = rival.classifier(
        bases["none"].model, "none", compute="fp32", device=CPU, is_checkpointing=False
    )
    timed: dict[str, Iterator[Timed]] = {
        name: ours.steps(ours.new_training(base, text.train, tokens_per_batch=TOKENS_PER_BATCH))
        for name, base in bases.items()
    }
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in [*timed, *TRAINERS]}
    for _ in range(ROUNDS):
        for name, pieces in timed.items():
            list(islice(pieces, WARM_UP))
            rounds[name].append(rates(list(islice(pieces, STEPS))))
        for name, sampling in TRAINERS.items():
            rounds[name].append(
                rival.training_rates(
                    model,
                    text.train,
                    rows_per_batch=rows_per_batch,
                    warm_up=WARM_UP,
                    measured=STEPS,
                    sampling=sampling,
                    device=CPU,
                )
            )
    batch = dict.fromkeys(timed, f"{TOKENS_PER_BATCH} tokens")
    batch |= dict.fromkeys(TRAINERS, f"{rows_per_batch} rows")
    return [
        {"case": name, "batch": batch[name], "steps": ROUNDS * STEPS}
        | _medians(rounds, name, ("steps_per_second", "tokens_per_second"))
        | _ratio(rounds, name, "tokens_per_second")
        for name in rounds
    ]


def encoding(bases: dict[Quantization, Base], text: Text) -> list[dict[str, Any]]:
    """All layers of all sentences with each quantization and by a plain script, in turns."""
    shape = bases[OURS].shape
    layers = range(shape.layers + 1)
    vectors = np.ones((len(layers), len(text.sentences), shape.width), dtype=np.float32)
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in [*bases, "plain transformers"]}
    for _ in range(ROUNDS):
        for name, base in bases.items():
            rounds[name].append(
                ours.encoding_rates(base, text.sentences, layers=layers, vectors=vectors)
            )
        rounds["plain transformers"].append(
            rival.encoding_rates(bases["none"].model, text.sentences, vectors=vectors, device=CPU)
        )
    return [
        {"case": name, "sentences": len(text.sentences), "layers": len(layers)}
        | _medians(rounds, name, ("sentences_per_second",))
        | _ratio(rounds, name, "sentences_per_second")
        for name in rounds
    ]


def _medians(
    rounds: dict[str, list[dict[str, Any]]], name: str, keys: tuple[str, ...]
) -> dict[str, float]:
    """Medians over the rounds."""
    return {key: statistics.median(one[key] for one in rounds[name]) for key in keys}


def _ratio(rounds: dict[str, list[dict[str, Any]]], name: str, key: str) -> dict[str, float]:
    """How many times as fast our int8 was: the median over the rounds, and the extremes."""
    ratios = [
        mine[key] / theirs[key] for mine, theirs in zip(rounds[OURS], rounds[name], strict=True)
    ]
    return {
        "int8_ratio": statistics.median(ratios),
        "int8_ratio_low": min(ratios),
        "int8_ratio_high": max(ratios),
    }
