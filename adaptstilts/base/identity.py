"""Which base a recipe means and what decides its weights, found without torch."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from adaptstilts.base.shape import KNOWN_SHAPES, Shape, read_shape
from adaptstilts.errors import DataError

POCKET = "pocket"
COMMIT = re.compile(r"[0-9a-f]{40}")
DECIDING_FILES = (
    "*.safetensors",
    "added_tokens.json",
    "config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
)


@dataclass(frozen=True)
class Identity:
    """A base before it is loaded.

    Attributes:
        model: As the recipe names it.
        folder: Where its files lie; None for a base that comes from the hub.
        key: Text that changes when the weights or the tokenizer change: a digest of the files, or
            repository and commit.
        shape: Its dimensions, if they can be known before a download.
    """

    model: str
    folder: Path | None
    key: str
    shape: Shape | None


def pocket_folder() -> Path:
    """Where the bundled encoder lies."""
    return Path(str(files("adaptstilts"))) / "base" / "pocket"


def identify(model: str, revision: str | None) -> Identity:
    """Finds out what a recipe's `base.model` and `base.revision` mean.

    Args:
        model: `pocket`, a folder, or a hub repository.
        revision: The commit of a hub repository, 40 hexadecimal digits.

    Raises:
        DataError: A folder without an encoder in it, or a hub repository without a commit.
    """
    folder = pocket_folder() if model == POCKET else Path(model).expanduser()
    if model == POCKET or folder.is_dir():
        config = folder / "config.json"
        tokenizer = folder / "tokenizer.json"
        files = config.is_file() and tokenizer.is_file() and any(folder.glob("*.safetensors"))
        if not files:
            raise DataError(
                f"base.model: {folder} holds no encoder; it needs config.json, tokenizer.json and "
                "model.safetensors, as `save_pretrained` writes them"
            )
        return Identity(model, folder, _files_digest(folder), read_shape(config))
    if revision is None or not COMMIT.fullmatch(revision):
        raise DataError(
            f"base.revision: `{model}` comes from the hub, so the recipe must pin its commit "
            f"(40 hexadecimal digits); found {revision!r}. If a folder was meant: there is none "
            f"at {folder.absolute()}"
        )
    return Identity(model, None, f"{model}@{revision}", KNOWN_SHAPES.get(model))


def _files_digest(folder: Path) -> str:
    """SHA-256 over a folder's weights, configuration and tokenizer."""
    digest = hashlib.sha256()
    for path in sorted(path for pattern in DECIDING_FILES for path in folder.glob(pattern)):
        digest.update(path.name.encode())
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
