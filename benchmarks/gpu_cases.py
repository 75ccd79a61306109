"""The cases of the GPU benchmark, one after another on one encoder with random weights."""

from __future__ import annotations

import gc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import XLMRobertaModel

from adaptstilts.base.load import Base
from adaptstilts.base.quantize import Quantization
from adaptstilts.base.shape import XLM_R_LARGE, Shape
from adaptstilts.data.batches import bucketed
from adaptstilts.training.classification import Labelled
from benchmarks import checks, ours, rival
from benchmarks.measure import Budget, peak_bytes, reset_peak, resident_bytes
from benchmarks.rows import TATOEBA_LENGTHS, labelled, token_rows

# The order in which they are measured, should the time run out.
QUANTIZATIONS: tuple[Quantization, ...] = ("int8", "llm_int8", "none", "nf4")
SEED = 20_201


@dataclass(frozen=True)
class Sizes:
    """How much is measured, and on what shape.

    Attributes:
        shape: The encoder's dimensions.
        kept_pieces: Pieces that the rows use, which trimming keeps.
        exit_layer: Where early exit stops.
        tokens_per_batch: Budget of a training batch.
        rows: Training rows.
        sentences: Sentences that are encoded.
        warm_up: Training steps that are not counted.
        steps: Training steps that are.
        compute: Type of the computation.
    """

    shape: Shape
    kept_pieces: int
    exit_layer: int
    tokens_per_batch: int
    rows: int
    sentences: int
    warm_up: int
    steps: int
    compute: Literal["bf16", "fp32"]


LARGE = Sizes(XLM_R_LARGE, 30_000, 14, 4096, 20_000, 20_000, 5, 50, "bf16")
TINY = Sizes(Shape(2, 64, 4, 128, 1000, 130), 300, 1, 256, 400, 200, 2, 4, "fp32")


@dataclass(frozen=True)
class Inputs:
    """What all cases share.

    Attributes:
        sizes: How much is measured.
        device: Where.
        encoder: Random weights, on the CPU; cases copy it.
        train: Rows with SST-2's lengths.
        sentences: Token ids with Tatoeba's lengths.
        vectors: Room for pooled states, shape [layers + 1, sentences, width].
    """

    sizes: Sizes
    device: torch.device
    encoder: XLMRobertaModel
    train: Labelled
    sentences: list[list[int]]
    vectors: NDArray[np.float32]

    @property
    def rows_per_batch(self) -> int:
        """Rows of our loop's mean batch, which the Trainer gets as its batch size."""
        lengths = [len(ids) for ids in self.train.token_ids]
        budget = self.sizes.tokens_per_batch
        batches = bucketed(lengths, tokens_per_batch=budget, seed=1, epoch=0)
        return round(len(lengths) / len(batches))


def inputs(sizes: Sizes, device: torch.device, encoder: XLMRobertaModel) -> Inputs:
    """Draws the rows and sentences, the same on every machine."""
    shape = sizes.shape
    sentences = token_rows(TATOEBA_LENGTHS, n=sizes.sentences, pieces=sizes.kept_pieces, seed=SEED)
    vectors = np.zeros((shape.layers + 1, sizes.sentences, shape.width), dtype=np.float32)
    vectors.fill(0.0)  # zeros alone would leave the pages to be found by the first case
    train = labelled(n=sizes.rows, pieces=sizes.kept_pieces, seed=SEED)
    return Inputs(sizes, device, encoder, train, sentences, vectors)


Told = Callable[[str], None]


def measure_ours(found: Inputs, budget: Budget, told: Told) -> dict[str, list[dict[str, Any]]]:
    """Memory, checks, encoding and training with each quantization."""
    result: dict[str, list[dict[str, Any]]] = {
        name: [] for name in ("memory", "checks", "encoding", "training")
    }
    for quantization in QUANTIZATIONS:
        with budget.case("ours", quantization) as fits:
            if fits:
                told(f"ours, {quantization}")
                _measure_quantization(found, quantization, result)
        _forget(found.device)
    return result


def _measure_quantization(
    found: Inputs, quantization: Quantization, result: dict[str, list[dict[str, Any]]]
) -> None:
    """All cases of one quantization; each is kept as soon as it is done."""
    sizes, device = found.sizes, found.device
    about = {"case": quantization, "quantization": quantization, "compute": sizes.compute}
    base, memory = _load(found, quantization)
    result["memory"].append(about | memory)

    few = found.sentences[:32]
    check = checks.batch_dependence(base, few)
    if quantization == "int8":
        budget = sizes.tokens_per_batch
        check |= checks.repeatability(base, found.train, tokens_per_batch=budget)
    result["checks"].append(about | check)

    for deepest in (sizes.shape.layers, sizes.exit_layer):
        reset_peak(device)
        layers = range(deepest + 1)
        rates = ours.encoding_rates(
            base, found.sentences, layers=layers, vectors=found.vectors[: deepest + 1]
        )
        result["encoding"].append(about | rates | {"peak_memory_bytes": peak_bytes(device)})

    training = ours.new_training(base, found.train, tokens_per_batch=sizes.tokens_per_batch)
    reset_peak(device)
    rates = ours.training_rates(training, warm_up=sizes.warm_up, measured=sizes.steps)
    trained = {"batch": f"{sizes.tokens_per_batch} tokens", "vocabulary": "trimmed"}
    result["training"].append(about | trained | rates | {"peak_memory_bytes": peak_bytes(device)})


def _load(found: Inputs, quantization: Quantization) -> tuple[Base, dict[str, Any]]:
    """A base, trimmed, and the memory that it takes before and after trimming."""
    device = found.device
    before = resident_bytes(device)
    reset_peak(device)
    base = ours.base_of(
        found.encoder, quantization, compute=found.sizes.compute, device=device.type
    )
    memory: dict[str, Any] = {
        "parameter_bytes": base.bytes,
        "peak_loading_bytes": peak_bytes(device),
        "resident_bytes": _since(device, before),
    }
    base.trim_vocabulary(list(range(found.sizes.kept_pieces)))
    _forget(device)
    memory |= {
        "trimmed_parameter_bytes": base.bytes,
        "trimmed_resident_bytes": _since(device, before),
        "pieces": found.sizes.shape.pieces,
        "kept_pieces": found.sizes.kept_pieces,
    }
    return base, memory


def _since(device: torch.device, before: int | None) -> int | None:
    """Device memory taken since `before`; None on the CPU, where the process holds much else."""
    now = resident_bytes(device)
    if device.type == "cpu" or now is None or before is None:
        return None
    return now - before


@dataclass(frozen=True)
class RivalCase:
    """One way of using the Trainer."""

    name: str
    quantization: Quantization
    sampling: rival.Sampling
    is_checkpointing: bool


RIVALS = (
    RivalCase("trainer_llm_int8", "llm_int8", "random", is_checkpointing=False),
    RivalCase("trainer_llm_int8_grouped", "llm_int8", "group_by_length", is_checkpointing=False),
    RivalCase("trainer_none", "none", "random", is_checkpointing=False),
    RivalCase("trainer_llm_int8_checkpointing", "llm_int8", "random", is_checkpointing=True),
)


def measure_rivals(found: Inputs, budget: Budget, told: Told) -> dict[str, list[dict[str, Any]]]:
    """The Trainer with PEFT, and plain encoding with transformers."""
    result: dict[str, list[dict[str, Any]]] = {"encoding": [], "training": []}
    for case in RIVALS:
        with budget.case("rival", case.name) as fits:
            if fits:
                told(f"rival, {case.name}")
                result["training"].append(_train_rival(found, case))
        _forget(found.device)
    for quantization in ("llm_int8", "none"):
        with budget.case("rival encoding", quantization) as fits:
            if fits:
                told(f"rival encoding, {quantization}")
                result["encoding"].append(_encode_rival(found, quantization))
        _forget(found.device)
    return result


def _train_rival(found: Inputs, case: RivalCase) -> dict[str, Any]:
    """Training with the Trainer in one of its set-ups."""
    sizes, device = found.sizes, found.device
    model = rival.classifier(
        found.encoder,
        case.quantization,
        compute=sizes.compute,
        device=device,
        is_checkpointing=case.is_checkpointing,
    )
    reset_peak(device)
    rates = rival.training_rates(
        model,
        found.train,
        rows_per_batch=found.rows_per_batch,
        warm_up=sizes.warm_up,
        measured=sizes.steps,
        sampling=case.sampling,
        compute=sizes.compute,
        device=device,
    )
    about = {
        "case": case.name,
        "quantization": case.quantization,
        "compute": sizes.compute,
        "batch": f"{found.rows_per_batch} rows",
        "vocabulary": "whole",
        "is_checkpointing": case.is_checkpointing,
    }
    return about | rates | {"peak_memory_bytes": peak_bytes(device)}


def _encode_rival(found: Inputs, quantization: Quantization) -> dict[str, Any]:
    """Encoding as a plain script does it, on the whole vocabulary."""
    device, compute = found.device, found.sizes.compute
    base = ours.base_of(found.encoder, quantization, compute=compute, device=device.type)
    reset_peak(device)
    rates = rival.encoding_rates(base.model, found.sentences, vectors=found.vectors, device=device)
    about = {"case": f"plain_{quantization}", "quantization": quantization, "compute": compute}
    return about | rates | {"peak_memory_bytes": peak_bytes(device)}


def _forget(device: torch.device) -> None:
    """Frees what the last case held."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
