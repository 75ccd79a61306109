"""A whole run on the bundled encoder and data: what it leaves and reuses, and surviving a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from adaptstilts.adapter.store import read_provenance
from adaptstilts.data.pocket import BUNDLED
from adaptstilts.experiment import execute as execution
from adaptstilts.experiment.execute import execute
from adaptstilts.experiment.plan import Plan, plan
from adaptstilts.experiment.store import CACHE_VARIABLE
from adaptstilts.record import run as record_run
from adaptstilts.record.scores import read_effects, read_items, read_scores
from pocket.evaluate import read_rows
from pocket.zero_shot import evaluate

ROOT = Path(__file__).resolve().parents[2]
SMOKE = ROOT / "recipes" / "smoke" / "sst2_tatoeba.yaml"
PATIENCE_SECONDS = 240.0


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(folder))
        patch.delenv("ADAPTSTILTS_DATA", raising=False)
        yield folder


@pytest.fixture(scope="module")
def undisturbed(cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "smoke"
    execute(plan(SMOKE), folder)
    return folder


def values(folder: Path) -> list[dict[str, object]]:
    return pq.read_table(folder / "scores.parquet").to_pylist()


def test_a_run_leaves_everything_that_is_promised(undisturbed: Path) -> None:
    names = {str(p.relative_to(undisturbed)) for p in undisturbed.rglob("*") if p.is_file()}
    assert names == {
        "recipe.yaml",
        "recipe.resolved.yaml",
        "record.json",
        "scores.parquet",
        "effects.parquet",
        "report.html",
        "log.jsonl",
        "items/pocket.bitext.parquet",
        "items/sst2.sst2.json",
        "adapters/sst2/adapter_config.json",
        "adapters/sst2/adapter_model.safetensors",
        "adapters/sst2/adaptstilts.json",
        "adapters/sst2/head.safetensors",
    }
    assert (undisturbed / "recipe.yaml").read_bytes() == SMOKE.read_bytes()


def test_the_record_says_what_was_run_and_on_what(undisturbed: Path) -> None:
    record = record_run.read(undisturbed / "record.json")
    assert record.status == "finished"
    assert record.profile == "pocket"
    assert record.base is not None
    assert record.base.fingerprint.startswith("weights:")
    assert record.base.kept_pieces < record.base.pieces
    assert {row.source for row in record.data} == {"pocket"}
    assert {row.table for row in record.data} >= {
        "pocket/sentiment/en/train",
        "pocket/bitext/de-en",
    }
    assert all(len(row.sha256) == 64 and row.n > 0 for row in record.data)
    assert record.seeds == {"sst2": 1}
    assert any("CPU threads" in notice for notice in record.notices)
    assert [stage.is_cached for stage in record.stages] == [False] * 8
    adapter = record.adapters["sst2"]
    assert (adapter.steps, len(adapter.curve)) == (10, 2)
    assert adapter.chosen_share in {point.share for point in adapter.curve}
    assert adapter.dev_accuracy == max(point.dev_accuracy for point in adapter.curve)


def test_the_tables_cover_systems_layers_directions_and_languages(undisturbed: Path) -> None:
    scores = [row for row in read_scores(undisturbed / "scores.parquet") if row.layer is not None]
    finished = [row for row in scores if row.trained_share is None]
    assert {row.system for row in finished} == {"base", "sst2", "sst2_negated"}
    assert {row.language for row in finished} == {"de", "fr", "macro", "micro"}
    assert {row.direction for row in finished} == {"both", "en-xx", "xx-en"}
    assert {row.layer for row in finished} == set(range(7))
    assert {row.benchmark for row in finished} == {"pocket/bitext"}
    assert all(row.low <= row.value <= row.high for row in scores)
    snapshots = {row.trained_share for row in scores} - {None}
    assert snapshots == {0.0, 0.5, 1.0}


def test_effects_are_the_differences_of_the_scores(undisturbed: Path) -> None:
    level = {
        (row.system, row.language, row.direction, row.layer): row.value
        for row in read_scores(undisturbed / "scores.parquet")
        if row.layer is not None and row.trained_share is None
    }
    effects = read_effects(undisturbed / "effects.parquet")
    assert {row.system for row in effects} == {"sst2", "sst2_negated"}
    assert {row.trained_share for row in effects} == {None, 0.5, 1.0}
    for row in (row for row in effects if row.trained_share is None):
        place = (row.language, row.direction, row.layer)
        expected = level[(row.system, *place)] - level[("base", *place)]
        assert row.value == pytest.approx(expected, abs=1e-6)


def test_scores_follow_from_the_items(undisturbed: Path) -> None:
    level = {
        (row.system, row.language, row.direction, row.layer): row.value
        for row in read_scores(undisturbed / "scores.parquet")
        if row.trained_share is None
    }
    items = [
        row
        for row in read_items(undisturbed / "items" / "pocket.bitext.parquet")
        if row.trained_share is None
    ]
    assert len(items) == 3 * 2 * 2 * 7
    for row in items:
        right = sum(int(found == index) for index, found in enumerate(row.predictions))
        key = (row.system, row.language, row.direction, row.layer)
        assert level[key] == pytest.approx(right / len(row.predictions))


def test_training_moves_nothing_below_the_first_layer(undisturbed: Path) -> None:
    effects = read_effects(undisturbed / "effects.parquet")
    assert {row.value for row in effects if row.layer == 0} == {0.0}


def test_the_snapshot_before_training_scores_as_the_base_does(undisturbed: Path) -> None:
    rows = read_scores(undisturbed / "scores.parquet")
    start = {(r.language, r.direction, r.layer): r.value for r in rows if r.trained_share == 0.0}
    base = {
        (r.language, r.direction, r.layer): r.value
        for r in rows
        if r.system == "base" and r.trained_share is None
    }
    assert start == base


def test_the_adapter_tells_its_base_and_task(undisturbed: Path) -> None:
    provenance = read_provenance(undisturbed / "adapters" / "sst2")
    assert (provenance.task, provenance.base) == ("sst2", "pocket")
    assert len(provenance.weights) == 64


def refuse(*_: object, **__: object) -> None:
    raise AssertionError("a finished stage was done again")


def test_a_second_run_loads_trains_and_encodes_nothing(
    undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for work in ("open_workbench", "train", "align", "score"):
        monkeypatch.setattr(execution, work, refuse)
    record = execute(plan(SMOKE), tmp_path / "again")
    assert all(stage.is_cached for stage in record.stages)
    assert values(tmp_path / "again") == values(undisturbed)


def names_to_do(planned: Plan) -> list[str]:
    from adaptstilts.experiment.store import is_finished

    return [f"{s.kind} {s.name}" for s in planned.stages if not is_finished(s.kind, s.key)]


def test_recipes_share_stages(undisturbed: Path) -> None:
    assert names_to_do(plan(SMOKE)) == []
    # Another way to score is the same encoding; another system is the same training.
    other = plan(SMOKE, overrides=["measure.0.tatoeba.protocol=mteb"])
    assert names_to_do(other) == ["score mteb"]
    half = plan(SMOKE, overrides=["systems.sst2_negated.scale.by=0.5"])
    assert names_to_do(half) == ["align sst2_negated", "score both"]
    seed = plan(SMOKE, overrides=["adapters.sst2.training.seed=2"])
    assert "align base" not in names_to_do(seed)
    assert "train sst2" in names_to_do(seed)


def test_a_system_scaled_to_nothing_shares_the_encoding_of_the_base(undisturbed: Path) -> None:
    nothing = plan(SMOKE, overrides=["systems.sst2_negated.scale.by=0"])
    assert names_to_do(nothing) == ["score both"]


def command(out: Path) -> list[str]:
    return [sys.executable, str(ROOT / "cli.py"), "run", str(SMOKE), "--out", str(out), "--quiet"]


def in_training(cache: Path, _: Path) -> bool:
    return any(cache.glob("stages/train/*.partial/state.safetensors"))


def in_encoding(cache: Path, _: Path) -> bool:
    return any(cache.glob("stages/align/*.partial/vectors.npy"))


def in_report(_: Path, out: Path) -> bool:
    return (out / "scores.parquet").is_file()


@pytest.mark.parametrize("moment", [in_training, in_encoding, in_report])
def test_a_run_that_is_killed_and_started_again_ends_as_if_it_never_was(
    moment: Callable[[Path, Path], bool], undisturbed: Path, tmp_path: Path
) -> None:
    cache, out = tmp_path / "cache", tmp_path / "run"
    environment = {**os.environ, CACHE_VARIABLE: str(cache)}
    with subprocess.Popen(command(out), env=environment, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not moment(cache, out):
            assert process.poll() is None, "the run ended before the moment came"
            assert time.monotonic() < deadline, "the moment never came"
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert json.loads((out / "record.json").read_text())["status"] == "running"
    subprocess.run(command(out), env=environment, check=True, capture_output=True)
    assert json.loads((out / "record.json").read_text())["status"] == "finished"
    assert values(out) == values(undisturbed)
    for part in ("adapter_model.safetensors", "head.safetensors"):
        ours, theirs = (folder / "adapters" / "sst2" / part for folder in (out, undisturbed))
        assert ours.read_bytes() == theirs.read_bytes()
    left = [path.name for path in (cache / "stages").rglob("*.partial")]
    assert left == []


def test_the_zero_shot_scores_are_those_of_the_run(undisturbed: Path) -> None:
    rows = read_rows(BUNDLED / "sentiment" / "en" / "validation.jsonl")
    whole = ([row["sentence"] for row in rows], [int(row["label"]) for row in rows])
    scores = evaluate(undisturbed / "adapters" / "sst2", {"sentiment": {"en": whole}})
    adapter = record_run.read(undisturbed / "record.json").adapters["sst2"]
    assert scores["sentiment"]["en"]["n"] == adapter.test_n == len(rows)
    assert scores["sentiment"]["en"]["accuracy"] == pytest.approx(
        100 * adapter.test_accuracy, abs=0.05
    )
