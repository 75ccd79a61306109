"""The GPU benchmark's code, run whole on the CPU with a tiny shape."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "benchmarks" / "gpu.py"
QUANTIZATIONS = ["int8", "llm_int8", "none", "nf4"]
TRAINERS = [
    "trainer_llm_int8",
    "trainer_llm_int8_grouped",
    "trainer_none",
    "trainer_llm_int8_checkpointing",
]
# What a machine lent for a measurement may not have; a module of None cannot be imported.
ABSENT = ["pydantic", "ruamel", "datasets", "matplotlib", "rich", "click", "pyarrow", "jinja2"]
IMPORT = """
import runpy, sys
sys.modules.update(dict.fromkeys({absent}))
runpy.run_path({script!r}, run_name="benchmark")
"""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""},
    )


@pytest.fixture(scope="module")
def printed_and_result(
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[str, dict[str, Any]]:
    path = tmp_path_factory.mktemp("benchmark") / "tiny.json"
    done = run(str(SCRIPT), "--device", "cpu", "--tiny", "--output", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def result(printed_and_result: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return printed_and_result[1]


def numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from numbers(part)
    elif isinstance(value, int | float):
        yield value


def by_case(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["case"]: row for row in rows}


def test_every_case_ran(result: dict[str, Any]) -> None:
    assert result["skipped"] == []
    assert result["failed"] == []
    assert list(by_case(result["memory"])) == QUANTIZATIONS
    assert list(by_case(result["checks"])) == QUANTIZATIONS
    assert list(by_case(result["training"])) == [*QUANTIZATIONS, *TRAINERS]
    assert set(by_case(result["encoding"])) == {*QUANTIZATIONS, "plain_llm_int8", "plain_none"}


def test_all_figures_are_finite_and_rates_positive(result: dict[str, Any]) -> None:
    assert all(math.isfinite(number) for number in numbers(result))
    for row in result["training"]:
        assert row["tokens_per_second"] > 0
        assert row["seconds_per_step"] > 0
        assert row["peak_memory_bytes"] > 0
        assert row["tokens"] > row["steps"] > 0
    for row in result["encoding"]:
        assert row["sentences_per_second"] > 0


def test_ratios_are_to_our_int8_of_the_same_run(result: dict[str, Any]) -> None:
    rows = by_case(result["training"])
    assert rows["int8"]["int8_ratio"] == 1.0
    ours, theirs = rows["int8"], rows["trainer_llm_int8"]
    expected = ours["tokens_per_second"] / theirs["tokens_per_second"]
    assert theirs["int8_ratio"] == pytest.approx(expected)


def test_quantization_and_trimming_save_memory(result: dict[str, Any]) -> None:
    rows = by_case(result["memory"])
    sizes = {name: rows[name]["parameter_bytes"] for name in QUANTIZATIONS}
    assert sizes["nf4"] < sizes["int8"] == sizes["llm_int8"] < sizes["none"]
    for row in rows.values():
        assert row["trimmed_parameter_bytes"] < row["parameter_bytes"]


def test_int8_does_not_depend_on_the_batch_and_training_repeats(result: dict[str, Any]) -> None:
    check = by_case(result["checks"])["int8"]
    assert check["relative_difference"] < 1e-5
    assert check["is_repeated_equal"]
    assert check["is_resumed_equal"]


def test_result_says_what_it_was_measured_on(result: dict[str, Any]) -> None:
    assert result["settings"]["is_tiny"]
    assert result["settings"]["threads"] == 1
    assert result["hardware"]["cores"] >= 1
    assert result["versions"]["torch"] != "not installed"
    assert str(ROOT) not in json.dumps(result)


def test_tables_name_every_case(printed_and_result: tuple[str, dict[str, Any]]) -> None:
    printed, _ = printed_and_result
    for name in [*QUANTIZATIONS, *TRAINERS, "plain_none"]:
        assert f"\n  {name} " in printed


def test_without_time_cases_are_skipped_and_named(tmp_path: Path) -> None:
    path = tmp_path / "none.json"
    arguments = ["--device", "cpu", "--tiny", "--budget", "0", "--output", str(path)]
    done = run(str(SCRIPT), *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "SKIPPED ours: int8" in done.stdout
    result = json.loads(path.read_text(encoding="utf-8"))
    assert result["training"] == []
    assert len(result["skipped"]) == len(QUANTIZATIONS) + len(TRAINERS) + 2


def test_needs_only_the_libraries_that_it_measures() -> None:
    done = run("-c", IMPORT.format(absent=ABSENT, script=str(SCRIPT)))
    assert done.returncode == 0, done.stderr
