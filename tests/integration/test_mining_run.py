"""Whole runs that mine: in the bundled bitext, and in a part of the real Chinese set."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mining_mirror import cut_set, write_set

from adaptstilts.data.bitext import bitext
from adaptstilts.data.pocket import Pocket
from adaptstilts.experiment.execute import execute
from adaptstilts.experiment.plan import plan
from adaptstilts.experiment.store import CACHE_VARIABLE
from adaptstilts.record import run as record_run
from adaptstilts.record.scores import Score, read_effects, read_scores
from adaptstilts.task.target.tatoeba import TATOEBA

RECIPE = """
name: mined
base: {model: pocket}
adapters:
  sst2:
    task: sst2
    method: {kind: lora, rank: 4, alpha: 32}
    training:
      {steps: 4, evaluations: 2, learning_rate: 1e-2, tokens_per_batch: 512, max_length: 32}
systems: {base: none, sst2: sst2}
measure: [{bucc: {protocol: PROTOCOL, layer: 4, languages: [LANGUAGE]}}]
report: {baseline: base}
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(folder))
        yield folder


def run(folder: Path, root: Path, *, protocol: str, language: str) -> Path:
    path = folder / "recipe.yaml"
    text = RECIPE.replace("PROTOCOL", protocol).replace("LANGUAGE", language)
    path.write_text(text, encoding="utf-8")
    execute(plan(path, mirror=root), folder / "run")
    return folder / "run"


def mined(folder: Path) -> dict[tuple[str, str, str], Score]:
    rows = [row for row in read_scores(folder / "scores.parquet") if "bucc" in row.benchmark]
    return {(row.system, row.language, row.metric): row for row in rows}


def curves(folder: Path, system: str) -> list[dict[str, Any]]:
    path = folder / "items" / f"bucc2018.{system}.json"
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return found


def check_tables(folder: Path, language: str) -> None:
    """Scores, effects and curves of one run agree with each other."""
    rows = mined(folder)
    for system in ("base", "sst2"):
        (curve,) = curves(folder, system)
        precision = curve["correct"] / curve["predicted"]
        recall = curve["correct"] / curve["gold"]
        f1 = 2 * precision * recall / (precision + recall)
        for metric, value in (("precision", precision), ("recall", recall), ("f1", f1)):
            row = rows[system, language, metric]
            assert row.value == pytest.approx(value)
            assert rows[system, "macro", metric].value == pytest.approx(value)
            assert row.low <= row.value <= row.high
            assert (row.n, row.layer, row.direction) == (curve["gold"], 4, None)
        assert len(curve["curve"]["f1"]) == len(curve["curve"]["threshold"]) <= 200
    effects = [row for row in read_effects(folder / "effects.parquet") if row.metric == "f1"]
    assert {(row.system, row.baseline) for row in effects} == {("sst2", "base")}
    for row in effects:
        ours, theirs = (rows[name, row.language, "f1"].value for name in ("sst2", "base"))
        assert row.value == pytest.approx(ours - theirs)


def test_a_dev_set_chooses_the_threshold_of_a_test_set(cache: Path, tmp_path: Path) -> None:
    whole = bitext(Pocket().read(TATOEBA.tables["de"]), "de")
    pairs = list(zip(whole.foreign, whole.english, strict=True))
    write_set(tmp_path / "mirror", pairs[:100], alone=40)
    write_set(tmp_path / "mirror", pairs[100:], split="test", alone=100)
    folder = run(tmp_path, tmp_path / "mirror", protocol="xtreme-paper", language="de")
    check_tables(folder, "de")
    rows = mined(folder)
    assert {row.chosen for row in rows.values()} == {"held_out"}
    assert {row.benchmark for row in rows.values()} == {"bucc2018/test"}
    assert rows["base", "de", "f1"].n == 120
    assert rows["base", "de", "f1"].value > 0.5
    (curve,) = curves(folder, "base")
    assert curve["chosen_on"] == "bucc2018/de-en/dev"
    record = record_run.read(folder / "record.json")
    assert record.headline is not None
    assert (record.headline.benchmark, record.headline.metric) == ("bucc2018/test", "f1")
    assert {row.table for row in record.data} >= {
        f"bucc2018/de-en/{split}/{part}"
        for split in ("dev", "test")
        for part in ("de", "en", "gold")
    }
    again = execute(plan(tmp_path / "recipe.yaml", mirror=tmp_path / "mirror"), tmp_path / "again")
    assert all(stage.is_cached for stage in again.stages)
    assert mined(tmp_path / "again") == rows


@pytest.mark.mirror
def test_a_part_of_the_real_chinese_set(mirror: Path, cache: Path, tmp_path: Path) -> None:
    cut_set(mirror, tmp_path / "mirror", pairs=150, sentences=600)
    folder = run(tmp_path, tmp_path / "mirror", protocol="jiant", language="zh")
    check_tables(folder, "zh")
    rows = mined(folder)
    assert {row.chosen for row in rows.values()} == {"oracle"}
    assert {row.benchmark for row in rows.values()} == {"bucc2018/dev"}
    # Measured: F1 0.922 (0.885 to 0.953).
    assert rows["base", "zh", "f1"].value > 0.85
    (curve,) = curves(folder, "base")
    assert curve["chosen_on"] == "bucc2018/zh-en/dev"
    assert max(curve["curve"]["f1"]) == pytest.approx(rows["base", "zh", "f1"].value)
