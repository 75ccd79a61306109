"""An adapter on disk: a plain PEFT folder and, beside it, what it was trained on and how."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from peft import LoraConfig, PeftConfig
from safetensors.torch import load_file, save_file
from torch import Tensor

from adaptstilts.adapter.attach import attach, detach, write_weights
from adaptstilts.adapter.check import check_is_on
from adaptstilts.base.fingerprint import is_same_model
from adaptstilts.base.load import Base
from adaptstilts.errors import AdapterError

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
PROVENANCE = "adaptstilts.json"
# PEFT's prefix for weights inside a wrapped model.
PEFT_PREFIX = "base_model.model."


@dataclass(frozen=True)
class Provenance:
    """What an adapter is and on which base it works.

    Attributes:
        task: The task it was trained on.
        base: The base's model, as the recipe named it.
        revision: The base's commit, or None.
        fingerprint: The base's fingerprint.
        weights: SHA-256 of the base's weights.
        details: Method, training settings, data, seeds and scores.
    """

    task: str
    base: str
    revision: str | None
    fingerprint: str
    weights: str
    details: dict[str, Any]


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


def read_provenance(folder: Path) -> Provenance:
    """What `save` wrote beside an adapter's weights.

    Raises:
        AdapterError: The folder holds no adapter of ours.
    """
    path = folder / PROVENANCE
    if not path.is_file():
        raise AdapterError(f"{folder} holds no adapter of adaptstilts: {PROVENANCE} is missing")
    return Provenance(**json.loads(path.read_text(encoding="utf-8")))


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
    config = read_config(folder)
    config.inference_mode = False
    attach(base.model, name, config, seed=0)
    try:
        write_weights(base.model, name, read_weights_file(folder))
        check_is_on(base, name)
    except AdapterError:
        detach(base.model, name)
        raise
    return provenance
