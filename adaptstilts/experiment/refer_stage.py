"""Carrying out a reference stage: another encoder's vectors, what they find, their rows."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptstilts.alignment.columns import Found
from adaptstilts.alignment.reference import LAYERS, reference_retrievals
from adaptstilts.alignment.reference_source import open_encoder
from adaptstilts.alignment.score import Measured, Table, scores
from adaptstilts.alignment.store import pack, unpack
from adaptstilts.experiment.inputs import read_bitexts
from adaptstilts.experiment.memory import peak_bytes
from adaptstilts.experiment.stage import Refer
from adaptstilts.experiment.store import Summary, finish, stage_folder, working_folder
from adaptstilts.experiment.watch import Watcher
from adaptstilts.record.scores import REFERENCE, Score

FOUND = "found.npz"


def refer(stage: Refer, watcher: Watcher) -> Path:
    """Encodes a benchmark with a reference encoder, and retrieves in every language.

    Args:
        stage: What is measured.
        watcher: Who is told.

    Returns:
        The stage's final folder.

    Raises:
        DataError: There is no such encoder, or what it returns are no vectors.
        HubError: The hub could not be reached and the cache has no copy.
        MachineError: sentence-transformers is not installed.
    """
    started = time.monotonic()
    texts, data = read_bitexts(stage.bitexts)
    watcher.started(stage, len(texts), "languages")
    encoder = open_encoder(stage.encoder, revision=stage.revision, device=stage.device)
    retrievals = reference_retrievals(
        encoder, texts, prefix=stage.prefix, everything=stage.everything
    )
    watcher.advanced(len(texts), "")
    found: dict[str, NDArray[Any]] = {}
    for one in retrievals:
        found |= pack(one)
    partial = working_folder("refer", stage.key)
    with (partial / FOUND).open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **found)
    summary = Summary(
        kind="refer",
        name=stage.name,
        key=stage.key,
        seconds=time.monotonic() - started,
        peak_memory_bytes=peak_bytes("cpu"),
        base=None,
        data=data,
        details={"encoder": stage.encoder, "revision": stage.revision, "prefix": stage.prefix},
    )
    return finish(partial, summary)


def reference_rows(stage: Refer, table: Table) -> list[Score]:
    """The scores of a finished stage, as rows beside those of the systems.

    They have the space `reference`, no layer, and no seed; there are no effects: another encoder
    is no treatment of the studied one.

    Args:
        stage: The stage.
        table: How the systems are scored; a layer that was chosen for them means nothing here.
    """
    with np.load(stage_folder("refer", stage.key) / FOUND) as file:
        arrays = dict(file)
    found = [
        Found(unpack(arrays, language=language, layers=LAYERS), {}) for language in stage.bitexts
    ]
    measured = Measured(stage.name, (None,), None, [found])
    rows = scores(measured, replace(table, chosen=None))
    return [replace(row, layer=None, space=REFERENCE) for row in rows]
