"""Carrying out a scoring stage: from what systems found to tidy scores, effects and items."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from adaptstilts.alignment.columns import Chosen, choose
from adaptstilts.alignment.retrieval import outcomes
from adaptstilts.alignment.score import Measured, Table, effects, scores
from adaptstilts.experiment.align_stage import read_found, read_geometry
from adaptstilts.experiment.held_out import require_other_pairs
from adaptstilts.experiment.inputs import read_bitexts
from adaptstilts.experiment.memory import peak_bytes
from adaptstilts.experiment.refer_stage import reference_rows
from adaptstilts.experiment.stage import Align, Score
from adaptstilts.experiment.store import Summary, finish, working_folder
from adaptstilts.experiment.watch import Watcher
from adaptstilts.metric.bootstrap import cluster_ids
from adaptstilts.record import scores as tables
from adaptstilts.task.languages import LANGUAGES
from adaptstilts.task.strata import strata

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

    Raises:
        DataError: The layer would be chosen by pairs that are scored.
    """
    started = time.monotonic()
    require_other_pairs(stage)
    texts, data = read_bitexts(stage.bitexts)
    table = Table(
        benchmark=stage.benchmark,
        protocol=stage.protocol,
        clusters=cluster_ids([text.english for text in texts]),
        # One's own bitexts may be in pairs, or in languages of which no table tells the groups.
        groups=strata(code for code in stage.bitexts if code in LANGUAGES),
        chosen=_chosen(stage),
        everything=stage.everything,
    )
    watcher.started(stage, len(stage.aligns), "systems")
    measured = _measured(stage.aligns)
    baseline = next(iter(_measured(stage.baselines)), None)
    if baseline is not None:
        baseline = replace(baseline, system=stage.baseline)
    rows: list[tables.Score] = []
    differences: list[tables.Effect] = []
    done = 0
    for one in measured:
        rows += scores(one, table)
        if baseline is not None and one.system != baseline.system and one.trained_share != 0.0:
            differences += effects(one, baseline, table)
        done += len(one.seeds)
        watcher.advanced(done, one.system)
    rows += [row for align in stage.aligns for row in _geometry(stage, align)]
    rows += [row for one in stage.references for row in reference_rows(one, table)]
    by_name = {one.system: one for one in measured}
    for system, control in stage.contrasts:
        differences += effects(by_name[system], by_name[control], table)
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
        details={"chosen": None if table.chosen is None else vars(table.chosen)},
    )
    return finish(partial, summary)


def _measured(aligns: Sequence[Align]) -> list[Measured]:
    """What systems found, the seeds of each system and moment together."""
    groups: dict[tuple[str, float | None], list[Align]] = {}
    for align in aligns:
        groups.setdefault((align.system, align.trained_share), []).append(align)
    return [
        Measured(system, tuple(one.seed for one in group), share, [read_found(a) for a in group])
        for (system, share), group in groups.items()
    ]


def _chosen(stage: Score) -> Chosen | None:
    """The layers that the baseline's scores choose; None where the layer is named in advance."""
    selection = stage.selection
    if selection is None:
        return None
    aligns = selection.aligns or stage.baselines
    direction, metric = stage.protocol.directions[0], stage.protocol.metrics[0]
    means = np.mean(
        [
            [outcomes(one.retrieval, direction, metric).mean(axis=0) for one in read_found(align)]
            for align in aligns
        ],
        axis=0,
    )
    if metric == "xsim_error":  # the only one of which less is better
        means = -means
    return choose(selection.on, list(stage.bitexts), means, aligns[0].layers, selection.layers)


def _geometry(stage: Score, align: Align) -> list[tables.Score]:
    """What an encoding measured of its spaces, as rows of the table."""
    return [
        tables.Score(
            system=align.system,
            seed=align.seed,
            seeds=int(align.seed is not None),
            benchmark=stage.benchmark,
            protocol=stage.protocol.name,
            language=row.language,
            direction=row.direction,
            space=tables.AS_IS,
            layer=row.layer,
            chosen=None,
            metric=row.metric,
            value=row.value,
            n=row.n,
            low=row.low,
            high=row.high,
            trained_share=align.trained_share,
        )
        for row in read_geometry(align)
    ]


def _items(measured: Sequence[Measured]) -> list[tables.Items]:
    """Which sentence every query found, for each system, seed, language, direction and layer."""
    return [
        tables.Items(
            system=one.system,
            seed=seed,
            trained_share=one.trained_share,
            language=each.retrieval.language,
            direction=direction,
            layer=layer,
            predictions=found[index],
        )
        for one in measured
        for seed, seeded in zip(one.seeds, one.found, strict=True)
        for each in seeded
        for direction, found in each.retrieval.found.items()
        for index, layer in enumerate(each.retrieval.layers)
    ]
