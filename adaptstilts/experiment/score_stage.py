"""Carrying out a scoring stage: from what systems found to tidy scores, effects and items."""

from __future__ import annotations

import time
from pathlib import Path

from adaptstilts.alignment.score import Measured, effects, scores
from adaptstilts.experiment.align_stage import read_retrievals
from adaptstilts.experiment.inputs import read_bitexts
from adaptstilts.experiment.memory import peak_bytes
from adaptstilts.experiment.stage import Score
from adaptstilts.experiment.store import Summary, finish, working_folder
from adaptstilts.experiment.watch import Watcher
from adaptstilts.metric.bootstrap import cluster_ids
from adaptstilts.record import scores as tables

SCORES = "scores.parquet"
EFFECTS = "effects.parquet"
ITEMS = "items.parquet"


def score(stage: Score, watcher: Watcher) -> Path:
    """Scores every system of one measurement and compares it with the baseline.

    Args:
        stage: What is scored; the encodings it needs are finished.
        watcher: Who is told.

    Returns:
        The stage's final folder.
    """
    started = time.monotonic()
    texts, data = read_bitexts(stage.bitexts)
    clusters = cluster_ids([text.english for text in texts])
    watcher.started(stage, len(stage.aligns), "systems")
    measured = [
        Measured(align.system, align.seed, align.trained_share, read_retrievals(align))
        for align in stage.aligns
    ]
    baseline = None
    if stage.baseline is not None:
        baseline = measured[stage.aligns.index(stage.baseline)]
    rows: list[tables.Score] = []
    differences: list[tables.Effect] = []
    for done, one in enumerate(measured, start=1):
        rows += scores(one, clusters, benchmark=stage.benchmark, protocol=stage.protocol)
        if baseline is not None and one is not baseline:
            differences += effects(
                one, baseline, clusters, benchmark=stage.benchmark, protocol=stage.protocol
            )
        watcher.advanced(done, one.system)
    partial = working_folder("score", stage.key)
    tables.write_scores(partial / SCORES, rows)
    tables.write_effects(partial / EFFECTS, differences)
    tables.write_items(partial / ITEMS, _items(measured))
    summary = Summary(
        kind="score",
        name=stage.name,
        key=stage.key,
        seconds=time.monotonic() - started,
        peak_memory_bytes=peak_bytes("cpu"),
        base=None,
        data=data,
        details={},
    )
    return finish(partial, summary)


def _items(measured: list[Measured]) -> list[tables.Items]:
    """Which sentence every query found, for each system, language, direction and layer."""
    return [
        tables.Items(
            system=one.system,
            trained_share=one.trained_share,
            language=retrieval.language,
            direction=direction,
            layer=layer,
            predictions=found[index],
        )
        for one in measured
        for retrieval in one.retrievals
        for direction, found in retrieval.found.items()
        for index, layer in enumerate(retrieval.layers)
    ]
