"""Replacing a loaded encoder's linear layers by frozen quantized ones."""

from __future__ import annotations

import logging
from typing import Literal, cast

import bitsandbytes as bnb
import torch
from torch import nn

from adaptstilts.base.int8 import Int8Linear

Quantization = Literal["int8", "llm_int8", "nf4", "none"]

# Output layers are trained or read in full precision; bitsandbytes' own default would leave only
# the last module of a model out and quantize, say, the first half of a classification head.
SKIPPED_MODULES = ("pooler", "lm_head", "classifier", "qa_outputs")

# The outlier threshold of LLM.int8() (Dettmers et al. 2022, section 3.2).
OUTLIER_THRESHOLD = 6.0


def quantize(
    model: nn.Module,
    quantization: Quantization,
    *,
    device: torch.device,
    dtype: torch.dtype,
    skip: tuple[str, ...] = SKIPPED_MODULES,
) -> None:
    """Freezes a model, moves it to a device and quantizes its linear layers, in place.

    Layers are moved one at a time, so the device never holds the unquantized model. All is left in
    `eval()` mode: in training mode bitsandbytes computes `llm_int8` on the CPU without int8.

    Args:
        model: A loaded model on the CPU.
        quantization: How linear layers are held; `none` keeps them in `dtype`.
        device: Where the model goes.
        dtype: Type of everything that is not quantized, and of the computation.
        skip: Modules left unquantized, by a part of their dotted name.
    """
    model.requires_grad_(requires_grad=False)
    if quantization != "none":
        # By name, so that each unquantized layer is freed as soon as it is replaced.
        for name in [name for name, module in model.named_modules() if type(module) is nn.Linear]:
            if not set(name.split(".")) & set(skip):
                linear = cast("nn.Linear", model.get_submodule(name))
                model.set_submodule(name, _frozen_linear(linear, quantization, device, dtype))
    for module in model.modules():
        if not isinstance(module, bnb.nn.Linear8bitLt | bnb.nn.Linear4bit):
            _move_own_tensors(module, device, dtype)
    model.eval()
    if quantization == "llm_int8":
        # It computes in float16 by design; bitsandbytes says so for every layer of every batch.
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
    # The names by which PEFT asks how a model is held.
    model.is_loaded_in_8bit = quantization in ("int8", "llm_int8")  # type: ignore[assignment]
    model.is_loaded_in_4bit = quantization == "nf4"  # type: ignore[assignment]


def _frozen_linear(
    linear: nn.Linear, quantization: Quantization, device: torch.device, dtype: torch.dtype
) -> nn.Module:
    """One linear layer as its quantized counterpart on the device."""
    if quantization == "int8":
        return Int8Linear(linear, device=device, dtype=dtype)
    size = (linear.in_features, linear.out_features)
    frozen: nn.Module
    if quantization == "llm_int8":
        frozen = bnb.nn.Linear8bitLt(
            *size, bias=False, has_fp16_weights=False, threshold=OUTLIER_THRESHOLD, device="meta"
        )
        weight = bnb.nn.Int8Params(linear.weight.data, requires_grad=False, has_fp16_weights=False)
    else:
        frozen = bnb.nn.Linear4bit(
            *size, bias=False, compute_dtype=dtype, quant_type="nf4", device="meta"
        )
        weight = bnb.nn.Params4bit(
            linear.weight.data.to(dtype), requires_grad=False, quant_type="nf4", module=frozen
        )
        # Packed for AVX-512, as the first pass without gradients would do, it has no backward pass.
        frozen.support_avx512bf16_for_cpu = False  # type: ignore[assignment]
    frozen.weight = weight.to(device)
    if linear.bias is not None:
        frozen.bias = nn.Parameter(linear.bias.data.to(device, dtype), requires_grad=False)
    return frozen


def _move_own_tensors(module: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
    """Moves a module's own parameters and buffers, not its children's."""
    for name, parameter in module.named_parameters(recurse=False):
        moved = nn.Parameter(parameter.data.to(device, dtype), requires_grad=False)
        setattr(module, name, moved)
    for name, buffer in module.named_buffers(recurse=False):
        moved_buffer = buffer.to(device, dtype if buffer.is_floating_point() else buffer.dtype)
        setattr(module, name, moved_buffer)
