from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from pydantic import ValidationError

from adaptstilts.errors import RecordError
from adaptstilts.record import run
from adaptstilts.record.provenance import git_state, hardware, utc_now, versions
from adaptstilts.record.run import (
    AdapterRecord,
    BaseRecord,
    CurvePoint,
    DataRecord,
    HeadlineRecord,
    RunRecord,
    StageRecord,
)


def a_record(**changes) -> RunRecord:
    fields = {
        "name": "sst2_tatoeba",
        "profile": "pocket",
        "profile_reason": "no GPU was found",
        "status": "finished",
        "started_at": "2026-11-22T15:33:00Z",
        "finished_at": "2026-11-22T15:43:00Z",
        "seconds": 600.0,
        "command": ["adaptstilts", "run", "recipes/sst2_tatoeba.yaml"],
        "versions": {"torch": "2.13.0"},
        "git": {"commit": "0" * 40, "is_dirty": True},
        "hardware": {
            "cpu": None,
            "cores": 2,
            "memory_bytes": 8 << 30,
            "gpu": {"name": "GPU", "memory_bytes": 8 << 30, "compute_capability": "8.9"},
            "python": "3.11.7",
            "platform": "Linux",
        },
        "seeds": {"sst2": 1},
        "base": BaseRecord(
            model="pocket",
            revision=None,
            quantization="int8",
            compute="fp32",
            device="cpu",
            layers=6,
            hidden_size=256,
            parameters=10,
            pieces=100,
            kept_pieces=50,
            fingerprint="f",
            bytes=1000,
        ),
        "data": [
            DataRecord(
                table="sst2/train", source="pocket", location="x", revision=None, sha256="s", n=9
            )
        ],
        "stages": [
            StageRecord(
                kind="train",
                name="sst2",
                key="k",
                is_cached=False,
                seconds=1.5,
                peak_memory_bytes=None,
            )
        ],
        "adapters": {
            "sst2": AdapterRecord(
                task="sst2",
                method={"kind": "lora", "rank": 8, "targets": ["query"]},
                parameters=1,
                seed=1,
                steps=10,
                chosen_step=5,
                chosen_share=0.5,
                dev_accuracy=0.8,
                dev_n=100,
                test_accuracy=0.7,
                test_n=100,
                head_parameters=2,
                curve=[CurvePoint(step=5, share=0.5, loss=0.3, dev_accuracy=0.8)],
                is_collapsed=False,
            )
        },
        "headline": HeadlineRecord(
            benchmark="tatoeba",
            protocol="xtreme",
            layer=14,
            direction="en-xx",
            metric="accuracy",
            why="the protocol's layer",
        ),
        "notices": ["the profile pocket was chosen"],
        "peak_memory_bytes": 1,
    }
    return RunRecord.model_validate({**fields, **changes})


def test_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    run.write(path, a_record())
    assert run.read(path) == a_record()
    assert json.loads(path.read_text())["format"] == 1
    assert path.read_text().endswith("}\n")


def test_a_run_that_has_just_begun_needs_no_results(tmp_path: Path) -> None:
    here = Path(__file__).parent
    record = RunRecord(
        name="x",
        profile="full",
        profile_reason="asked for",
        status="running",
        started_at=utc_now(),
        command=["adaptstilts"],
        versions=versions(["adaptstilts", "numpy"]),
        git=git_state(here),
        hardware=hardware(),
        seeds={},
    )
    run.write(tmp_path / "record.json", record)
    assert run.read(tmp_path / "record.json") == record


def test_a_loss_that_diverged_can_be_written(tmp_path: Path) -> None:
    adapter = a_record().adapters["sst2"]
    points = [
        CurvePoint(step=1, share=0.1, loss=loss, dev_accuracy=0.5) for loss in (math.nan, math.inf)
    ]
    record = a_record(adapters={"sst2": adapter.model_copy(update={"curve": points})})
    run.write(tmp_path / "record.json", record)
    json.loads((tmp_path / "record.json").read_text(), parse_constant=pytest.fail)
    first, second = run.read(tmp_path / "record.json").adapters["sst2"].curve
    assert math.isnan(first.loss)
    assert second.loss == math.inf


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"profile": "tiny"},
        {"status": "done"},
        {"started_at": "yesterday"},
        {"started_at": "2026-11-22T15:33:00+02:00"},
        {"format": 2},
        {"git": {"commit": "x", "is_dirty": True, "branch": "main"}},
        {"hardware": {}},
    ],
)
def test_is_closed(change: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        a_record(**change)


def test_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValidationError):
        a_record().status = "failed"


def test_errors_say_which_file_and_why(tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    with pytest.raises(RecordError, match=r"record\.json is missing: .* is not a run folder"):
        run.read(path)
    path.write_text("{")
    with pytest.raises(RecordError, match=r"record\.json is not a record of format 1: the file"):
        run.read(path)
    fields = a_record().model_dump(mode="json")
    path.write_text(json.dumps({**fields, "format": 2, "status": "done"}))
    with pytest.raises(RecordError, match=r"format: .* \(and 1 more\); .*another version"):
        run.read(path)
    path.write_bytes(b"\xff")
    with pytest.raises(RecordError, match="cannot be read"):
        run.read(path)
