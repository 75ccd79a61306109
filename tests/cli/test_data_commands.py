from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from adaptstilts.cli.data import command
from adaptstilts.data.rows import jsonl
from adaptstilts.errors import DataError, HubError


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No mirror or cache but those of the test; wide enough that nothing is wrapped."""
    monkeypatch.delenv("ADAPTSTILTS_DATA", raising=False)
    monkeypatch.delenv("HF_DATASETS_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A mirror with one table of each kind."""
    for name, columns in {
        "sst2/train": {"sentence": ["a [bold] claim ", "so so ", "bad "], "label": [1, 0, 0]},
        "tatoeba/tatoeba.deu-eng": {"source_sentence": ["Ja."], "target_sentence": ["Yes."]},
    }.items():
        path = tmp_path / f"mirror/{name}.jsonl.gz"
        path.parent.mkdir(parents=True)
        path.write_bytes(gzip.compress(jsonl(columns), mtime=0))
    return tmp_path / "mirror"


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(argument) for argument in arguments])


def line(output: str, start: str) -> list[str]:
    return next(words for text in output.splitlines() if (words := text.split())[:1] == [start])


def test_list_shows_every_table_and_who_has_it(root: Path) -> None:
    done = run("list", "--data", root)
    assert done.exit_code == 0, done.output
    assert line(done.output, "table") == ["table", "mirror", "hub", "pocket"]
    assert line(done.output, "sst2/train")[:3] == ["sst2/train", "3", "yes"]
    assert line(done.output, "tatoeba/de-en")[:3] == ["tatoeba/de-en", "1", "yes"]
    assert line(done.output, "tatoeba/ang-en") == ["tatoeba/ang-en", "–", "–", "–"]
    assert "2 tables of tasks and 136 of benchmarks" in done.output


def test_list_without_a_mirror_says_how_to_name_one() -> None:
    done = run("list")
    assert line(done.output, "table") == ["table", "hub", "pocket"]
    assert "give --data DIR or set $ADAPTSTILTS_DATA" in done.output


def test_list_takes_the_mirror_from_the_environment(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADAPTSTILTS_DATA", str(root))
    assert line(run("list", "--profile", "pocket").output, "table") == ["table", "mirror", "pocket"]
    assert line(run("list", "--profile", "full").output, "table") == ["table", "mirror", "hub"]


def test_list_for_machines(root: Path) -> None:
    entries = {entry["table"]: entry for entry in json.loads(run("list", "--json").output)}
    assert len(entries) == 138
    entries = {
        entry["table"]: entry for entry in json.loads(run("list", "--json", "--data", root).output)
    }
    train = entries["sst2/train"]
    assert (train["kind"], train["of"], train["columns"]) == ("task", "sst2", ["sentence", "label"])
    assert train["sources"]["mirror"] == {
        "has": True,
        "is_local": True,
        "n": 3,
        "location": str(root / "sst2/train.jsonl.gz"),
        "problem": None,
    }
    assert train["sources"]["hub"]["is_local"] is False
    assert entries["tatoeba/ang-en"]["sources"]["hub"]["has"] is False


def test_list_tells_of_a_broken_file_and_goes_on(root: Path) -> None:
    (root / "sst2/train.jsonl.gz").write_bytes(b"[not gzip]")
    done = run("list", "--data", root)
    assert done.exit_code == 0
    assert line(done.output, "sst2/train")[1] == "broken"
    assert f"{root / 'sst2/train.jsonl.gz'}: broken gzip" in done.output.replace("\n", "")
    assert line(done.output, "tatoeba/de-en")[1] == "1"


def test_show_gives_provenance_and_rows(root: Path) -> None:
    done = run("show", "sst2/train", "--data", root, "--rows", "2")
    assert done.exit_code == 0, done.output
    assert line(done.output, "source") == ["source", "mirror"]
    assert line(done.output, "n") == ["n", "3"]
    assert line(done.output, "1") == ["1", "a", "[bold]", "claim", "1"]
    assert line(done.output, "2") == ["2", "so", "so", "0"]
    assert "bad" not in done.output


def test_show_for_machines(root: Path) -> None:
    done = run("show", "tatoeba/de-en", "--data", root, "--json")
    assert json.loads(done.output)["rows"] == [
        {"source_sentence": "Ja.", "target_sentence": "Yes."}
    ]
    assert json.loads(done.output)["provenance"]["table"] == "tatoeba/de-en"
    none = run("show", "tatoeba/de-en", "--data", root, "--rows", "0")
    assert "source_sentence" not in none.output


def test_show_knows_a_near_name(root: Path) -> None:
    done = run("show", "sst2/trian", "--data", root)
    assert isinstance(done.exception, DataError)
    assert "did you mean `sst2/train`?" in str(done.exception)


def test_show_of_what_is_nowhere(root: Path) -> None:
    done = run("show", "tatoeba/ang-en", "--profile", "pocket", "--data", root)
    assert isinstance(done.exception, DataError)
    assert "tatoeba/tatoeba.ang-eng.jsonl.gz" in str(done.exception)


def test_a_mirror_that_is_not_there(tmp_path: Path) -> None:
    done = run("list", "--data", tmp_path / "nowhere")
    assert isinstance(done.exception, DataError)


def test_show_of_what_the_hub_cannot_give(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise HubError("no hub")

    monkeypatch.setattr("adaptstilts.data.hub.Hub.read", refuse)
    done = run("show", "sst2/train")
    assert isinstance(done.exception, HubError)
