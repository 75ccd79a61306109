from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from adaptstilts.errors import RecordError
from adaptstilts.report.load import read_run

MakeRun = Callable[..., Path]


def test_a_run_is_read_whole(make_run: MakeRun) -> None:
    run = read_run(make_run())
    assert run.record.name == "sst2_tatoeba"
    assert list(run.systems) == ["base", "sst2", "sst2_negated"]
    assert run.systems["sst2_negated"] == {"scale": {"of": "sst2", "by": -1}}
    assert run.baseline == "base"
    assert run.description == "Made-up numbers that test the report."
    assert {row.system for row in run.scores} == set(run.systems)
    assert {row.system for row in run.effects} == {"sst2", "sst2_negated"}


def test_a_missing_folder_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"nowhere does not exist; give the folder of a run"):
        read_run(tmp_path / "nowhere")


def test_a_folder_that_is_no_run_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match=r"no record\.json.*adaptstilts run RECIPE"):
        read_run(tmp_path)


def test_a_file_is_no_run(make_run: MakeRun) -> None:
    with pytest.raises(RecordError, match="is a file; give the folder"):
        read_run(make_run() / "record.json")


def test_the_folder_above_runs_names_them(make_run: MakeRun) -> None:
    folder = make_run()
    with pytest.raises(RecordError, match=r"holds some: run; give one of them"):
        read_run(folder.parent)


@pytest.mark.parametrize("name", ["scores.parquet", "effects.parquet"])
def test_a_finished_run_without_its_tables_is_refused(make_run: MakeRun, name: str) -> None:
    folder = make_run()
    (folder / name).unlink()
    with pytest.raises(RecordError, match=rf"has no {name}; run the recipe again"):
        read_run(folder)


def test_a_recipe_that_is_not_yaml_is_refused(make_run: MakeRun) -> None:
    folder = make_run()
    (folder / "recipe.resolved.yaml").write_text("a: [1, ", encoding="utf-8")
    with pytest.raises(RecordError, match="not YAML any more"):
        read_run(folder)


def test_an_unfinished_run_needs_no_tables_and_no_recipe(make_run: MakeRun) -> None:
    folder = make_run(status="running")
    (folder / "recipe.resolved.yaml").unlink()
    run = read_run(folder)
    assert run.scores == run.effects == ()
    assert run.systems == {}
    assert run.baseline is None
