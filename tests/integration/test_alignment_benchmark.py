"""The alignment benchmark's code, run whole on a few sentences; no time is asserted."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.alignment_cases import GOAL

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "benchmarks" / "alignment.py"


@pytest.fixture(scope="module")
def printed_and_result(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, Any]]:
    path = tmp_path_factory.mktemp("benchmark") / "tiny.json"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
    environment.pop("ADAPTSTILTS_DATA", None)
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "--tiny", "--output", str(path)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, json.loads(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def result(printed_and_result: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    return printed_and_result[1]


def by_case(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["case"]: row for row in rows}


def test_the_whole_is_the_sum_of_its_phases_over_the_bare_pass(result: dict[str, Any]) -> None:
    rows = by_case(result["phases"])
    names = ("encode (forward, pool, keep)", "search, all metrics", "write")
    whole = rows["whole: encode, search, write"]
    assert whole["seconds"] == pytest.approx(sum(rows[name]["seconds"] for name in names))
    bare = rows["bare forward pass"]["seconds"]
    assert whole["forward_ratio"] == pytest.approx(whole["seconds"] / bare)
    assert whole["is_within"] == (whole["forward_ratio"] <= GOAL)
    assert rows["bare forward pass"]["forward_ratio"] == 1.0
    assert all(math.isfinite(row["seconds"]) for row in rows.values())


def test_both_sides_of_the_comparison_with_mteb_do_the_same(result: dict[str, Any]) -> None:
    rows = by_case(result["mteb"])
    scores = [row["macro_f1"] for name, row in rows.items() if not name.endswith("int8")]
    assert len(scores) == 3
    assert scores == pytest.approx([scores[0]] * 3, abs=1e-6)
    assert 0 < scores[0] < 1
    assert rows["MTEB, its defaults"]["mteb_ratio"] == 1.0


def test_the_bundled_text_and_all_parts_are_there(result: dict[str, Any]) -> None:
    assert result["settings"]["is_tiny"]
    assert result["settings"]["source"] == "pocket"
    assert result["settings"]["pairs"] == 48
    assert result["settings"]["sentences"] <= 96
    assert [row["shared_layers"] for row in result["together"]] == [0, 3]
    assert [row["languages"] for row in result["memory"]] == [1, 2]
    small, large = result["memory"]
    width, layers = 256, 7
    for row in (small, large):
        assert row["vectors_bytes"] == row["sentences"] * width * layers * 4
        assert row["peak_bytes"] >= row["loaded_bytes"] > 0
    assert result["versions"]["mteb"] != "not installed"
    assert str(ROOT) not in json.dumps(result)


def test_tables_name_every_case(printed_and_result: tuple[str, dict[str, Any]]) -> None:
    printed, result = printed_and_result
    for part in ("phases", "together", "mteb"):
        for row in result[part]:
            assert row["case"] in printed
