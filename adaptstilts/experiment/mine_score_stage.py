"""Carrying out the scoring of mined pairs: thresholds, scores, effects, curves."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from adaptstilts.alignment.mined_rows import (
    Cut,
    MinedSystem,
    MiningTable,
    cut,
    mined_effects,
    mined_scores,
)
from adaptstilts.experiment.memory import peak_bytes
from adaptstilts.experiment.mine_stage import read_mined
from adaptstilts.experiment.score_stage import EFFECTS, SCORES
from adaptstilts.experiment.stage import Mine, ScoreMined
from adaptstilts.experiment.store import Summary, finish, working_folder
from adaptstilts.experiment.watch import Watcher
from adaptstilts.record import scores as tables
from adaptstilts.record.files import write_text
from adaptstilts.record.run import HeadlineRecord

CURVES = "curves.json"


def score_mined(stage: ScoreMined, watcher: Watcher) -> Path:
    """Scores what every system of one measurement mined and compares it with the baseline.

    Args:
        stage: What is scored; the minings it needs are finished.
        watcher: Who is told.

    Returns:
        The stage's final folder.
    """
    started = time.monotonic()
    table = MiningTable(stage.benchmark, stage.protocol.name, stage.layer, stage.chosen)
    watcher.started(stage, len(stage.mines), "systems")
    measured = {one.system: one for one in _measured(stage.mines)}
    baseline = next(iter(_measured(stage.baselines)), None)
    rows: list[tables.Score] = []
    differences: list[tables.Effect] = []
    for done, one in enumerate(measured.values(), start=1):
        rows += mined_scores(one, table)
        if baseline is not None and one.system != baseline.system:
            differences += mined_effects(one, baseline, table)
        watcher.advanced(done, one.system)
    for system, control in stage.contrasts:
        differences += mined_effects(measured[system], measured[control], table)
    partial = working_folder("score", stage.key)
    tables.write_scores(partial / SCORES, rows)
    tables.write_effects(partial / EFFECTS, differences)
    curves = [curve for one in measured.values() for curve in _curves(one, table)]
    write_text(partial / CURVES, json.dumps(curves, ensure_ascii=False))
    summary = Summary(
        kind="score",
        name=stage.name,
        key=stage.key,
        seconds=time.monotonic() - started,
        peak_memory_bytes=peak_bytes("cpu"),
        base=None,
        data=[],
        details={"chosen": None},
    )
    return finish(partial, summary)


def write_curves(folder: Path, finished: Sequence[Path]) -> None:
    """Writes the curves of a run, `bucc2018.<system>.json` for each system.

    Args:
        folder: Where the files go.
        finished: The folders of the stages that scored.
    """
    by_system: dict[str, list[dict[str, Any]]] = {}
    for one in finished:
        for curve in json.loads((one / CURVES).read_text(encoding="utf-8")):
            dataset = curve["benchmark"].partition("/")[0]
            by_system.setdefault(f"{dataset}.{curve['system']}.json", []).append(curve)
    for name, curves in by_system.items():
        write_text(folder / name, json.dumps(curves, indent=1, ensure_ascii=False) + "\n")


def headline(stage: ScoreMined) -> HeadlineRecord:
    """The figure that a report leads with, where this is the first measurement."""
    return HeadlineRecord(
        benchmark=stage.benchmark,
        protocol=stage.protocol.name,
        layer=stage.layer,
        direction=None,
        metric="f1",
        why=stage.why,
        chosen=stage.chosen,
    )


def _measured(mines: Sequence[Mine]) -> list[MinedSystem]:
    """What systems mined, the seeds of each together."""
    groups: dict[str, list[Mine]] = {}
    for one in mines:
        groups.setdefault(one.system, []).append(one)
    return [
        MinedSystem(system, tuple(one.seed for one in group), [_cuts(one) for one in group])
        for system, group in groups.items()
    ]


def _cuts(stage: Mine) -> dict[str, Cut]:
    """A stage's candidates in every language, cut where the protocol cuts them."""
    found = {}
    for language, splits in stage.corpora.items():
        dev = cut(*read_mined(stage, language, "dev"), name=splits["dev"].name)
        if stage.protocol.is_oracle:
            found[language] = dev
        else:
            test = read_mined(stage, language, "test")
            found[language] = cut(*test, name=splits["test"].name, threshold=dev.threshold)
    return found


def _curves(one: MinedSystem, table: MiningTable) -> list[dict[str, Any]]:
    """Precision and recall by threshold, as plain values."""
    return [
        {
            "system": one.system,
            "seed": seed,
            "benchmark": table.benchmark,
            "protocol": table.protocol,
            "language": language,
            "layer": table.layer,
            "threshold": found.threshold.value,
            "chosen_on": found.threshold.chosen_on,
            "chosen": table.chosen,
            "gold": found.score.gold,
            "predicted": found.score.predicted,
            "correct": found.score.correct,
            "candidates": found.candidates,
            "curve": {
                name: getattr(found.curve, name).tolist()
                for name in ("threshold", "precision", "recall", "f1", "predicted", "correct")
            },
        }
        for seed, cuts in zip(one.seeds, one.cuts, strict=True)
        for language, found in cuts.items()
    ]
