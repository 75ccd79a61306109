"""Carrying out a mining stage: switch a system on, encode both sides, keep the candidates."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from adaptstilts.alignment.bucc import candidates_of
from adaptstilts.alignment.encode import System, encode_systems
from adaptstilts.experiment.align_stage import system_on
from adaptstilts.experiment.memory import peak_bytes, start_counting
from adaptstilts.experiment.stage import Mine, Split
from adaptstilts.experiment.store import Summary, finish, stage_folder, working_folder
from adaptstilts.experiment.watch import Watcher
from adaptstilts.experiment.workbench import Workbench
from adaptstilts.metric.mining import Candidates
from adaptstilts.record.files import replacing


def mine(stage: Mine, workbench: Workbench, watcher: Watcher) -> Path:
    """Mines every set of a stage with one system.

    A set that an earlier, cut-off run has finished is not mined again. A set's vectors are held in
    memory, where the search needs them: 3.6 GB for the German test set with XLM-R Large.

    Args:
        stage: What is mined; the trainings it needs are finished.
        workbench: The base and the tokenised sentences.
        watcher: Who is told.

    Returns:
        The stage's final folder.

    Raises:
        AdapterError: An adapter does not fit the base, does nothing on it, or makes its states no
            numbers.
        MachineError: A faiss search was asked for and faiss is not installed.
    """
    started = time.monotonic()
    base, inputs = workbench.base, workbench.mining[stage.key]
    partial = working_folder("mine", stage.key)
    start_counting(base.device.type)
    sentences = sum(len(one.token_ids) for one in inputs.sets.values())
    watcher.started(stage, sentences, "sentences")
    done = 0
    with system_on(base, stage.updates, 0) as active:
        for (language, split), one in inputs.sets.items():
            path = partial / _name(language, split)
            if not path.is_file():
                vectors = np.zeros((1, len(one.token_ids), base.shape.width), dtype=np.float32)
                for encoded in encode_systems(
                    base,
                    one.token_ids,
                    layers=[stage.layer],
                    systems=[System(active, vectors)],
                    pooling=stage.protocol.pooling,
                ):
                    watcher.advanced(done + encoded, f"{language} {split}")
                found, gold = candidates_of(
                    vectors[0, one.foreign],
                    vectors[0, one.english],
                    one.corpora,
                    stage.protocol,
                    backend=stage.search,
                )
                with replacing(path) as writing, writing.open("wb") as file:
                    np.savez_compressed(
                        file, allow_pickle=False, pairs=found.pairs, scores=found.scores, gold=gold
                    )
            done += len(one.token_ids)
    summary = Summary(
        kind="mine",
        name=stage.name,
        key=stage.key,
        seconds=time.monotonic() - started,
        peak_memory_bytes=peak_bytes(base.device.type),
        base=workbench.record,
        data=inputs.data,
        details={"sentences": sentences},
    )
    return finish(partial, summary)


def read_mined(stage: Mine, language: str, split: Split) -> tuple[Candidates, NDArray[np.int64]]:
    """What a finished stage mined from one set: candidates and gold pairs, in one numbering."""
    with np.load(stage_folder("mine", stage.key) / _name(language, split)) as file:
        return Candidates(file["pairs"], file["scores"]), file["gold"]


def _name(language: str, split: Split) -> str:
    """The file of one set."""
    return f"{language}.{split}.npz"
