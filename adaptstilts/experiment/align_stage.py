"""Carrying out an encoding stage: switch a system on, encode, find neighbours, finish."""

from __future__ import annotations

import functools
import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adaptstilts.adapter import store as adapter_store
from adaptstilts.adapter.attach import detach
from adaptstilts.alignment.columns import Found
from adaptstilts.alignment.corpus import Corpus
from adaptstilts.alignment.encode import System, encode_systems
from adaptstilts.alignment.geometry import Measure, measure
from adaptstilts.alignment.retrieval import Retrieval, retrieve
from adaptstilts.alignment.spaces import retrieve_in
from adaptstilts.alignment.store import pack, unpack
from adaptstilts.base.load import Base
from adaptstilts.composition.activate import active
from adaptstilts.errors import AdapterError, MachineError
from adaptstilts.experiment.memory import peak_bytes, start_counting
from adaptstilts.experiment.stage import Align, Update
from adaptstilts.experiment.store import (
    Summary,
    finish,
    is_finished,
    snapshot_folder,
    stage_folder,
    working_folder,
)
from adaptstilts.experiment.watch import Watcher
from adaptstilts.experiment.workbench import Workbench
from adaptstilts.record.files import write_text
from adaptstilts.record.scores import AS_IS

FOUND = "found.npz"
GEOMETRY = "geometry.json"
VECTORS = "vectors.npy"
RESERVED_SHARE, RESERVED_BYTES = 0.05, 200_000_000
"""What of a disk's free space scratch files leave free."""


def align(stages: Sequence[Align], workbench: Workbench, watcher: Watcher) -> None:
    """Encodes all distinct sentences once with each system, and retrieves in every language.

    Systems that share their lower layers are handed in together, and what they share is computed
    once, or once for as many systems as the disk holds. The vectors lie in scratch files while a
    stage lasts: all layers of XTREME's 36 languages take 6 GB with XLM-R Large. Nothing goes on
    from them, so those of a run that was killed are removed first, and none outlives a failure.

    A system that cannot be encoded does not keep the others from being finished.

    Args:
        stages: Of the same sentences and layers; what differs is the adapters.
        workbench: The base and the tokenised sentences.
        watcher: Who is told.

    Raises:
        AdapterError: An adapter does not fit the base, does nothing on it, or makes its states no
            numbers; names every system of which that is so, after all others are finished.
        MachineError: The disk is too small.
    """
    sentences = len(workbench.bitexts[stages[0].key].corpus.token_ids)
    size = 4 * len(stages[0].layers) * sentences * workbench.base.shape.width
    _remove_scratch(stages)
    at_once = _fitting(working_folder("align", stages[0].key), size)
    failures: list[str] = []
    for start in range(0, len(stages), at_once):
        failures += _align_group(stages[start : start + at_once], workbench, watcher)
    if failures:
        raise AdapterError("\n".join(failures))


def _align_group(stages: Sequence[Align], workbench: Workbench, watcher: Watcher) -> list[str]:
    """Encodes systems together, or each alone where one of them fails; what was wrong with which.

    The rest runs outside the `except`: the error holds the vectors, and so their place on disk.
    """
    try:
        _align_together(stages, workbench, watcher)
    except AdapterError as error:
        if len(stages) == 1:
            return [f"{stages[0].name}: {error}"]
    else:
        return []
    watcher.noticed("one of several systems cannot be encoded; each is now encoded by itself")
    return [failure for one in stages for failure in _align_group([one], workbench, watcher)]


def _remove_scratch(stages: Sequence[Align]) -> None:
    """Removes the vectors of encodings that are not finished."""
    for stage in stages:
        (working_folder("align", stage.key) / VECTORS).unlink(missing_ok=True)


def _align_together(stages: Sequence[Align], workbench: Workbench, watcher: Watcher) -> None:
    """What `align` does, for systems whose vectors the disk holds at once."""
    try:
        _encode_and_search(stages, workbench, watcher)
    except BaseException:
        _remove_scratch([one for one in stages if not is_finished("align", one.key)])
        raise


def _encode_and_search(stages: Sequence[Align], workbench: Workbench, watcher: Watcher) -> None:
    """The work itself."""
    started = time.monotonic()
    base, inputs, layers = workbench.base, workbench.bitexts[stages[0].key], stages[0].layers
    sentences = inputs.corpus.token_ids
    shape = (len(layers), len(sentences), base.shape.width)
    partials = [working_folder("align", stage.key) for stage in stages]
    start_counting(base.device.type)
    shared = min(stage.first_layer for stage in stages) - 1 if len(stages) > 1 else 0
    arrays = [
        np.lib.format.open_memmap(partial / VECTORS, mode="w+", dtype=np.float32, shape=shape)
        for partial in partials
    ]
    for stage in stages:
        watcher.started(stage, len(sentences), "sentences")
    with ExitStack() as stack:
        systems = [
            System(stack.enter_context(system_on(base, stage.updates, number)), vectors)
            for number, (stage, vectors) in enumerate(zip(stages, arrays, strict=True))
        ]
        for done in encode_systems(base, sentences, layers=layers, systems=systems, shared=shared):
            watcher.advanced(done, "")
    encoded = (time.monotonic() - started) / len(stages)
    for stage, partial, vectors in zip(stages, partials, arrays, strict=True):
        started = time.monotonic()
        _search(stage, base, inputs.corpus, vectors, partial)
        summary = Summary(
            kind="align",
            name=stage.name,
            key=stage.key,
            seconds=encoded + time.monotonic() - started,
            peak_memory_bytes=peak_bytes(base.device.type),
            base=workbench.record,
            data=inputs.data,
            details={
                "sentences": len(sentences),
                "encoding_seconds": encoded,
                "shared_layers": shared,
                "together": len(stages),
            },
        )
        finish(partial, summary, scratch=(VECTORS,))


def _search(
    stage: Align, base: Base, corpus: Corpus, vectors: NDArray[np.float32], partial: Path
) -> None:
    """Finds neighbours in every language and space, and measures the spaces."""
    extras = stage.extras
    found: dict[str, NDArray[Any]] = {}
    retrievals = []
    for language in stage.bitexts:
        foreign, english = corpus.foreign[language], corpus.english[language]
        retrieval = retrieve(
            vectors,
            language=language,
            layers=stage.layers,
            foreign=foreign,
            english=english,
            device=base.device,
            everything=extras.everything or extras.geometry,
        )
        retrievals.append(retrieval)
        found |= _named(AS_IS, pack(retrieval))
        for space in extras.spaces:
            changed = retrieve_in(
                space,
                vectors,
                language=language,
                layers=stage.layers,
                foreign=foreign,
                english=english,
            )
            found |= _named(space, pack(changed))
    with (partial / FOUND).open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **found)
    if extras.geometry:
        measures = measure(
            vectors,
            retrievals,
            layers=stage.layers,
            foreign=corpus.foreign,
            english=corpus.english,
        )
        write_text(partial / GEOMETRY, json.dumps([vars(row) for row in measures]))


def _named(space: str, arrays: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """The arrays of one space by names of their own."""
    return {f"{space}/{name}": array for name, array in arrays.items()}


def _fitting(folder: Path, size: int) -> int:
    """How many systems' vectors the disk holds: a full disk would kill the process outright.

    A part of what is free is left to the results and to whoever else writes there.

    Raises:
        MachineError: Less than the `size` bytes of one are free, or only the reserve is.
    """
    free = shutil.disk_usage(folder).free
    reserve = int(free * RESERVED_SHARE) + RESERVED_BYTES
    if free - reserve < size:
        raise MachineError(
            f"encoding needs {size / 1e9:.1f} GB of scratch space and {folder} has "
            f"{free / 1e9:.1f} GB free, of which {reserve / 1e9:.1f} GB are left to others. Free "
            "some, set ADAPTSTILTS_CACHE to a larger disk, or ask for fewer layers or languages"
        )
    return (free - reserve) // max(1, size)


def read_found(stage: Align) -> list[Found]:
    """What a finished stage found, one for each language."""
    with np.load(stage_folder("align", stage.key) / FOUND) as file:
        arrays = dict(file)
    by_space: dict[str, dict[str, NDArray[Any]]] = {}
    for name, array in arrays.items():
        space, _, rest = name.partition("/")
        by_space.setdefault(space, {})[rest] = array

    def retrieval(space: str, language: str) -> Retrieval:
        return unpack(by_space[space], language=language, layers=stage.layers)

    return [
        Found(
            retrieval(AS_IS, language),
            {space: retrieval(space, language) for space in stage.extras.spaces},
        )
        for language in stage.bitexts
    ]


def read_geometry(stage: Align) -> list[Measure]:
    """What a finished stage measured of its spaces; nothing where that was not asked for."""
    if not stage.extras.geometry:
        return []
    text = (stage_folder("align", stage.key) / GEOMETRY).read_text(encoding="utf-8")
    return [Measure(**row) for row in json.loads(text)]


@contextmanager
def system_on(
    base: Base, updates: tuple[Update, ...], number: int
) -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Puts a system's adapters on the base, switched off; gives what switches them on.

    Args:
        base: The base.
        updates: The system's adapters.
        number: Keeps the names of several systems' adapters apart.
    """
    names = {update.adapter: f"{update.adapter}_{number}" for update in updates}
    attached: list[str] = []
    try:
        for update in updates:
            name = names[update.adapter]
            attached.append(name)
            if update.folder is not None:
                adapter_store.load_stored(update.folder, base, name, digest=update.key)
            else:
                folder = snapshot_folder(stage_folder("train", update.key), update.share)
                adapter_store.load(folder, base, name)
        weights = {names[update.adapter]: update.weight for update in updates}
        yield functools.partial(active, base.model, weights)
    finally:
        for name in attached:
            detach(base.model, name)
