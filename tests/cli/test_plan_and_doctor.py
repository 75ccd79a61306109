"""`plan` and `doctor` as they are called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from adaptstilts.cli.main import main

SMOKE = str(Path(__file__).resolve().parents[2] / "recipes" / "smoke" / "sst2_tatoeba.yaml")


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADAPTSTILTS_DATA", raising=False)


def test_doctor_finds_a_machine_that_can_run_the_pocket_profile() -> None:
    done = CliRunner().invoke(main, ["doctor", "--json"])
    assert done.exit_code == 0, done.output
    states = {finding["what"]: finding["state"] for finding in json.loads(done.stdout)}
    assert states["pocket base"] == "ok"
    assert states["int8 on cpu"] == "ok"
    assert states["data mirror"] == "absent"
    assert states["hub"] == "absent"  # the tests switch it off


def test_doctor_says_what_is_broken_by_its_exit_code(tmp_path: Path) -> None:
    for arguments, mark in ((["doctor"], "✗"), (["doctor", "--json"], '"broken"')):
        done = CliRunner().invoke(main, [*arguments, "--data", str(tmp_path / "nowhere")])
        assert done.exit_code == 1
        assert done.stdout.count(mark) == 1


def test_plan_tells_stages_keys_and_parameters() -> None:
    done = CliRunner().invoke(main, ["plan", SMOKE, "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert [stage["kind"] for stage in told["stages"]].count("train") == 1
    assert told["profile"] == "pocket"
    # Rank 4 on query, value, intermediate and output of 6 layers, width 256, feed-forward 512.
    assert told["budget"]["adapter_parameters"] == {"sst2": 6 * 4 * (2 * 512 + 2 * 768)}
    shown = CliRunner().invoke(main, ["plan", SMOKE])
    assert shown.exit_code == 0
    assert all(stage["key"] in shown.stdout for stage in told["stages"])
