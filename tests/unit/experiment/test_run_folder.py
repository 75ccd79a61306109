"""The tables that a run's folder gathers: one file of items for each benchmark, no row twice."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from adaptstilts.experiment.plan import plan
from adaptstilts.experiment.run_folder import write_tables
from adaptstilts.experiment.score_stage import EFFECTS, ITEMS, SCORES
from adaptstilts.experiment.stage import Score
from adaptstilts.experiment.store import CACHE_VARIABLE, stage_folder
from adaptstilts.record import scores as tables
from adaptstilts.record.scores import Items

SMOKE = Path(__file__).resolve().parents[3] / "recipes" / "smoke" / "alignment.yaml"


def item(language: str, predictions: list[int], layer: int = 4) -> Items:
    return Items("base", None, None, language, "en-xx", layer, np.array(predictions, np.int32))


def test_each_benchmark_has_a_file_of_items_of_its_own_and_no_row_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.delenv("ADAPTSTILTS_DATA", raising=False)
    planned = plan(SMOKE, overrides=["measure.1.bitext.name=bitext"])
    bundled, own = (stage for stage in planned.stages if isinstance(stage, Score))
    again = replace(bundled, key="0" * 20)  # the same benchmark by another protocol
    found = {
        bundled.key: [item("de", [0, 1]), item("de", [0, 1], layer=6)],
        again.key: [item("de", [0, 1]), item("de", [1, 1], layer=6), item("fr", [0])],
        own.key: [item("de", [0, 1])],
    }
    for key, rows in found.items():
        folder = stage_folder("score", key)
        folder.mkdir(parents=True)
        tables.write_scores(folder / SCORES, [])
        tables.write_effects(folder / EFFECTS, [])
        tables.write_items(folder / ITEMS, rows)
    write_tables(tmp_path / "run", replace(planned, stages=(bundled, again, own)), {})
    left = {
        path.name: [
            (row.language, row.layer, row.predictions.tolist()) for row in tables.read_items(path)
        ]
        for path in (tmp_path / "run" / "items").iterdir()
    }
    assert left == {
        "pocket.bitext.parquet": [
            ("de", 4, [0, 1]),
            ("de", 6, [0, 1]),
            ("de", 6, [1, 1]),
            ("fr", 4, [0]),
        ],
        "bitext.parquet": [("de", 4, [0, 1])],
    }
