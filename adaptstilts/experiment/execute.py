"""Carrying out a plan: unfinished stages, the run's folder, its record, its report."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import torch

from adaptstilts.errors import MachineError
from adaptstilts.experiment import mine_score_stage, run_folder
from adaptstilts.experiment.align_stage import align
from adaptstilts.experiment.mine_score_stage import score_mined
from adaptstilts.experiment.mine_stage import mine
from adaptstilts.experiment.plan import Plan
from adaptstilts.experiment.refer_stage import refer
from adaptstilts.experiment.score_stage import score
from adaptstilts.experiment.stage import Align, Mine, Refer, Score, ScoreMined, Stage, Train
from adaptstilts.experiment.store import Summary, is_finished, read_summary, stage_lock
from adaptstilts.experiment.train_stage import train
from adaptstilts.experiment.watch import Silence, Watcher
from adaptstilts.experiment.workbench import Workbench, open_workbench
from adaptstilts.record import run as record_file
from adaptstilts.record.provenance import git_state, utc_now, versions
from adaptstilts.record.run import (
    AdapterRecord,
    BaseRecord,
    DataRecord,
    GitRecord,
    HeadlineRecord,
    RunRecord,
    StageRecord,
)
from adaptstilts.report import page

PACKAGES = (
    "adaptstilts",
    "torch",
    "transformers",
    "peft",
    "bitsandbytes",
    "tokenizers",
    "datasets",
    "numpy",
)


def execute(plan: Plan, folder: Path, *, watcher: Watcher | None = None) -> RunRecord:
    """Carries out a plan and leaves a run in a folder.

    Stages that any earlier run has finished are not done again. A run that was cut off, started
    again, ends as one that was not.

    Args:
        plan: What to do.
        folder: Where the run goes; made if it is not there.
        watcher: Who is told of the progress.

    Returns:
        The run's record, as it stands in the folder.

    Raises:
        AdaptstiltsError: A stage failed; the record says so too.
    """
    watcher = watcher or Silence()
    run_folder.prepare(folder, plan)
    record = _first_record(plan)
    _write(folder, record)
    started = time.monotonic()
    try:
        finished = _carry_out(plan, folder, record, watcher, started)
        _write(folder, finished)
        page.write(folder)
    except BaseException as error:
        reason = f"{type(error).__name__}: {error}"
        failed = {"status": "failed", "error": reason, "finished_at": utc_now()}
        _write(folder, record.model_copy(update=failed))
        raise
    return finished


def _carry_out(
    plan: Plan, folder: Path, record: RunRecord, watcher: Watcher, started: float
) -> RunRecord:
    """Does what is not finished, gathers everything, and completes the record."""
    pending = [stage for stage in plan.stages if not is_finished(stage.kind, stage.key)]
    heavy = [stage for stage in pending if isinstance(stage, Train | Align | Mine)]
    notices = list(plan.notices)
    if plan.recipe.base.device == "cpu":
        threads = torch.get_num_threads()
        notices.append(f"{threads} CPU threads: torch's choice; OMP_NUM_THREADS sets another")
    for notice in notices:
        watcher.noticed(notice)
    workbench = open_workbench(plan, heavy, watcher) if heavy else None
    summaries: dict[str, Summary] = {}
    stages: list[StageRecord] = []
    log: list[dict[str, Any]] = []
    made: set[str] = set()
    for stage in plan.stages:
        made |= _do(_together(stage, heavy), workbench, watcher)
        is_cached = stage.key not in made
        summary = read_summary(stage.kind, stage.key)
        summaries[stage.key] = summary
        watcher.finished(stage, is_cached=is_cached, seconds=summary.seconds)
        stages.append(
            StageRecord(
                kind=stage.kind,
                name=stage.name,
                key=stage.key,
                is_cached=is_cached,
                seconds=summary.seconds,
                peak_memory_bytes=summary.peak_memory_bytes,
                made=summary.made,
            )
        )
        log.append({"at": utc_now(), **stages[-1].model_dump()})
        run_folder.write_log(folder, log)
    run_folder.write_tables(folder, plan, summaries)
    run_folder.write_adapters(folder, plan)
    adapters = {
        stage.name: AdapterRecord.model_validate(summaries[stage.key].details)
        for stage in plan.stages
        if isinstance(stage, Train)
    }
    for name, adapter in adapters.items():
        if adapter.is_collapsed:
            notice = (
                f"training of {name} collapsed: it predicts one label for every dev row, so what "
                "follows measures a failed training, not the task"
            )
            if adapter.control is not None:
                notice = (
                    f"training of {name} ended on one label for every dev row, as may be expected: "
                    f"it is a control of {adapter.of} ({adapter.control}), not a failed training"
                )
            notices.append(notice)
            watcher.noticed(notice)
    base = next((s.base for s in summaries.values() if s.base is not None), None)
    tables = {
        (row["table"], row["location"]): row
        for summary in summaries.values()
        for row in summary.data
    }
    return record.model_copy(
        update={
            "status": "finished",
            "finished_at": utc_now(),
            "seconds": time.monotonic() - started,
            "base": None if base is None else BaseRecord.model_validate(base),
            "data": [DataRecord.model_validate(row) for row in tables.values()],
            "stages": stages,
            "adapters": adapters,
            "headline": _headline(plan, summaries),
            "notices": notices,
            "peak_memory_bytes": max((row.peak_memory_bytes or 0 for row in stages), default=None),
        }
    )


def _together(stage: Stage, pending: Sequence[Stage]) -> list[Stage]:
    """A stage with those that are best done at once: encodings that share their lower layers."""
    if not isinstance(stage, Align) or stage.first_layer < 2:
        return [stage]
    others = [
        one
        for one in pending
        if isinstance(one, Align)
        and one.key != stage.key
        and one.first_layer > 1
        and (one.bitexts, one.layers) == (stage.bitexts, stage.layers)
        and all(is_finished("train", update.training) for update in one.updates)
    ]
    return [stage, *others]


def _do(stages: Sequence[Stage], workbench: Workbench | None, watcher: Watcher) -> set[str]:
    """Carries out the stages that are not finished, and gives their keys.

    Raises:
        MachineError: The GPU's memory does not suffice.
    """
    if is_finished(stages[0].kind, stages[0].key):
        return set()
    with ExitStack() as locks:
        # In one order everywhere, so that no two processes wait for each other.
        for stage in sorted(stages, key=lambda one: one.key):
            words = f"another process is at work on {stage.kind} {stage.name}; waiting for it"
            locks.enter_context(
                stage_lock(stage.kind, stage.key, waiting=partial(watcher.noticed, words))
            )
        unfinished = [stage for stage in stages if not is_finished(stage.kind, stage.key)]
        if not unfinished:
            return set()
        try:
            _carry_out_stages(unfinished, workbench, watcher)
        except torch.OutOfMemoryError as error:
            raise MachineError(
                f"the GPU's memory does not suffice for {stages[0].kind} {stages[0].name}: lower "
                "training.tokens_per_batch and raise training.accumulation by the same factor, or "
                f"free the GPU from other work ({str(error).splitlines()[0]})"
            ) from error
    return {stage.key for stage in unfinished}


def _carry_out_stages(
    stages: Sequence[Stage], workbench: Workbench | None, watcher: Watcher
) -> None:
    """The work of one stage, or of several encodings at once."""
    first = stages[0]
    if isinstance(first, Score):
        score(first, watcher)
    elif isinstance(first, ScoreMined):
        score_mined(first, watcher)
    elif isinstance(first, Refer):
        refer(first, watcher)
    elif workbench is None:
        raise RuntimeError("a stage lost its workbench; this is a bug in adaptstilts")
    elif isinstance(first, Train):
        train(first, workbench, watcher)
    elif isinstance(first, Mine):
        mine(first, workbench, watcher)
    else:
        align([stage for stage in stages if isinstance(stage, Align)], workbench, watcher)


def _first_record(plan: Plan) -> RunRecord:
    """The record before anything is done."""
    git = git_state(Path(__file__).parent)
    return RunRecord(
        name=plan.recipe.name,
        profile=plan.choice.profile,
        profile_reason=plan.choice.reason,
        status="running",
        started_at=utc_now(),
        command=list(sys.argv),
        versions=versions(PACKAGES),
        git=None if git is None else GitRecord.model_validate(git),
        hardware=plan.hardware,
        seeds={
            stage.name: stage.adapter.training.seed
            for stage in plan.stages
            if isinstance(stage, Train)
        },
        notices=list(plan.notices),
    )


WHY = {
    "held_out": "chosen by the baseline's score on held-out sentences",
    "leave_languages_out": "chosen for each language by the baseline's score on all others",
    "oracle": "chosen by the baseline's score on the very sentences that are scored",
}


def _headline(plan: Plan, summaries: dict[str, Summary]) -> HeadlineRecord | None:
    """The figure that the report leads with: that of the first measurement of finished systems."""
    for stage in plan.stages:
        if isinstance(stage, ScoreMined) and stage.baselines:
            return mine_score_stage.headline(stage)
        if not isinstance(stage, Score) or not stage.baselines:
            continue
        chosen = summaries[stage.key].details["chosen"]
        layers: dict[str, int] = {} if chosen is None else chosen["layers"]
        layer: int | None
        if stage.headline is not None:
            layer, why = stage.headline.layer, stage.headline.why
        else:
            same = set(layers.values())
            layer, why = (same.pop() if len(same) == 1 else None), WHY[chosen["on"]]
        return HeadlineRecord(
            benchmark=stage.benchmark,
            protocol=stage.protocol.name,
            layer=layer,
            direction=stage.protocol.directions[0],
            metric=stage.protocol.metrics[0],
            why=why,
            chosen=None if chosen is None else chosen["on"],
            layers=layers,
        )
    return None


def _write(folder: Path, record: RunRecord) -> None:
    """Puts the record into the run's folder."""
    record_file.write(folder / run_folder.RECORD, record)
