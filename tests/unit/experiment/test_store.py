"""A stage has its final name only when it is whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from adaptstilts.experiment import store
from adaptstilts.experiment.store import Summary


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(store.CACHE_VARIABLE, str(tmp_path))
    return tmp_path


def a_summary(key: str = "abc") -> Summary:
    return Summary("align", "base", key, 1.5, 2**20, {"model": "x"}, [], {"sentences": 3})


def test_a_finished_stage_is_found_and_its_summary_comes_back() -> None:
    with store.working_folder("align", "abc") as partial:
        (partial / "result").write_text("whole")
        assert not store.is_finished("align", "abc")
        store.finish(partial, a_summary())
    assert store.is_finished("align", "abc")
    assert store.read_summary("align", "abc") == a_summary()
    assert (store.stage_folder("align", "abc") / "result").read_text() == "whole"


def test_work_that_was_cut_off_is_kept_but_is_not_a_result() -> None:
    def work() -> None:
        with store.working_folder("align", "abc") as partial:
            (partial / "half").write_text("so far")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert not store.is_finished("align", "abc")
    with store.working_folder("align", "abc") as partial:
        assert (partial / "half").read_text() == "so far"


def test_scratch_files_do_not_outlive_the_work() -> None:
    with store.working_folder("align", "abc") as partial:
        (partial / "vectors").write_text("large")
        (partial / "folder").mkdir()
        (partial / "folder" / "file").write_text("large")
        store.finish(partial, a_summary(), scratch=("vectors", "folder", "never made"))
    names = [path.name for path in store.stage_folder("align", "abc").iterdir()]
    assert names == [store.SUMMARY]


def test_a_stage_that_another_process_finished_meanwhile_is_left_alone() -> None:
    with store.working_folder("align", "abc") as partial:
        store.finish(partial, a_summary())
    with store.working_folder("align", "abc") as partial:
        (partial / "result").write_text("again")
        store.finish(partial, a_summary())
    assert store.is_finished("align", "abc")
    assert not (store.stage_folder("align", "abc") / "result").exists()
