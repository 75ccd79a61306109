"""A folder that holds a trained adapter, looked through without torch before anything is loaded."""

from __future__ import annotations

import hashlib
import json
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adaptstilts.base.shape import Shape
from adaptstilts.errors import AdapterError, DataError

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
PROVENANCE = "adaptstilts.json"
# PEFT's prefix for weights inside a wrapped model.
PEFT_PREFIX = "base_model.model."
# A model with a head calls its encoder so; a bare encoder has no such name.
ENCODER_NAMES = ("roberta.", "xlm_roberta.")
# What stands beside an encoder: PEFT stores a head that was trained with the adapter in its file.
OUTSIDE = ("classifier.", "score.", "qa_outputs.", "lm_head.", "pooler.", "roberta.pooler.")
# Ways to begin a LoRA that leave the base's weights as they are; PiSSA, OLoRA, LoRA-GA … change
# them, so that such an adapter means nothing on the base itself.
HARMLESS_STARTS = (True, False, "gaussian", "eva", "orthogonal")
_KEY = re.compile(r"(encoder\.layer\.(\d+)\.[a-z_.]+)\.lora_(A|B)\.weight")
_TARGETS = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
# Length of the header's length at the start of a safetensors file, and the longest header that the
# format allows.
_LENGTH_BYTES, _LONGEST_HEADER = 8, 100_000_000


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


@dataclass(frozen=True)
class StoredAdapter:
    """An adapter in a folder, before it is loaded.

    Attributes:
        folder: Where it lies.
        digest: SHA-256 over the weights' file and the configuration.
        parameters: Number of its weights, a head's not counted.
        first_layer: The lowest layer that it changes, from 1.
        last_layer: The highest.
        base: The base's model, as its files name it; empty where they do not.
        provenance: What it says of itself; None for a plain PEFT folder.
    """

    folder: Path
    digest: str
    parameters: int
    first_layer: int
    last_layer: int
    base: str
    provenance: Provenance | None

    @property
    def seed(self) -> int | None:
        """The seed of its training, where its provenance tells."""
        training = {} if self.provenance is None else self.provenance.details.get("training", {})
        seed = training.get("seed")
        return seed if isinstance(seed, int) else None


def read_provenance(folder: Path) -> Provenance:
    """What `adapter.store.save` wrote beside an adapter's weights.

    Raises:
        AdapterError: The folder holds no adapter of ours.
    """
    path = folder / PROVENANCE
    if not path.is_file():
        raise AdapterError(f"{folder} holds no adapter of adaptstilts: {PROVENANCE} is missing")
    try:
        return Provenance(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise AdapterError(f"{path} cannot be read ({error}); fetch the adapter again") from error


def inner_key(key: str) -> str:
    """A weight's or a module's name on the bare encoder, whatever model it was trained inside."""
    short = key.removeprefix(PEFT_PREFIX)
    for name in ENCODER_NAMES:
        short = short.removeprefix(name)
    return short


def is_outside(key: str) -> bool:
    """Whether a weight belongs to a head that was stored with the adapter, not to the encoder."""
    return key.removeprefix(PEFT_PREFIX).startswith(OUTSIDE)


def digest_of(folder: Path) -> str:
    """SHA-256 over what decides an adapter: its weights' file and its configuration."""
    digest = hashlib.sha256()
    for name in (CONFIG, WEIGHTS):
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()


def look_through(folder: Path, shape: Shape | None) -> StoredAdapter:
    """Finds out what adapter a folder holds and whether it can be put on a base of a shape.

    Args:
        folder: As `run` leaves it in `adapters/<name>`, or as PEFT's `save_pretrained` writes it.
        shape: The base's dimensions; None where they are not known, which leaves them unchecked.

    Raises:
        DataError: It is no LoRA adapter, or one for another kind or size of encoder.
        AdapterError: Its provenance cannot be read.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder; an adapter is a folder with {WEIGHTS}")
    lacking = [name for name in (CONFIG, WEIGHTS) if not (folder / name).is_file()]
    if lacking:
        old = " Pickled weights (adapter_model.bin) are not read: save it again as safetensors."
        raise DataError(
            f"{folder} holds no adapter: {' and '.join(lacking)} missing."
            + (old if (folder / "adapter_model.bin").is_file() else "")
        )
    config = _config(folder / CONFIG)
    shapes = _shapes(folder / WEIGHTS)
    layers = _layers(folder, shapes, shape)
    return StoredAdapter(
        folder=folder,
        digest=digest_of(folder),
        parameters=sum(_size(of) for key, of in shapes.items() if not is_outside(key)),
        first_layer=min(layers),
        last_layer=max(layers),
        base=str(config.get("base_model_name_or_path") or ""),
        provenance=read_provenance(folder) if (folder / PROVENANCE).is_file() else None,
    )


def _config(path: Path) -> dict[str, Any]:
    """PEFT's configuration, of a LoRA that leaves the base as it is."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise DataError(f"{path} is no JSON ({error}); fetch the adapter again") from error
    kind = config.get("peft_type") if isinstance(config, dict) else None
    if kind != "LORA":
        raise DataError(f"{path}: an adapter of the kind {kind!r}; LoRA alone can be measured")
    start = config.get("init_lora_weights", True)
    for trouble, what in (
        (config.get("use_dora"), "DoRA"),
        (config.get("layer_replication"), "repeated layers"),
        (config.get("bias", "none") != "none", "trained biases"),
        (start not in HARMLESS_STARTS, f"a changed base (init_lora_weights {start!r})"),
    ):
        if trouble:
            raise DataError(f"{path}: a LoRA with {what}; a plain one is needed")
    found: dict[str, Any] = config
    return found


def _shapes(path: Path) -> dict[str, list[int]]:
    """The shape of every weight, from the head of a safetensors file alone.

    Source: the format's own description, https://github.com/huggingface/safetensors (README).
    """
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(_LENGTH_BYTES))
            if length > _LONGEST_HEADER:
                raise ValueError("its header is too long")
            header = json.loads(file.read(length))
        shapes = {key: entry["shape"] for key, entry in header.items() if key != "__metadata__"}
    except (ValueError, struct.error, TypeError, KeyError, AttributeError) as error:
        raise DataError(f"{path} is no safetensors file ({error}); fetch it again") from error
    return shapes


def _layers(folder: Path, shapes: dict[str, list[int]], shape: Shape | None) -> set[int]:
    """The layers that an adapter changes, from 1; all its weights fit the base.

    Raises:
        DataError: A weight is of no linear layer of such an encoder, or of another size.
    """
    layers: set[int] = set()
    for key, size in shapes.items():
        if is_outside(key):
            continue
        match = _KEY.fullmatch(inner_key(key))
        if match is None or match[1].partition(f".layer.{match[2]}.")[2] not in _TARGETS:
            raise DataError(
                f"{folder}: the weight {key} is of no linear layer of an XLM-R-shaped encoder; was "
                "the adapter trained on another kind of model?"
            )
        layers.add(int(match[2]) + 1)
        if shape is not None:
            _require_fit(folder, key, size, match, shape)
    if not layers:
        raise DataError(f"{folder / WEIGHTS} has no LoRA weights")
    return layers


def _require_fit(
    folder: Path, key: str, size: list[int], match: re.Match[str], shape: Shape
) -> None:
    """Refuses a weight that a base of this shape has no place for."""
    if int(match[2]) >= shape.layers:
        raise DataError(
            f"{folder}: the adapter changes layer {int(match[2]) + 1}, and the base has "
            f"{shape.layers}; it was trained on another base"
        )
    is_in = match[3] == "A"
    wide = ".intermediate.dense" if not is_in else ".output.dense"
    is_attention = ".attention." in match[1]
    expected = shape.intermediate if match[1].endswith(wide) and not is_attention else shape.width
    if len(size) != 2 or size[1 if is_in else 0] != expected:
        raise DataError(
            f"{folder}: {key} has the shape {size}, and the base is {expected} wide there; the "
            "adapter was trained on another base"
        )


def _size(shape: list[int]) -> int:
    """Number of values of a shape."""
    count = 1
    for side in shape:
        count *= side
    return count
