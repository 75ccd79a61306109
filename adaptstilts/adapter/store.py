"""An adapter on disk: a plain PEFT folder and, beside it, what it was trained on and how."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

from peft import LoraConfig, PeftConfig
from safetensors.torch import load_file, save_file
from torch import Tensor

from adaptstilts.adapter.attach import attach, detach, write_weights
from adaptstilts.adapter.check import check_is_on
from adaptstilts.adapter.folder import (
    CONFIG,
    ENCODER_NAMES,
    PEFT_PREFIX,
    PROVENANCE,
    WEIGHTS,
    Provenance,
    inner_key,
    is_outside,
    look_through,
    read_provenance,
)
from adaptstilts.base.fingerprint import is_same_model
from adaptstilts.base.load import Base
from adaptstilts.errors import AdapterError

__all__ = [
    "CONFIG",
    "PROVENANCE",
    "WEIGHTS",
    "Provenance",
    "load",
    "load_stored",
    "read_config",
    "read_provenance",
    "read_weights_file",
    "save",
]


def save(
    folder: Path, weights: Mapping[str, Tensor], config: PeftConfig, provenance: Provenance
) -> None:
    """Writes an adapter that plain `PeftModel.from_pretrained` reads on the bare encoder.

    Args:
        folder: An existing folder.
        weights: The adapter's weights by `read_weights`' names.
        config: PEFT's configuration; the file names the base and its revision too.
        provenance: Where it came from.
    """
    # A copy, since the model that the adapter is on holds the configuration itself.
    saved = replace(
        config,
        base_model_name_or_path=provenance.base,
        revision=provenance.revision,
        inference_mode=True,
    )
    saved.save_pretrained(str(folder))
    named = {PEFT_PREFIX + key: tensor.contiguous() for key, tensor in weights.items()}
    save_file(named, folder / WEIGHTS, metadata={"format": "pt"})
    text = json.dumps(asdict(provenance), indent=2, ensure_ascii=False, sort_keys=True)
    (folder / PROVENANCE).write_text(text + "\n", encoding="utf-8")


def read_weights_file(folder: Path) -> dict[str, Tensor]:
    """A saved adapter's weights by `read_weights`' names."""
    named = load_file(folder / WEIGHTS)
    return {key.removeprefix(PEFT_PREFIX): value for key, value in named.items()}


def read_config(folder: Path) -> LoraConfig:
    """PEFT's configuration of a saved adapter."""
    return LoraConfig.from_pretrained(str(folder))


def load(folder: Path, base: Base, name: str) -> Provenance:
    """Puts a saved adapter on its base, proves that it is on, and leaves all adapters off.

    The base may be held in another quantization than the adapter was trained on.

    Args:
        folder: As `save` wrote it.
        base: The base it was trained on.
        name: Its name on the model.

    Raises:
        AdapterError: It was trained on another base, a key does not match, or it does nothing.
    """
    provenance = read_provenance(folder)
    if provenance.weights != base.weights or not is_same_model(
        provenance.fingerprint, base.fingerprint
    ):
        raise AdapterError(
            f"adapter {folder} was trained on {provenance.base} ({provenance.fingerprint}), not on "
            f"this base ({base.fingerprint}); its effect here would have no meaning"
        )
    _put_on(base, name, read_config(folder), read_weights_file(folder))
    return provenance


def load_stored(folder: Path, base: Base, name: str, *, digest: str) -> None:
    """Puts an adapter of any origin on a base, as `load` does.

    Args:
        folder: As `save` wrote it, or as PEFT's `save_pretrained` did, from a bare encoder or from
            a model with a head; a head in its file is left out.
        base: The base.
        name: Its name on the model.
        digest: What `folder.digest_of` gave when it was looked through.

    Raises:
        AdapterError: As `load`; or the files are others by now. A plain PEFT folder does not say on
            which weights it was trained, so that alone stays unchecked.
        DataError: As `folder.look_through`.
    """
    if look_through(folder, base.shape).digest != digest:
        raise AdapterError(f"{folder} was changed since the run began; run again")
    if (folder / PROVENANCE).is_file():
        load(folder, base, name)
        return
    weights = {
        inner_key(key): value
        for key, value in load_file(folder / WEIGHTS).items()
        if not is_outside(key)
    }
    _put_on(base, name, _on_bare_encoder(read_config(folder), weights), weights)


def _on_bare_encoder(config: LoraConfig, weights: Mapping[str, Tensor]) -> LoraConfig:
    """A configuration that makes just the given weights, and nothing outside the encoder."""

    def short(pattern: str) -> str:
        text = pattern.removeprefix("^")
        for name in ENCODER_NAMES:
            text = text.removeprefix(name)
        return text

    return replace(
        config,
        target_modules=sorted({key.rpartition(".lora_")[0] for key in weights}),
        rank_pattern={short(key): rank for key, rank in (config.rank_pattern or {}).items()},
        alpha_pattern={short(key): alpha for key, alpha in (config.alpha_pattern or {}).items()},
        task_type=None,
        modules_to_save=None,
        exclude_modules=None,
        layers_to_transform=None,
        layers_pattern=None,
        init_lora_weights=True,  # they are overwritten
    )


def _put_on(base: Base, name: str, config: LoraConfig, weights: Mapping[str, Tensor]) -> None:
    """Attaches an adapter, sets its weights and proves that it is on; leaves nothing on an error.

    Raises:
        AdapterError: A key does not match, or it does nothing.
    """
    config.inference_mode = False
    attach(base.model, name, config, seed=0)
    try:
        write_weights(base.model, name, weights)
        check_is_on(base, name)
    except AdapterError:
        detach(base.model, name)
        raise
