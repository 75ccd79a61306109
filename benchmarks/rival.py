"""The set-up that people would use instead: transformers' Trainer, PEFT and bitsandbytes."""

from __future__ import annotations

import copy
import logging
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from peft import LoraConfig, TaskType, get_peft_model, prepare_model_for_kbit_training
from torch import nn
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    XLMRobertaForSequenceClassification,
    XLMRobertaModel,
)

from adaptstilts.adapter.lora import target_pattern
from adaptstilts.base.quantize import Quantization, quantize
from adaptstilts.training.classification import Labelled
from benchmarks import ours
from benchmarks.measure import Timed, each, rates, wait_for
from benchmarks.rows import PADDING

# Deprecations that these libraries call on each other; there is nothing here to change.
for library in ("torch", "transformers"):
    warnings.filterwarnings("ignore", module=rf"{library}\.")

BATCH_OF_ENCODING = 100
Sampling = Literal["random", "group_by_length"]


def classifier(
    encoder: XLMRobertaModel,
    quantization: Quantization,
    *,
    compute: Literal["bf16", "fp32"],
    device: torch.device,
    is_checkpointing: bool,
) -> nn.Module:
    """PEFT's model for classification, prepared as PEFT's documentation says.

    Linear layers are held as bitsandbytes holds them (`llm_int8` is `Linear8bitLt` with its outlier
    threshold, what `load_in_8bit` gives) or not quantized (`none`); the vocabulary is whole.
    """
    config = copy.deepcopy(encoder.config)
    config.num_labels = 2
    config.classifier_dropout = ours.HEAD_DROPOUT
    # Dropout of the frozen base is off in our loop, so it is off here: the work is the same.
    config.hidden_dropout_prob = config.attention_probs_dropout_prob = 0.0
    with torch.device("meta"):
        model = XLMRobertaForSequenceClassification(config)
    model.roberta = copy.deepcopy(encoder)
    model.classifier.to_empty(device="cpu")
    for parameter in model.classifier.parameters():
        nn.init.normal_(parameter, std=0.02)
    dtype = torch.bfloat16 if compute == "bf16" else torch.float32
    quantize(model, quantization, device=device, dtype=dtype)
    if quantization != "none":
        model = prepare_model_for_kbit_training(model, use_gradient_checkpointing=is_checkpointing)
    adapted: nn.Module = get_peft_model(
        model,
        LoraConfig(
            task_type=TaskType.SEQ_CLS,
            r=ours.RANK,
            lora_alpha=ours.ALPHA,
            lora_dropout=0.0,
            target_modules=target_pattern(ours.TARGETS),
        ),
    )
    return adapted


class _Clock(TrainerCallback):  # type: ignore[misc]
    """Notes when each optimizer step ended."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.ends: list[float] = []

    def on_train_begin(self, *_args: object, **_kwargs: object) -> None:
        wait_for(self.device)
        self.ends.append(time.perf_counter())

    def on_step_end(self, *_args: object, **_kwargs: object) -> None:
        wait_for(self.device)
        self.ends.append(time.perf_counter())


def training_rates(
    model: nn.Module,
    train: Labelled,
    *,
    rows_per_batch: int,
    warm_up: int,
    measured: int,
    sampling: Sampling = "random",
    compute: Literal["bf16", "fp32"] = "fp32",
    device: torch.device,
) -> dict[str, Any]:
    """Medians over `measured` of the Trainer's steps after `warm_up` that are not counted.

    Args:
        model: What `classifier` gave.
        train: Tokenised rows with labels.
        rows_per_batch: Rows of a batch, which is also the effective batch.
        warm_up: Steps before the measured ones.
        measured: Steps whose times and tokens are counted.
        sampling: The Trainer's order: its default, or batches of like lengths.
        compute: `bf16` is the Trainer's mixed precision.
        device: Where the model is.
    """
    tokens: list[int] = []

    def collate(rows: list[Mapping[str, Any]]) -> dict[str, torch.Tensor]:
        longest = max(len(row["input_ids"]) for row in rows)
        input_ids = torch.full((len(rows), longest), PADDING)
        for index, row in enumerate(rows):
            input_ids[index, : len(row["input_ids"])] = torch.as_tensor(row["input_ids"])
        mask = (input_ids != PADDING).long()
        tokens.append(int(mask.sum()))
        labels = torch.as_tensor([row["labels"] for row in rows])
        return {"input_ids": input_ids, "attention_mask": mask, "labels": labels}

    rows = [
        {"input_ids": list(ids), "labels": label}
        for ids, label in zip(train.token_ids, train.labels, strict=True)
    ]
    clock = _Clock(device)
    logging.getLogger("transformers").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=rows_per_batch,
            max_steps=warm_up + measured,
            learning_rate=ours.LEARNING_RATE,
            weight_decay=ours.WEIGHT_DECAY,
            max_grad_norm=ours.CLIP,
            train_sampling_strategy=sampling,
            bf16=compute == "bf16",
            use_cpu=device.type == "cpu",
            dataloader_pin_memory=device.type == "cuda",
            remove_unused_columns=False,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            logging_strategy="no",
            seed=1,
        )
        trainer = Trainer(
            model=model,
            args=arguments,
            train_dataset=rows,
            data_collator=collate,
            callbacks=[clock],
        )
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    pieces = [
        Timed(end - begin, {"tokens": count})
        for begin, end, count in zip(clock.ends, clock.ends[1:], tokens, strict=False)
    ]
    return rates(pieces[warm_up:])


def encoding_rates(
    model: XLMRobertaModel,
    token_ids: Sequence[Sequence[int]],
    *,
    vectors: NDArray[np.float32],
    device: torch.device,
) -> dict[str, Any]:
    """All layers by `output_hidden_states`, mean-pooled, 100 sentences at a time as they come.

    Args:
        model: An encoder in `eval()` mode.
        token_ids: Ids of each sentence.
        vectors: Room for the result, shape [layers, sentences, width].
        device: Where the model is.
    """

    def batches(count: int) -> Iterator[int]:
        for start in range(0, count, BATCH_OF_ENCODING):
            rows = token_ids[start : start + BATCH_OF_ENCODING]
            longest = max(map(len, rows))
            padded = [[*ids, *[PADDING] * (longest - len(ids))] for ids in rows]
            input_ids = torch.as_tensor(padded, device=device)
            mask = (input_ids != PADDING).long()
            with torch.no_grad():
                states = model(
                    input_ids=input_ids, attention_mask=mask, output_hidden_states=True
                ).hidden_states
            weights = mask.unsqueeze(-1).float()
            for layer, state in enumerate(states):
                pooled = (state.float() * weights).sum(dim=1) / weights.sum(dim=1)
                vectors[layer, start : start + len(rows)] = pooled.cpu().numpy()
            yield len(rows)

    list(batches(max(1, len(token_ids) // 20)))

    def whole() -> Iterator[int]:
        yield sum(batches(len(token_ids)))

    (piece,) = each(whole(), device, lambda done: {"sentences": done})
    return {
        "layers": model.config.num_hidden_layers + 1,
        "deepest_layer": model.config.num_hidden_layers,
        "sentences": len(token_ids),
        "tokens": sum(map(len, token_ids)),
        "seconds": piece.seconds,
        "sentences_per_second": len(token_ids) / piece.seconds,
    }
