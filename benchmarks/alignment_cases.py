"""Alignment in phases, beside a bare forward pass; and adapters together, beside one at a time."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase

from adaptstilts.adapter.attach import adapter_layers, attach, detach
from adaptstilts.adapter.lora import lora_config
from adaptstilts.alignment.corpus import Corpus, corpus
from adaptstilts.alignment.encode import TOKENS_PER_BATCH, System, encode, encode_systems
from adaptstilts.alignment.geometry import Measure, measure
from adaptstilts.alignment.retrieval import Retrieval, retrieve
from adaptstilts.alignment.spaces import AVERAGED, BY_LAYER, retrieve_in
from adaptstilts.alignment.store import pack
from adaptstilts.base.identity import identify
from adaptstilts.base.load import Base, load_base, load_tokenizer, random_encoder
from adaptstilts.base.quantize import Quantization
from adaptstilts.base.shape import XLM_R_LARGE
from adaptstilts.composition.activate import active
from adaptstilts.data.batches import collate, length_sorted
from adaptstilts.data.bitext import Bitext, bitext
from adaptstilts.data.source import Source, open_sources
from adaptstilts.task.registry import BENCHMARKS
from benchmarks.measure import wait_for
from benchmarks.ours import base_of

SPACES = (*BY_LAYER, AVERAGED)
MAX_LENGTH = 128  # the pocket encoder has 130 positions, of which 2 are padding's
# What a full measurement of all layers may cost, in bare forward passes.
GOAL = 1.15
RANK, TARGETS, STRENGTH = 8, ("query", "value"), 0.02


@dataclass(frozen=True)
class Material:
    """What is measured with.

    Attributes:
        base: The encoder.
        bitexts: The sentences, one bitext for each language.
        corpus: The distinct ones, tokenised.
        source: Where they come from: `mirror` or `pocket`.
    """

    base: Base
    bitexts: list[Bitext]
    corpus: Corpus
    source: str

    @property
    def layers(self) -> range:
        """All indices into `hidden_states`."""
        return range(self.base.shape.layers + 1)


def load(device: str, quantization: Quantization) -> Base:
    """The bundled encoder on the CPU; XLM-R Large's shape with random weights on a GPU."""
    if device == "cuda":
        encoder = random_encoder(XLM_R_LARGE, seed=1)
        return base_of(encoder, quantization, compute="bf16", device=device)
    return load_base(
        identify("pocket", None),
        revision=None,
        quantization=quantization,
        compute="fp32",
        device=device,
    )


def read(languages: Sequence[str], *, pairs: int | None) -> tuple[list[Bitext], str]:
    """The first `pairs` pairs of some languages, all from a mirror where one has them."""
    tables = BENCHMARKS["tatoeba"].tables
    sources: list[Source] = open_sources("pocket")
    source = next(
        (one for one in sources if all(one.has(tables[code]) for code in languages)), None
    )
    if source is None:
        raise SystemExit(f"no source has all of {' '.join(languages)}")
    whole = [bitext(source.read(tables[code]), code) for code in languages]
    cut = [Bitext(one.language, one.foreign[:pairs], one.english[:pairs]) for one in whole]
    return cut, source.name


def gather(base: Base, languages: Sequence[str], *, pairs: int | None) -> Material:
    """Reads and tokenises; the pocket tokenizer's ids serve an encoder without one, too."""
    bitexts, source = read(languages, pairs=pairs)
    return Material(base, bitexts, tokenised(bitexts), source)


def tokenised(bitexts: Sequence[Bitext]) -> Corpus:
    """The distinct sentences by the bundled tokenizer."""
    return corpus(bitexts, pocket_tokenizer(), max_length=MAX_LENGTH)


@cache
def pocket_tokenizer() -> PreTrainedTokenizerBase:
    """The bundled tokenizer, read once."""
    return load_tokenizer(identify("pocket", None), None)


def forward(base: Base, token_ids: Sequence[Sequence[int]]) -> None:
    """The rival: the bare encoder over the same batches; its states are thrown away."""
    lengths = [len(ids) for ids in token_ids]
    padding = base.model.config.pad_token_id
    for batch in length_sorted(lengths, tokens_per_batch=TOKENS_PER_BATCH[base.device.type]):
        inputs = collate([token_ids[index] for index in batch], padding_id=padding)
        input_ids, mask = (tensor.to(base.device) for tensor in inputs)
        with torch.no_grad():
            base.model(input_ids=input_ids, attention_mask=mask)


@contextmanager
def room(material: Material, *, systems: int = 1) -> Iterator[list[NDArray[np.float32]]]:
    """Scratch files for the vectors of all layers, as a run has them."""
    sentences = len(material.corpus.token_ids)
    shape = (len(material.layers), sentences, material.base.shape.width)
    with tempfile.TemporaryDirectory(prefix="adaptstilts-bench-") as folder:
        yield [
            np.lib.format.open_memmap(
                Path(folder) / f"{number}.npy", mode="w+", dtype=np.float32, shape=shape
            )
            for number in range(systems)
        ]


def search(
    material: Material, vectors: NDArray[np.float32], *, everything: bool = True
) -> list[Retrieval]:
    """All layers and both directions in every language."""
    return [
        retrieve(
            vectors,
            language=one.language,
            layers=material.layers,
            foreign=material.corpus.foreign[one.language],
            english=material.corpus.english[one.language],
            device=material.base.device,
            everything=everything,
        )
        for one in material.bitexts
    ]


def extra_spaces(material: Material, vectors: NDArray[np.float32]) -> list[Retrieval]:
    """Nearest neighbours in every space that a recipe can ask for."""
    return [
        retrieve_in(
            space,
            vectors,
            language=one.language,
            layers=material.layers,
            foreign=material.corpus.foreign[one.language],
            english=material.corpus.english[one.language],
        )
        for one in material.bitexts
        for space in SPACES
    ]


def geometry(
    material: Material, vectors: NDArray[np.float32], retrievals: Sequence[Retrieval]
) -> list[Measure]:
    """All figures about the space of every layer."""
    return measure(
        vectors,
        retrievals,
        layers=material.layers,
        foreign=material.corpus.foreign,
        english=material.corpus.english,
    )


def write(found: Sequence[Retrieval]) -> None:
    """What was found, as a run keeps it."""
    arrays = {name: array for one in found for name, array in pack(one).items()}
    with tempfile.TemporaryFile() as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def phases(material: Material, *, rounds: int) -> list[dict[str, Any]]:
    """Seconds of each phase and its share of a bare forward pass, in turns; medians."""
    base, ids = material.base, material.corpus.token_ids
    found: dict[str, list[float]] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        wait_for(base.device)
        started = time.perf_counter()
        result = work()
        wait_for(base.device)
        found.setdefault(name, []).append(time.perf_counter() - started)
        return result

    forward(base, ids[: max(1, len(ids) // 20)])  # warms up; not counted
    for _ in range(rounds):
        with room(material) as (vectors,):
            timed("tokenise", lambda: tokenised(material.bitexts))
            timed("bare forward pass", lambda: forward(base, ids))
            timed(
                "encode (forward, pool, keep)",
                partial(_exhaust, base, ids, material.layers, vectors),
            )
            retrievals = timed("search, all metrics", lambda: search(material, vectors))
            timed("search, cosine alone", lambda: search(material, vectors, everything=False))
            timed("extra spaces", lambda: extra_spaces(material, vectors))
            timed("geometry", partial(geometry, material, vectors, retrievals))
            timed("write", partial(write, retrievals))
    rows = [_row(name, found[name], found["bare forward pass"]) for name in found]
    names = ("encode (forward, pool, keep)", "search, all metrics", "write")
    whole = [sum(seconds) for seconds in zip(*(found[name] for name in names), strict=True)]
    pooled = [
        one - bare for one, bare in zip(found[names[0]], found["bare forward pass"], strict=True)
    ]
    rows.append(_row("of encode: pool and keep", pooled, found["bare forward pass"]))
    total = _row("whole: encode, search, write", whole, found["bare forward pass"])
    return [*rows, total | {"goal": GOAL, "is_within": total["forward_ratio"] <= GOAL}]


def _exhaust(
    base: Base,
    token_ids: Sequence[Sequence[int]],
    layers: Sequence[int],
    vectors: NDArray[np.float32],
) -> None:
    """Encodes everything."""
    for _ in encode(base, token_ids, layers=layers, vectors=vectors):
        pass


def _row(name: str, seconds: Sequence[float], rival: Sequence[float]) -> dict[str, Any]:
    """The median, and how many bare forward passes of its own round it took."""
    ratios = [one / other for one, other in zip(seconds, rival, strict=True)]
    return {
        "case": name,
        "seconds": statistics.median(seconds),
        "forward_ratio": statistics.median(ratios),
        "forward_ratio_low": min(ratios),
        "forward_ratio_high": max(ratios),
        "rounds": len(seconds),
    }


def together(material: Material, *, adapters: int, rounds: int) -> list[dict[str, Any]]:
    """Some adapters on the upper half of the layers, encoded at once and one at a time."""
    base, ids = material.base, material.corpus.token_ids
    shared = base.shape.layers // 2
    names = [f"bench_{number}" for number in range(adapters)]
    for number, name in enumerate(names):
        _add(base, name, layers=range(shared + 1, base.shape.layers + 1), seed=number)
    seconds: dict[str, list[float]] = {"one at a time": [], "together": []}
    forward(base, ids[: max(1, len(ids) // 20)])  # warms up; not counted
    try:
        with room(material, systems=adapters) as arrays:
            systems = [
                System(partial(active, base.model, {name: 1.0}), vectors)
                for name, vectors in zip(names, arrays, strict=True)
            ]
            for _ in range(rounds):
                for case, parts, below in (
                    ("one at a time", [[system] for system in systems], 0),
                    ("together", [systems], shared),
                ):
                    wait_for(base.device)
                    started = time.perf_counter()
                    for part in parts:
                        for _ in encode_systems(
                            base, ids, layers=material.layers, systems=part, shared=below
                        ):
                            pass
                    wait_for(base.device)
                    seconds[case].append(time.perf_counter() - started)
    finally:
        for name in names:
            detach(base.model, name)
    return [
        {
            "case": case,
            "adapters": adapters,
            "shared_layers": shared if case == "together" else 0,
            "seconds": statistics.median(found),
            "together_ratio": statistics.median(
                one / other for one, other in zip(found, seconds["together"], strict=True)
            ),
            "rounds": rounds,
        }
        for case, found in seconds.items()
    ]


def _add(base: Base, name: str, *, layers: Sequence[int], seed: int) -> None:
    """An adapter with a small random update on some layers, switched off."""
    config = lora_config(rank=RANK, alpha=2.0 * RANK, dropout=0.0, targets=TARGETS, layers=layers)
    attach(base.model, name, config, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for _, layer in adapter_layers(base.model):
        if name in layer.lora_B:
            weight = layer.lora_B[name].weight
            drawn = torch.randn(weight.shape, generator=generator) * STRENGTH
            weight.data.copy_(drawn.to(weight.dtype))
        layer.enable_adapters(enabled=False)
