"""The key of a stage: a hash of everything that decides its result."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from adaptstilts.record.provenance import versions

LIBRARIES = (
    "torch",
    "transformers",
    "peft",
    "bitsandbytes",
    "tokenizers",
    "safetensors",
    "numpy",
    "scipy",
)
SHARED = ("data", "base", "adapter", "experiment/inputs.py", "experiment/workbench.py")
# The rooms whose code decides what a stage computes.
ROOMS = {
    "train": (
        *SHARED,
        "head",
        "training",
        "experiment/train_stage.py",
        "experiment/train_objective.py",
        "experiment/random_stage.py",
    ),
    "align": (
        *SHARED,
        "composition",
        "alignment",
        "metric",
        "experiment/align_stage.py",
    ),
    "refer": (
        "alignment",
        "data",
        "metric",
        "experiment/inputs.py",
        "experiment/refer_stage.py",
    ),
    "mine": (
        *SHARED,
        "composition",
        "alignment",
        "metric",
        "experiment/align_stage.py",
        "experiment/mining_inputs.py",
        "experiment/mine_stage.py",
    ),
    "score_mined": (
        "alignment",
        "metric",
        "record/scores.py",
        "experiment/mine_stage.py",
        "experiment/mine_score_stage.py",
    ),
    "score": (
        "alignment",
        "data/bitext.py",
        "metric",
        "record/scores.py",
        "task/languages.py",
        "task/strata.py",
        "experiment/held_out.py",
        "experiment/inputs.py",
        "experiment/refer_stage.py",
        "experiment/score_stage.py",
    ),
}
KEY_LENGTH = 20


def stage_key(kind: str, decides: Mapping[str, Any]) -> str:
    """Hash of a stage's inputs, of the code that it runs, and of the libraries under it.

    Args:
        kind: A key of `ROOMS`.
        decides: Everything else that decides the result, as plain JSON values.
    """
    whole = {
        "kind": kind,
        "code": code_digest(ROOMS[kind]),
        "libraries": versions(LIBRARIES),
        **decides,
    }
    text = json.dumps(whole, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:KEY_LENGTH]


@cache
def code_digest(rooms: tuple[str, ...]) -> str:
    """SHA-256 over the source files of some rooms of the package."""
    root = Path(str(files("adaptstilts")))
    digest = hashlib.sha256()
    for room in rooms:
        place = root / room
        paths = [place] if place.suffix == ".py" else sorted(place.rglob("*.py"))
        for path in paths:
            digest.update(path.relative_to(root).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()
