"""Carrying out a training stage: run the loop, keep snapshots, choose one, score it, finish."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import fields
from pathlib import Path
from typing import Any

from adaptstilts.adapter import store as adapter_store
from adaptstilts.adapter.attach import attach, detach, write_weights
from adaptstilts.adapter.lora import lora_config
from adaptstilts.errors import TrainingError
from adaptstilts.experiment.memory import peak_bytes, start_counting
from adaptstilts.experiment.random_stage import draw_random, stage_provenance
from adaptstilts.experiment.stage import Train
from adaptstilts.experiment.store import Summary, finish, snapshot_folder, working_folder
from adaptstilts.experiment.train_objective import training_objective
from adaptstilts.experiment.watch import Watcher
from adaptstilts.experiment.workbench import Workbench
from adaptstilts.head import store as head_store
from adaptstilts.recipe.adapter import numbered_layers
from adaptstilts.record.files import replacing, sync, write_text
from adaptstilts.training import state as training_state
from adaptstilts.training.batches import total_steps
from adaptstilts.training.classification import Classification
from adaptstilts.training.loop import Evaluation, Settings, Step, Training

OUTCOMES = "outcomes.json"
STATE = "state.safetensors"
PROGRESS = "progress.json"
SECONDS_BETWEEN_CHECKPOINTS = 20.0
# Controls whose dev score cannot tell a better checkpoint.
KEEP_LAST = ("shuffled_labels", "english_contrastive")
CURVE = ("step", "share", "loss", "dev_accuracy", "dev_loss")


def train(stage: Train, workbench: Workbench, watcher: Watcher) -> Path:
    """Trains an adapter, from where an earlier run was cut off if there was one.

    A random control is drawn instead.

    Args:
        stage: What is trained.
        workbench: The base and the tokenised rows.
        watcher: Who is told.

    Returns:
        The stage's final folder.

    Raises:
        TrainingError: The loss is not a number, or there are fewer steps than evaluations.
    """
    if stage.control == "random":
        return draw_random(stage, workbench, watcher)
    try:
        return _train(stage, workbench, watcher, working_folder("train", stage.key))
    finally:
        detach(workbench.base.model, stage.name)


def _train(stage: Train, workbench: Workbench, watcher: Watcher, partial: Path) -> Path:
    """The work itself, in the stage's unfinished folder."""
    started = time.monotonic()
    base, tokens, recipe = workbench.base, workbench.tasks[stage.key], stage.adapter
    method = recipe.method
    config = lora_config(
        rank=method.rank,
        alpha=method.alpha,
        dropout=method.dropout,
        targets=method.targets,
        layers=numbered_layers(method.layers),
    )
    attach(base.model, stage.name, config, seed=recipe.training.seed)
    objective = training_objective(stage, workbench)
    settings = _settings(stage, objective.lengths)
    if settings.steps < settings.evaluations:
        raise TrainingError(
            f"training of {stage.name} has {settings.steps} steps and {settings.evaluations} "
            "evaluations do not fit into them. Lower training.evaluations, or train longer"
        )
    progress: dict[str, Any] = {"seconds": 0.0, "points": []}
    state = None
    if (partial / STATE).is_file() and (partial / PROGRESS).is_file():
        state = training_state.load(partial / STATE)
        progress = json.loads((partial / PROGRESS).read_text(encoding="utf-8"))
        watcher.noticed(f"training of {stage.name} goes on after step {state.step}")
    training = Training(base, stage.name, objective, settings=settings, state=state)
    # A kill may fall between the two files: what the state has not seen yet will be done again.
    points = [point for point in progress["points"] if point["step"] <= training.step]
    earlier = progress["seconds"]
    provenance = stage_provenance(stage, workbench, data=tokens.data)

    def checkpoint() -> None:
        progress = {"seconds": earlier + time.monotonic() - started, "points": points}
        write_text(partial / PROGRESS, json.dumps(progress))
        with replacing(partial / STATE) as fresh:
            training_state.save(training.state(), fresh)

    start_counting(base.device.type)
    watcher.started(stage, settings.steps, "steps")
    saved = time.monotonic()
    is_due = False
    for event in training.run():
        if isinstance(event, Evaluation):
            folder = snapshot_folder(partial, event.share)
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            adapter_store.save(folder, event.adapter, config, provenance)
            if event.head:
                head_store.save(folder, event.head)
            for path in (*folder.iterdir(), folder):
                sync(path)
            points.append(_point(event))
            is_due = True
        else:
            watcher.advanced(event.step, _words(event, points))
            if is_due or time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS:
                checkpoint()
                saved, is_due = time.monotonic(), False
    chosen = _chosen(stage, points)
    source, chosen_folder = (snapshot_folder(partial, share) for share in (chosen["share"], None))
    shutil.rmtree(chosen_folder, ignore_errors=True)
    shutil.copytree(source, chosen_folder)
    weights = adapter_store.read_weights_file(chosen_folder)
    write_weights(base.model, stage.name, weights)
    tested: dict[str, Any] = {"test_accuracy": None, "test_n": 0}
    if isinstance(objective, Classification):
        head_store.load(chosen_folder, objective.head)
        predictions = objective.predict(
            tokens.test.token_ids, tokens_per_batch=settings.tokens_per_batch
        )
        right = sum(map(int.__eq__, predictions, tokens.test.labels))
        tested = {"test_accuracy": right / len(predictions), "test_n": len(predictions)}
        outcomes = {"labels": list(tokens.test.labels), "predictions": predictions}
        write_text(partial / OUTCOMES, json.dumps(outcomes))
    details = {
        "task": stage.task.name,
        "method": method.model_dump(mode="json"),
        "parameters": sum(weight.numel() for weight in weights.values()),
        "seed": recipe.training.seed,
        "steps": settings.steps,
        "chosen_step": chosen["step"],
        "chosen_share": chosen["share"],
        "dev_accuracy": chosen["dev_accuracy"],
        "dev_n": chosen["dev_n"],
        "dev_metric": objective.dev_metric,
        **tested,
        "head_parameters": sum(p.numel() for p in objective.head.parameters()),
        "curve": [{key: point[key] for key in CURVE} for point in points],
        "is_collapsed": bool(chosen["is_constant"]),
        "control": stage.control,
        "of": stage.of,
    }
    summary = Summary(
        kind="train",
        name=stage.name,
        key=stage.key,
        seconds=earlier + time.monotonic() - started,
        peak_memory_bytes=peak_bytes(base.device.type),
        base=workbench.record,
        data=tokens.data,
        details=details,
    )
    return finish(partial, summary, scratch=(STATE, PROGRESS))


def _chosen(stage: Train, points: list[dict[str, Any]]) -> dict[str, Any]:
    """The evaluation whose snapshot is kept: the best on the dev rows, the earliest of equals.

    Two controls keep the last one. With shuffled labels there is nothing to be better at, and a
    choice among scores at chance would only lift them above it. Contrastive training finds nearly
    every copy from the start, so that the earliest of equals would be hardly trained.
    """
    if stage.control in KEEP_LAST:
        return points[-1]
    return max(points, key=lambda point: (point["dev_accuracy"], -point["step"]))


def _point(event: Evaluation) -> dict[str, Any]:
    """One evaluation as plain values."""
    return {
        "step": event.step,
        "share": event.share,
        "loss": event.loss,
        "dev_accuracy": event.dev.value,
        "dev_n": event.dev.n,
        "dev_loss": event.dev.loss,
        "is_constant": event.dev.predictions is not None and len(set(event.dev.predictions)) == 1,
    }


def _words(event: Step, points: list[dict[str, Any]]) -> str:
    """What a progress line says of a step."""
    words = f"loss {event.loss:.3f}  learning rate {event.learning_rate:.1e}"
    return f"{words}  dev {points[-1]['dev_accuracy']:.1%}" if points else words


def _settings(stage: Train, lengths: list[int]) -> Settings:
    """The recipe's training section as the loop's settings."""
    values = stage.adapter.training.model_dump()
    steps = total_steps(
        lengths,
        tokens_per_batch=values["tokens_per_batch"],
        accumulation=values["accumulation"],
        seed=values["seed"],
        epochs=values["epochs"],
        steps=values["steps"],
    )
    names = [field.name for field in fields(Settings) if field.name != "steps"]
    return Settings(steps=steps, **{name: values[name] for name in names})
