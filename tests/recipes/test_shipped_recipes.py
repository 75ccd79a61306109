"""Every recipe that is shipped is sound, with each of its profiles, and runs to its end."""

from __future__ import annotations

from pathlib import Path

import pytest

from adaptstilts.experiment.execute import execute
from adaptstilts.experiment.plan import plan
from adaptstilts.recipe.load import check
from adaptstilts.report.load import read_run
from adaptstilts.task.registry import NAMES

RECIPES = Path(__file__).resolve().parents[2] / "recipes"
FILES = sorted(RECIPES.rglob("*.yaml"))
FLOOR = 4

# What makes a recipe short without leaving any of its parts out; each names what it changes.
SHORTER = {
    "alignment/sst2_with_controls.yaml": [
        "seeds=[1, 2]",
        "adapters.sst2.training.steps=5",
        "adapters.sst2.training.tokens_per_batch=256",
        "measure[0].tatoeba.languages=[de, fr, th]",
        "measure[1].tatoeba.languages=[de]",
    ],
    "sst2_tatoeba.yaml": [
        "adapters.sst2.training.steps=10",
        "adapters.sst2.training.tokens_per_batch=256",
    ],
    "smoke/alignment.yaml": [],
    "smoke/controls.yaml": [],
    "smoke/sst2_tatoeba.yaml": [],
}


def name(file: Path) -> str:
    return file.relative_to(RECIPES).as_posix()


def test_no_recipe_is_overlooked() -> None:
    assert len(FILES) >= FLOOR
    assert {name(file) for file in FILES} == set(SHORTER)
    assert not list(RECIPES.rglob("*.yml")), "recipes end in .yaml"


@pytest.mark.parametrize("file", FILES, ids=name)
def test_a_recipe_is_sound_in_every_profile(file: Path) -> None:
    check(file, names=NAMES)


@pytest.mark.parametrize("file", FILES, ids=name)
def test_a_recipe_runs_to_its_end(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ADAPTSTILTS_DATA", raising=False)
    planned = plan(file, overrides=SHORTER[name(file)])
    assert planned.choice.profile == "pocket"
    record = execute(planned, tmp_path / "run")
    assert record.status == "finished"
    run = read_run(tmp_path / "run")
    assert {row.system for row in run.scores} == set(planned.recipe.systems)  # sweeps written out
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
