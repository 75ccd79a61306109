"""Adapters on the base's model: attach, read, write, switch and remove their weights."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping

import torch
from peft import (
    PeftConfig,
    get_peft_model_state_dict,
    inject_adapter_in_model,
    set_peft_model_state_dict,
)
from peft.tuners.lora import LoraLayer
from torch import Tensor, nn

from adaptstilts.errors import AdapterError


def adapter_layers(model: nn.Module) -> Iterator[tuple[str, LoraLayer]]:
    """Every layer that carries adapters, with its path in the model."""
    for path, module in model.named_modules():
        if isinstance(module, LoraLayer):
            yield path, module


def attach(model: nn.Module, name: str, config: PeftConfig, *, seed: int) -> None:
    """Adds a fresh adapter to a model, in place; its initial weights depend on `seed` alone.

    The weights are held in the type of the model's computation, so that no copy of the
    activations in another type is kept for the backward pass. The adapter's dropout is off until a
    training switches it on: PEFT makes it in training mode, and then a loaded adapter would compute
    something else at every call.

    Args:
        model: The frozen encoder.
        name: The adapter's name, not yet taken.
        config: PEFT's configuration.
        seed: Decides the initial weights.

    Raises:
        AdapterError: The name is taken, or is one that the model itself uses.
    """
    if any(name in layer.lora_A for _, layer in adapter_layers(model)):
        raise AdapterError(f"an adapter named `{name}` is on the model already")
    # PEFT finds an adapter's weights by its name among the segments of their paths.
    segments = {segment for path, _ in model.named_parameters() for segment in path.split(".")}
    if name in segments or hasattr(nn.ModuleDict(), name):
        raise AdapterError(f"`{name}` cannot name an adapter: the model uses it; choose another")
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        # Several adapters on one model are what is wanted here.
        warnings.filterwarnings("ignore", "Already found a `peft_config`", UserWarning)
        torch.manual_seed(seed)
        inject_adapter_in_model(config, model, adapter_name=name)
    reference = next(model.parameters())
    dtype = next(p.dtype for p in model.parameters() if p.is_floating_point())
    for _, layer in adapter_layers(model):
        if name in layer.lora_A:
            layer.lora_A[name].to(reference.device, dtype)
            layer.lora_B[name].to(reference.device, dtype)
            layer.lora_dropout[name].eval()


def detach(model: nn.Module, name: str) -> None:
    """Removes an adapter's weights from a model, in place; without adapters it is as it was."""
    for path, layer in list(adapter_layers(model)):
        if name in layer.lora_A:
            if name in layer.active_adapters:
                others = [other for other in layer.active_adapters if other != name]
                layer.set_adapter(others, inference_mode=True)
            layer.delete_adapter(name)
        if not layer.lora_A:
            model.set_submodule(path, layer.get_base_layer())
    configs = getattr(model, "peft_config", None)
    if configs is not None:
        configs.pop(name, None)
        if not configs:
            del model.peft_config


def read_weights(model: nn.Module, name: str) -> dict[str, Tensor]:
    """An adapter's weights by PEFT's names on a bare encoder, without the adapter's own name."""
    # PEFT would else ask the hub for the base's vocabulary size, to see whether it was trained.
    state: dict[str, Tensor] = get_peft_model_state_dict(
        model, adapter_name=name, save_embedding_layers=False
    )
    return state


def write_weights(model: nn.Module, name: str, weights: Mapping[str, Tensor]) -> None:
    """Sets an adapter's weights; every key must be there and no other.

    Raises:
        AdapterError: Keys are missing or unknown, or a shape differs; names the first.
    """
    expected = read_weights(model, name)
    missing = sorted(expected.keys() - weights.keys())
    unknown = sorted(weights.keys() - expected.keys())
    wrong = sorted(
        key for key in expected.keys() & weights.keys() if expected[key].shape != weights[key].shape
    )
    for what, keys in (("lacks", missing), ("has the unknown", unknown), ("misshapes", wrong)):
        if keys:
            raise AdapterError(
                f"adapter `{name}` {what} {keys[0]} (one of {len(keys)}): it was made for another "
                "base or with other targets"
            )
    set_peft_model_state_dict(model, dict(weights), adapter_name=name)


def trainable(model: nn.Module, name: str) -> dict[str, nn.Parameter]:
    """Activates one adapter alone, makes its weights trainable, and returns them by path.

    Raises:
        AdapterError: The model carries no such adapter.
    """
    parameters: dict[str, nn.Parameter] = {}
    for path, layer in adapter_layers(model):
        layer.enable_adapters(enabled=True)
        layer.set_adapter([name], inference_mode=False)
        layer.set_scale(name, 1.0)
        if name in layer.lora_A:
            for part in ("lora_A", "lora_B"):
                parameters[f"{path}.{part}.weight"] = getattr(layer, part)[name].weight
    if not parameters:
        raise AdapterError(f"there is no adapter named `{name}` on the model")
    for parameter in parameters.values():
        parameter.requires_grad_()
    return parameters


def delta_norms(model: nn.Module, name: str) -> dict[str, float]:
    """Frobenius norm of an adapter's weight update, sBA, on each layer it is meant for."""
    norms: dict[str, float] = {}
    for path, layer in adapter_layers(model):
        if name in layer.lora_A:
            norm = product_norm(layer.lora_A[name].weight, layer.lora_B[name].weight)
            norms[path] = abs(layer.scaling[name]) * norm
    return norms


def product_norm(a: Tensor, b: Tensor) -> float:
    """Frobenius norm of BA, which is never formed: ‖BA‖² = tr((AAᵀ)(BᵀB)), in float64.

    Args:
        a: Shape [rank, inputs].
        b: Shape [outputs, rank].
    """
    a, b = a.detach().double(), b.detach().double()
    return float(torch.sum((a @ a.T) * (b.T @ b)).clamp_min(0.0).sqrt())
