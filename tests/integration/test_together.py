"""A run encodes systems that share lower layers together, and finds what each alone would find."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from adaptstilts.errors import AdapterError, MachineError
from adaptstilts.experiment import align_stage, execute
from adaptstilts.experiment.plan import plan
from adaptstilts.experiment.stage import Align, Score
from adaptstilts.experiment.store import (
    CACHE_VARIABLE,
    is_finished,
    read_summary,
    stage_folder,
    working_folder,
)
from adaptstilts.record.scores import read_effects, read_scores

RECIPE = """\
name: together
base: {model: pocket}
adapters:
  one: &adapter
    task: sst2
    method: {kind: lora, rank: 2, layers: 4-6}
    head: {pooling: mean}
    training: {steps: 2, evaluations: 1, tokens_per_batch: 256, max_length: 16, seed: 1}
  two:
    <<: *adapter
    training: {steps: 2, evaluations: 1, tokens_per_batch: 256, max_length: 16, seed: 2}
  three: {control: random, of: one}
systems:
  base: none
  one: one
  two: two
  three: three
measure:
  - tatoeba:
      protocol: both
      layer: 4
      layers: [2, 4, 6]
      languages: [de]
      metrics: all
      spaces: [centred]
report: {baseline: base}
"""
HUGE = """\
  three: three
  huge: {scale: {of: one, by: 1.0e+30}}
"""


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.delenv("ADAPTSTILTS_DATA", raising=False)
    path = tmp_path / "recipe.yaml"
    path.write_text(RECIPE)
    return path


def found(stage: Align) -> dict[str, np.ndarray]:
    with np.load(stage_folder("align", stage.key) / align_stage.FOUND) as file:
        return dict(file)


def forget(stages: list[Align | Score]) -> None:
    for stage in stages:
        shutil.rmtree(stage_folder(stage.kind, stage.key))


def test_a_system_whose_states_are_no_numbers_does_not_sink_the_others(
    recipe: Path, tmp_path: Path
) -> None:
    text = recipe.read_text()
    assert text.count("  three: three\n") == 1
    recipe.write_text(text.replace("  three: three\n", HUGE))
    planned = plan(recipe)
    aligns = {stage.name: stage for stage in planned.stages if isinstance(stage, Align)}
    bad = aligns.pop("huge")
    with pytest.raises(AdapterError, match="huge: states are no numbers") as raised:
        execute.execute(planned, tmp_path / "run")
    assert [line.split(":")[0] for line in str(raised.value).splitlines()] == ["huge"]
    assert {name: is_finished("align", one.key) for name, one in aligns.items()} == dict.fromkeys(
        aligns, True
    )
    assert not is_finished("align", bad.key)
    assert scratch() == []

    # A second run does the failed one alone, and says the same.
    with pytest.raises(AdapterError, match="huge: states are no numbers"):
        execute.execute(planned, tmp_path / "again")
    # Without it, what the others found is there: nothing is encoded again.
    recipe.write_text(text)
    record = execute.execute(plan(recipe), tmp_path / "without")
    assert {row.name: row.is_cached for row in record.stages if row.kind == "align"} == {
        "base": True,
        "one": True,
        "two": True,
        "three": True,
    }


def scratch() -> list[Path]:
    """Scratch vectors of any encoding, finished or not."""
    return list(stage_folder("align", "any").parent.rglob(align_stage.VECTORS))


def test_scratch_of_a_killed_run_does_not_count_as_used_and_none_is_left(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan(recipe)
    aligns = [stage for stage in planned.stages if isinstance(stage, Align)]
    for stage in aligns:
        (working_folder("align", stage.key) / align_stage.VECTORS).write_bytes(b"stale")
    seen: list[list[Path]] = []

    def fitting(_folder: Path, _size: int) -> int:
        seen.append(scratch())
        return 4

    def killed(*_: object, **__: object) -> None:
        seen.append(scratch())
        raise KeyboardInterrupt

    monkeypatch.setattr(align_stage, "_fitting", fitting)
    monkeypatch.setattr(align_stage, "encode_systems", killed)
    with pytest.raises(KeyboardInterrupt):
        execute.execute(planned, tmp_path / "run")
    assert [len(paths) for paths in seen] == [0, 4]
    assert scratch() == []


def test_a_part_of_the_disk_stays_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fitting(free: int, size: int) -> int:
        usage = shutil.disk_usage(tmp_path)._replace(free=free)
        monkeypatch.setattr(align_stage.shutil, "disk_usage", lambda _folder: usage)
        return align_stage._fitting(tmp_path, size)

    # 5 % of 10.2 GB and 0.2 GB are kept.
    assert fitting(10_200_000_000, 1_000_000_000) == 9
    assert fitting(10_200_000_000, 9_490_000_000) == 1
    with pytest.raises(MachineError, match=r"needs 9\.5 GB .* 10\.2 GB free, of which 0\.7 GB"):
        fitting(10_200_000_000, 9_491_000_000)
    with pytest.raises(MachineError):
        fitting(200_000_000, 1)


def test_together_and_apart_give_the_same(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = plan(recipe)
    aligns = [stage for stage in planned.stages if isinstance(stage, Align)]
    scoring = [stage for stage in planned.stages if isinstance(stage, Score)]

    def told() -> dict[str, tuple[int, int]]:
        details = {a.name: read_summary("align", a.key).details for a in aligns}
        return {name: (one["together"], one["shared_layers"]) for name, one in details.items()}

    execute.execute(planned, tmp_path / "together")
    assert told() == dict.fromkeys(["base", "one", "two", "three"], (4, 3))
    together = {stage.name: found(stage) for stage in aligns}

    # A disk that holds the vectors of two systems.
    forget([*aligns, *scoring])
    monkeypatch.setattr(align_stage, "_fitting", lambda _folder, _size: 2)
    execute.execute(planned, tmp_path / "by_two")
    assert told() == dict.fromkeys(["base", "one", "two", "three"], (2, 3))
    by_two = {stage.name: found(stage) for stage in aligns}

    forget([*aligns, *scoring])
    monkeypatch.setattr(execute, "_together", lambda stage, _pending: [stage])
    execute.execute(planned, tmp_path / "apart")
    assert told() == dict.fromkeys(["base", "one", "two", "three"], (1, 0))
    apart = {stage.name: found(stage) for stage in aligns}

    for name, arrays in apart.items():
        assert any(key.startswith("centred/") for key in arrays)
        for other in (together[name], by_two[name]):
            assert set(arrays) == set(other)
            for key, array in arrays.items():
                assert array.dtype == other[key].dtype
                assert np.array_equal(array, other[key]), (name, key)
    tables = [
        (read_scores(folder / "scores.parquet"), read_effects(folder / "effects.parquet"))
        for folder in (tmp_path / "together", tmp_path / "by_two", tmp_path / "apart")
    ]
    assert repr(tables[0]) == repr(tables[1]) == repr(tables[2])
    # The control's is not the adapter's, and what lies below the adapters is the base's.
    gaps = {name: arrays["as_is/de/gap"] for name, arrays in together.items()}
    for name in ("one", "two", "three"):
        assert np.array_equal(gaps[name][0], gaps["base"][0])
        assert not np.array_equal(gaps[name][2], gaps["base"][2])
    assert {row.baseline for row in tables[0][1] if row.system == "one"} == {"base", "three"}
