"""The folder that a run leaves: recipe, record, tables, adapters; every file whole or not there."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adaptstilts.errors import RecordError
from adaptstilts.experiment.mine_score_stage import write_curves
from adaptstilts.experiment.plan import Plan
from adaptstilts.experiment.score_stage import EFFECTS, ITEMS, SCORES
from adaptstilts.experiment.stage import Score, ScoreMined, Train
from adaptstilts.experiment.store import Summary, snapshot_folder, stage_folder
from adaptstilts.experiment.train_stage import OUTCOMES
from adaptstilts.metric.interval import wilson
from adaptstilts.recipe.load import resolved_yaml
from adaptstilts.record import scores as tables
from adaptstilts.record.files import write_bytes, write_text

RECORD = "record.json"
NAME_DIGITS = 8


def default_folder(plan: Plan) -> Path:
    """`runs/<name>-<hash>`: the same experiment always goes to the same folder."""
    whole = resolved_yaml(plan.recipe) + "".join(stage.key for stage in plan.stages)
    digest = hashlib.sha256(whole.encode()).hexdigest()[:NAME_DIGITS]
    return Path("runs") / f"{plan.recipe.name}-{plan.choice.profile}-{digest}"


def prepare(folder: Path, plan: Plan) -> None:
    """Makes a run's folder and puts the recipe in it.

    Raises:
        RecordError: The folder holds something that is not a run, or another run.
    """
    if folder.exists() and not folder.is_dir():
        raise RecordError(f"{folder} is a file; name another folder with --out")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "recipe.yaml").is_file():
        raise RecordError(
            f"{folder} holds files that are not a run's; name an empty or new folder with --out"
        )
    resolved = folder / "recipe.resolved.yaml"
    if resolved.is_file() and resolved.read_text(encoding="utf-8") != resolved_yaml(plan.recipe):
        raise RecordError(
            f"{folder} holds a run of another recipe, or of this one with other settings; name "
            "another folder with --out"
        )
    folder.mkdir(parents=True, exist_ok=True)
    write_bytes(folder / "recipe.yaml", plan.path.read_bytes())
    write_text(resolved, resolved_yaml(plan.recipe))


def write_tables(folder: Path, plan: Plan, summaries: dict[str, Summary]) -> None:
    """Gathers the tables of all stages: scores, effects and what each item got.

    Args:
        folder: The run's folder.
        plan: The plan, all of whose stages are finished.
        summaries: What each stage says of itself, by key.
    """
    scores: list[tables.Score] = []
    effects: list[tables.Effect] = []
    items: dict[str, dict[object, tables.Items]] = {}
    mined = []
    for stage in plan.stages:
        finished = stage_folder(stage.kind, stage.key)
        if isinstance(stage, Train):
            scores += _task_scores(stage, plan, summaries[stage.key])
            outcomes = finished / OUTCOMES
            if outcomes.is_file():  # a control without the task's head answers no row of the task
                items_file = folder / "items" / f"{stage.task.name}.{stage.name}.json"
                write_bytes(items_file, outcomes.read_bytes())
        elif isinstance(stage, Score | ScoreMined):
            scores += tables.read_scores(finished / SCORES)
            effects += tables.read_effects(finished / EFFECTS)
            if isinstance(stage, ScoreMined):
                mined.append(finished)
                continue
            # The whole name: a bitext of one's own may be called as the bundled one is.
            rows = items.setdefault(stage.benchmark.replace("/", "."), {})
            for row in tables.read_items(finished / ITEMS):
                # Two measurements of one benchmark find the same where they search alike.
                what = {**vars(row), "predictions": row.predictions.tobytes()}
                rows.setdefault(tuple(what.values()), row)
    tables.write_scores(folder / "scores.parquet", scores)
    tables.write_effects(folder / "effects.parquet", effects)
    for name, rows in items.items():
        tables.write_items(folder / "items" / f"{name}.parquet", list(rows.values()))
    write_curves(folder / "items", mined)


def write_adapters(folder: Path, plan: Plan) -> None:
    """Copies each chosen adapter with its head into the run's folder."""
    for stage in plan.stages:
        if isinstance(stage, Train):
            final = folder / "adapters" / stage.name
            partial = folder / "adapters" / f"{stage.name}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            shutil.copytree(snapshot_folder(stage_folder("train", stage.key), None), partial)
            shutil.rmtree(final, ignore_errors=True)
            partial.rename(final)


def write_log(folder: Path, events: Sequence[Mapping[str, Any]]) -> None:
    """Writes `log.jsonl`, one line for each stage so far."""
    lines = [json.dumps(event, ensure_ascii=False) + "\n" for event in events]
    write_text(folder / "log.jsonl", "".join(lines))


def _task_scores(stage: Train, plan: Plan, summary: Summary) -> list[tables.Score]:
    """An adapter's score on its own task, for every system that is just that adapter.

    Empty for a control that has no head of the task's.
    """
    details = summary.details
    n, accuracy = details["test_n"], details["test_accuracy"]
    if accuracy is None:
        return []
    low, high = wilson(round(accuracy * n), n)
    return [
        tables.Score(
            system=system,
            seed=details["seed"],
            seeds=1,
            benchmark=stage.test.dataset,
            protocol="validation",
            language="en",
            direction=None,
            space=None,
            layer=None,
            chosen=None,
            metric=stage.task.metric,
            value=accuracy,
            n=n,
            low=low,
            high=high,
            trained_share=None,
        )
        for system, expression in plan.recipe.systems.items()
        if expression == stage.adapter_name
    ]
