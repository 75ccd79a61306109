"""The stage of a random adapter: take a trained one's size, draw a direction, finish."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from adaptstilts.adapter import store as adapter_store
from adaptstilts.adapter.random import random_like
from adaptstilts.experiment.memory import peak_bytes
from adaptstilts.experiment.stage import Train
from adaptstilts.experiment.store import (
    Summary,
    finish,
    snapshot_folder,
    stage_folder,
    working_folder,
)
from adaptstilts.experiment.watch import Watcher
from adaptstilts.experiment.workbench import Workbench


def draw_random(stage: Train, workbench: Workbench, watcher: Watcher) -> Path:
    """Makes an adapter whose update is random and, on every module, as large as a trained one's.

    Args:
        stage: A random control; the training that it is a control of is finished.
        workbench: The base.
        watcher: Who is told.

    Returns:
        The stage's final folder.
    """
    if stage.of_key is None:
        raise RuntimeError(
            "a random adapter has no training to follow; this is a bug in adaptstilts"
        )
    started = time.monotonic()
    partial = working_folder("train", stage.key)
    watcher.started(stage, 1, "adapters")
    trained = snapshot_folder(stage_folder("train", stage.of_key), None)
    weights = random_like(
        adapter_store.read_weights_file(trained), seed=stage.adapter.training.seed
    )
    folder = snapshot_folder(partial, None)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    adapter_store.save(
        folder,
        weights,
        adapter_store.read_config(trained),
        stage_provenance(stage, workbench, data=[]),
    )
    watcher.advanced(1, "")
    details = {
        "task": stage.task.name,
        "method": stage.adapter.method.model_dump(mode="json"),
        "parameters": sum(weight.numel() for weight in weights.values()),
        "seed": stage.adapter.training.seed,
        "steps": 0,
        "chosen_step": 0,
        "chosen_share": 1.0,
        "dev_accuracy": None,
        "dev_n": 0,
        "test_accuracy": None,
        "test_n": 0,
        "head_parameters": 0,
        "curve": [],
        "is_collapsed": False,
        "control": stage.control,
        "of": stage.of,
    }
    summary = Summary(
        kind="train",
        name=stage.name,
        key=stage.key,
        seconds=time.monotonic() - started,
        peak_memory_bytes=peak_bytes(workbench.base.device.type),
        base=workbench.record,
        data=[],
        details=details,
    )
    return finish(partial, summary)


def stage_provenance(
    stage: Train, workbench: Workbench, *, data: list[dict[str, Any]]
) -> adapter_store.Provenance:
    """What the adapter of a stage says of itself, beside its weights."""
    recipe, control = stage.adapter, {}
    if stage.control is not None:
        control = {"control": stage.control, "of": stage.of}
    return adapter_store.Provenance(
        task=stage.task.name,
        base=workbench.record["model"],
        revision=workbench.record["revision"],
        fingerprint=workbench.base.fingerprint,
        weights=workbench.base.weights,
        details={
            "method": recipe.method.model_dump(mode="json"),
            "head": recipe.head.model_dump(mode="json"),
            "training": recipe.training.model_dump(mode="json"),
            "labels": list(stage.task.labels),
            "data": data,
            **control,
        },
    )
