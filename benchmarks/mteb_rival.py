"""MTEB's Tatoeba task through sentence-transformers, beside ours, on the same encoder and text."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from datasets import Dataset
from mteb.models import SentenceTransformerEncoderWrapper
from mteb.tasks import TatoebaBitextMining
from sentence_transformers import SentenceTransformer
from sentence_transformers.models import Pooling, Transformer

from adaptstilts.alignment.encode import encode
from adaptstilts.alignment.protocol import PROTOCOLS
from adaptstilts.alignment.retrieval import outcomes
from adaptstilts.base.load import Base
from adaptstilts.data.bitext import Bitext
from adaptstilts.task.languages import LANGUAGES
from benchmarks.alignment_cases import Material, load, room, search, tokenised

MTEB = "MTEB, its defaults"
PROTOCOL = PROTOCOLS["mteb"]


def sentence_transformer(base: Base) -> SentenceTransformer:
    """The same weights and tokenizer in sentence-transformers' hands: mean over all pieces."""
    if base.tokenizer is None:
        raise ValueError("sentence-transformers needs a tokenizer; take the pocket base")
    with tempfile.TemporaryDirectory(prefix="adaptstilts-bench-") as folder:
        base.model.save_pretrained(folder)
        base.tokenizer.save_pretrained(folder)
        encoder = Transformer(folder, max_seq_length=base.shape.positions - 2)
    pooling = Pooling(base.shape.width, pooling_mode="mean")
    return SentenceTransformer(modules=[encoder, pooling], device="cpu")


def mteb_scores(model: SentenceTransformer, bitexts: Sequence[Bitext]) -> dict[str, float]:
    """What MTEB's task says of each language, encoding and all."""
    task = TatoebaBitextMining()
    names = {one.language: f"{LANGUAGES[one.language].iso3}-eng" for one in bitexts}
    task.dataset = {
        names[one.language]: {
            "test": Dataset.from_dict({"sentence1": one.foreign, "sentence2": one.english})
        }
        for one in bitexts
    }
    task.data_loaded = True
    task.hf_subsets = [*task.dataset]
    found = task.evaluate(SentenceTransformerEncoderWrapper(model), split="test", encode_kwargs={})
    return {code: float(found[name][PROTOCOL.metrics[0]]) for code, name in names.items()}


def our_scores(base: Base, bitexts: Sequence[Bitext], *, layers: Sequence[int]) -> dict[str, float]:
    """The same by ours: tokenise, encode, search and score; of the last layer it tells."""
    material = Material(base, list(bitexts), tokenised(bitexts), "")
    with room(material) as (vectors,):
        part = vectors[: len(layers)]
        for _ in encode(base, material.corpus.token_ids, layers=layers, vectors=part):
            pass
        found = search(material, part, everything=False)
    return {
        one.language: float(
            outcomes(one, PROTOCOL.directions[0], PROTOCOL.metrics[0])[:, -1].mean()
        )
        for one in found
    }


def beside_mteb(bitexts: list[Bitext], *, rounds: int) -> list[dict[str, Any]]:
    """Wall time of MTEB's task and of ours, in turns, on 32-bit weights and on ours in int8."""
    plain, int8 = load("cpu", "none"), load("cpu", "int8")
    model = sentence_transformer(plain)
    last = plain.shape.layers
    everything = range(last + 1)
    cases: dict[str, Callable[[], dict[str, float]]] = {
        MTEB: lambda: mteb_scores(model, bitexts),
        "ours, last layer": lambda: our_scores(plain, bitexts, layers=[last]),
        "ours, all layers": lambda: our_scores(plain, bitexts, layers=everything),
        "ours, all layers, int8": lambda: our_scores(int8, bitexts, layers=everything),
    }
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    scores: dict[str, dict[str, float]] = {}
    few = [Bitext(one.language, one.foreign[:8], one.english[:8]) for one in bitexts[:1]]
    mteb_scores(model, few)  # warms up, as the next line; not counted
    our_scores(plain, few, layers=everything)
    for _ in range(rounds):
        for name, work in cases.items():
            started = time.perf_counter()
            scores[name] = work()
            seconds[name].append(time.perf_counter() - started)
    return [
        {
            "case": name,
            "layers": 1 if name in (MTEB, "ours, last layer") else last + 1,
            "seconds": statistics.median(found),
            "mteb_ratio": statistics.median(_ratios(seconds[MTEB], found)),
            "mteb_ratio_low": min(_ratios(seconds[MTEB], found)),
            "mteb_ratio_high": max(_ratios(seconds[MTEB], found)),
            "macro_f1": float(np.mean(list(scores[name].values()))),
            "rounds": rounds,
        }
        for name, found in seconds.items()
    ]


def _ratios(theirs: Sequence[float], ours: Sequence[float]) -> list[float]:
    """How many times as long theirs took, round by round."""
    return [one / other for one, other in zip(theirs, ours, strict=True)]
