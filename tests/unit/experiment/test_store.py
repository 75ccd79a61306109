"""A stage has its final name only when it is whole."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
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
    partial = store.working_folder("align", "abc")
    (partial / "result").write_text("whole")
    assert not store.is_finished("align", "abc")
    store.finish(partial, a_summary())
    assert store.is_finished("align", "abc")
    summary = store.read_summary("align", "abc")
    assert replace(summary, made="") == a_summary()
    assert re.match(r"20\d\d-\d\d-\d\dT[\d:]+Z, .+, ([0-9a-f]{10}|no commit)", summary.made)
    assert (store.stage_folder("align", "abc") / "result").read_text() == "whole"
    assert not partial.exists()


def test_work_that_was_cut_off_is_kept_but_is_not_a_result() -> None:
    (store.working_folder("align", "abc") / "half").write_text("so far")
    assert not store.is_finished("align", "abc")
    assert (store.working_folder("align", "abc") / "half").read_text() == "so far"


def test_scratch_files_do_not_outlive_the_work() -> None:
    partial = store.working_folder("align", "abc")
    (partial / "vectors").write_text("large")
    (partial / "state.1a2b.partial").write_text("half a file")
    (partial / "folder").mkdir()
    (partial / "folder" / "file").write_text("large")
    store.finish(partial, a_summary(), scratch=("vectors", "folder", "never made"))
    names = [path.name for path in store.stage_folder("align", "abc").iterdir()]
    assert names == [store.SUMMARY]


def test_scratch_files_are_there_until_the_result_is(monkeypatch: pytest.MonkeyPatch) -> None:
    partial = store.working_folder("align", "abc")
    (partial / "state").write_text("hours of work")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "rename", killed)
    with pytest.raises(KeyboardInterrupt):
        store.finish(partial, a_summary(), scratch=("state",))
    assert (partial / "state").read_text() == "hours of work"
    assert not store.is_finished("align", "abc")


def test_a_stage_is_worked_on_by_one_process_at_a_time() -> None:
    code = (
        "import sys\n"
        "from adaptstilts.experiment import store\n"
        "with store.stage_lock('align', 'abc', waiting=lambda: print('waiting', flush=True)):\n"
        "    print('finished' if store.is_finished('align', 'abc') else 'free', flush=True)\n"
    )
    waited: list[str] = []
    with store.stage_lock("align", "abc", waiting=lambda: waited.append("waited")):
        other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        assert other.stdout is not None
        assert other.stdout.readline() == "waiting\n"
        store.finish(store.working_folder("align", "abc"), a_summary())
    output, _ = other.communicate(timeout=60)
    assert output == "finished\n"
    assert waited == []
