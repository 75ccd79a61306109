"""Carrying out an encoding stage: switch a system on, encode, find neighbours, finish."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptstilts.adapter import store as adapter_store
from adaptstilts.adapter.attach import detach
from adaptstilts.alignment.encode import encode
from adaptstilts.alignment.retrieval import Retrieval, retrieve
from adaptstilts.alignment.store import pack, unpack
from adaptstilts.base.load import Base
from adaptstilts.composition.activate import active
from adaptstilts.errors import MachineError
from adaptstilts.experiment.memory import peak_bytes, start_counting
from adaptstilts.experiment.stage import Align, Update
from adaptstilts.experiment.store import (
    Summary,
    finish,
    snapshot_folder,
    stage_folder,
    working_folder,
)
from adaptstilts.experiment.watch import Watcher
from adaptstilts.experiment.workbench import Workbench

FOUND = "found.npz"
VECTORS = "vectors.npy"


def align(stage: Align, workbench: Workbench, watcher: Watcher) -> Path:
    """Encodes all distinct sentences once with a system and retrieves in every language and layer.

    The vectors lie in a scratch file while the stage lasts: all layers of XTREME's 36 languages
    take 6 GB with XLM-R Large.

    Args:
        stage: What is encoded, with which adapters.
        workbench: The base and the tokenised sentences.
        watcher: Who is told.

    Returns:
        The stage's final folder.

    Raises:
        AdapterError: An adapter does not fit the base, does nothing on it, or makes its states no
            numbers.
        MachineError: The disk is too small.
    """
    started = time.monotonic()
    base, inputs = workbench.base, workbench.bitexts[stage.key]
    sentences = inputs.corpus.token_ids
    partial = working_folder("align", stage.key)
    shape = (len(stage.layers), len(sentences), base.shape.width)
    _require_disk(partial, 4 * math.prod(shape))
    vectors = np.lib.format.open_memmap(partial / VECTORS, mode="w+", dtype=np.float32, shape=shape)
    start_counting(base.device.type)
    watcher.started(stage, len(sentences), "sentences")
    with _system(base, stage.updates):
        for done in encode(base, sentences, layers=stage.layers, vectors=vectors):
            watcher.advanced(done, "")
    found: dict[str, NDArray[Any]] = {}
    for language in stage.bitexts:
        found |= pack(
            retrieve(
                vectors,
                language=language,
                layers=stage.layers,
                foreign=inputs.corpus.foreign[language],
                english=inputs.corpus.english[language],
                device=base.device,
                everything=stage.everything,
            )
        )
    del vectors
    with (partial / FOUND).open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **found)
    summary = Summary(
        kind="align",
        name=stage.name,
        key=stage.key,
        seconds=time.monotonic() - started,
        peak_memory_bytes=peak_bytes(base.device.type),
        base=workbench.record,
        data=inputs.data,
        details={"sentences": len(sentences)},
    )
    return finish(partial, summary, scratch=(VECTORS,))


def _require_disk(folder: Path, size: int) -> None:
    """Refuses to start what the disk cannot hold: a full disk would kill the process outright.

    Raises:
        MachineError: Less than `size` bytes are free.
    """
    free = shutil.disk_usage(folder).free
    if free < size:
        raise MachineError(
            f"encoding needs {size / 1e9:.1f} GB of scratch space and {folder} has "
            f"{free / 1e9:.1f} GB. Free some, set ADAPTSTILTS_CACHE to a larger disk, or ask for "
            "fewer layers or languages"
        )


def read_retrievals(stage: Align) -> list[Retrieval]:
    """What a finished stage found, one for each language."""
    with np.load(stage_folder("align", stage.key) / FOUND) as file:
        return [unpack(file, language=language, layers=stage.layers) for language in stage.bitexts]


@contextmanager
def _system(base: Base, updates: tuple[Update, ...]) -> Iterator[None]:
    """Puts a system's adapters on the base for as long as the context lasts."""
    attached: list[str] = []
    try:
        for update in updates:
            folder = snapshot_folder(stage_folder("train", update.training), update.share)
            attached.append(update.adapter)
            adapter_store.load(folder, base, update.adapter)
        with active(base.model, {update.adapter: update.weight for update in updates}):
            yield
    finally:
        for name in attached:
            detach(base.model, name)
