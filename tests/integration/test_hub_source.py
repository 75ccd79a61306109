"""The hub source against a local server that speaks the hub's protocol, in a process of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_server import Files, serving

from adaptstilts.data.rows import jsonl

SST2 = "stanfordnlp/sst2"
SST2_COMMIT = "8d51e7e4887a4caaa95b3fbebbf53c0490b58bbb"
OTHER_COMMIT = "0123456789abcdef0123456789abcdef01234567"
XTREME = "google/xtreme"
XTREME_COMMIT = "ec5f1f46e9af79639a90684a7a70a956c4998f04"

SST2_TRAIN = {
    "idx": [0, 1, 2],
    "sentence": ["it sings ", "it sinks ", "neither \u2028 here nor [there] "],
    "label": [1, 0, 0],
}
SST2_VALIDATION = {"idx": [0], "sentence": ["quite good "], "label": [1]}
GERMAN = {
    "source_sentence": ["Guten Tag!\n", "Es regnet.\n"],
    "target_sentence": ["Good day!\n", "It's raining.\n"],
    "source_lang": ["deu", "deu"],
    "target_lang": ["eng", "eng"],
}
FRENCH = GERMAN | {"source_sentence": ["Bonjour !\n", "Il pleut.\n"], "source_lang": ["fra", "fra"]}

SST2_CARD = """---
dataset_info:
  features:
  - name: idx
    dtype: int32
  - name: sentence
    dtype: string
  - name: label
    dtype:
      class_label:
        names:
          '0': negative
          '1': positive
  splits:
  - name: train
    num_bytes: 90
    num_examples: 3
  - name: validation
    num_bytes: 30
    num_examples: 1
configs:
- config_name: default
  data_files:
  - split: train
    path: data/train-*
  - split: validation
    path: data/validation-*
---
# Made for a test
"""
XTREME_CARD = """---
configs:
- config_name: tatoeba.deu
  data_files:
  - split: validation
    path: tatoeba.deu/validation-*
- config_name: tatoeba.fra
  data_files:
  - split: validation
    path: tatoeba.fra/validation-*
---
# Made for a test
"""

CHILD = """
import json, sys
from dataclasses import asdict
from adaptstilts.data.hub import Hub
from adaptstilts.errors import AdaptstiltsError
from adaptstilts.task.declaration import HubAddress, Table

for asked in json.load(sys.stdin):
    hub = HubAddress(**asked.pop("hub"))
    table = Table(hub=hub, **asked | {"columns": tuple(asked["columns"])})
    try:
        rows = Hub().read(table)
        answer = {"columns": rows.columns, "provenance": asdict(rows.provenance)}
    except AdaptstiltsError as err:
        answer = {"error": type(err).__name__, "message": str(err)}
    print(json.dumps(answer))
"""


@dataclass(frozen=True)
class Readings:
    """What a process printed for each table, and what the server was asked meanwhile."""

    answers: dict[str, dict[str, Any]]
    requests: list[str]
    stderr: str


def parquet(columns: dict[str, list[Any]]) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def sst2_files(train: dict[str, list[Any]] = SST2_TRAIN) -> Files:
    return {
        "README.md": SST2_CARD.encode(),
        "data/train-00000-of-00001.parquet": parquet(train),
        "data/validation-00000-of-00001.parquet": parquet(SST2_VALIDATION),
    }


def xtreme_files() -> Files:
    return {
        "README.md": XTREME_CARD.encode(),
        "tatoeba.deu/validation-00000-of-00001.parquet": parquet(GERMAN),
        "tatoeba.fra/validation-00000-of-00001.parquet": parquet(FRENCH),
    }


def asked(
    name: str,
    repo: str = SST2,
    revision: str = SST2_COMMIT,
    config: str | None = None,
    split: str = "train",
    columns: Sequence[str] = ("sentence", "label"),
    pocket: str | None = None,
) -> dict[str, Any]:
    return {
        "name": name,
        "columns": list(columns),
        "mirror": f"{name}-in-the-mirror",
        "hub": {"repo": repo, "revision": revision, "config": config, "split": split},
        "pocket": pocket,
    }


def tatoeba(iso3: str) -> dict[str, Any]:
    columns = ("source_sentence", "target_sentence")
    return asked(f"tatoeba.{iso3}", XTREME, XTREME_COMMIT, f"tatoeba.{iso3}", "validation", columns)


def read(tables: list[dict[str, Any]], url: str, home: Path, **variables: str) -> tuple[Any, str]:
    """Read tables in a fresh process, as a user's would be."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("HF_", "TRANSFORMERS_")) and "proxy" not in name.lower()
    }
    environment = kept | {
        "HF_ENDPOINT": url,
        "HF_HOME": str(home),
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",  # would ask a server elsewhere
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        **variables,
    }
    done = subprocess.run(
        [sys.executable, "-c", CHILD],
        input=json.dumps(tables),
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    return {
        table["name"]: answer for table, answer in zip(tables, answers, strict=True)
    }, done.stderr


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hf_home")


@pytest.fixture(scope="module")
def url() -> str:
    """Address at which nothing answers any more."""
    with serving({}) as hub:
        return hub.url


@pytest.fixture(scope="module")
def online(home: Path) -> Readings:
    """One process that reads good tables first, then everything that can go wrong on a live hub."""
    tables = [
        asked("train"),
        asked("validation", split="validation"),
        tatoeba("deu"),
        tatoeba("fra"),
        tatoeba("xyz"),
        asked("no split", split="test"),
        asked("no repository", repo="stanfordnlp/sst3", pocket="sentiment/en/train"),
        asked("no commit", revision=OTHER_COMMIT),
        asked("no column", columns=("sentense", "label")),
    ]
    with serving(
        {SST2: {SST2_COMMIT: sst2_files()}, XTREME: {XTREME_COMMIT: xtreme_files()}}
    ) as hub:
        answers, stderr = read(tables, hub.url, home)
        return Readings(answers, list(hub.requests), stderr)


def test_rows_are_those_of_the_hub(online: Readings) -> None:
    assert online.answers["train"]["columns"] == {
        "sentence": SST2_TRAIN["sentence"],
        "label": SST2_TRAIN["label"],
    }
    assert online.answers["validation"]["columns"]["label"] == [1]
    german = online.answers["tatoeba.deu"]["columns"]
    assert german == {name: GERMAN[name] for name in ("source_sentence", "target_sentence")}
    french = online.answers["tatoeba.fra"]["columns"]
    assert french["source_sentence"] == FRENCH["source_sentence"]


def test_provenance_names_commit_and_digest(online: Readings) -> None:
    import hashlib

    assert online.answers["train"]["provenance"] == {
        "table": "train",
        "source": "hub",
        "location": f"{SST2}@{SST2_COMMIT}/default/train",
        "revision": SST2_COMMIT,
        "sha256": hashlib.sha256(jsonl(SST2_TRAIN)).hexdigest(),
        "n": 3,
    }
    assert (
        online.answers["tatoeba.deu"]["provenance"]["location"]
        == f"{XTREME}@{XTREME_COMMIT}/tatoeba.deu/validation"
    )


def test_only_pinned_commits_are_asked_for(online: Readings) -> None:
    about_data = [line for line in online.requests if "/datasets/" in line and "sst3" not in line]
    assert about_data
    commits = (SST2_COMMIT, XTREME_COMMIT, OTHER_COMMIT)
    assert [line for line in about_data if not any(commit in line for commit in commits)] == []
    assert [line for line in online.requests if "main" in line] == []


def test_only_the_files_of_the_configuration_are_fetched(online: Readings) -> None:
    assert sum("tatoeba.fra/validation" in line for line in online.requests) == 1
    assert sum(line.startswith("GET /store/") for line in online.requests) == 4


def test_nothing_is_printed(online: Readings) -> None:
    assert online.stderr == ""


@pytest.mark.parametrize(
    ("name", "address", "reason"),
    [
        ("tatoeba.xyz", f"{XTREME}@{XTREME_COMMIT}/tatoeba.xyz/validation", "BuilderConfig"),
        ("no split", f"{SST2}@{SST2_COMMIT}/default/test", 'Unknown split "test"'),
        ("no repository", f"stanfordnlp/sst3@{SST2_COMMIT}/default/train", "doesn't exist"),
        ("no commit", f"{SST2}@{OTHER_COMMIT}/default/train", "Revision"),
    ],
)
def test_failures_say_what_was_asked_why_and_what_to_do(
    online: Readings, name: str, address: str, reason: str
) -> None:
    answer = online.answers[name]
    assert answer["error"] == "HubError"
    assert f"asked for: {address}\n" in answer["message"]
    assert reason in answer["message"]
    assert f"{name}-in-the-mirror.jsonl.gz (--data DIR or $ADAPTSTILTS_DATA)" in answer["message"]
    assert ("--profile pocket" in answer["message"]) == (name == "no repository")


def test_a_cached_copy_of_another_commit_is_refused(online: Readings, home: Path) -> None:
    """`datasets` itself would hand it out here: the repository is gone, its cache is not."""
    assert "error" not in online.answers["train"]
    with serving({}) as hub:
        answers, _ = read([asked("train", revision=OTHER_COMMIT)], hub.url, home)
    assert answers["train"]["error"] == "HubError"
    assert f"the local cache has another, {SST2_COMMIT}" in answers["train"]["message"]


def test_a_missing_column_is_a_data_error(online: Readings) -> None:
    answer = online.answers["no column"]
    assert answer["error"] == "DataError"
    assert "no column `sentense`; did you mean `sentence`?" in answer["message"]
    assert f"{SST2}@{SST2_COMMIT}/default/train" in answer["message"]


def test_offline_reads_from_the_cache_and_nothing_else(
    online: Readings, home: Path, url: str
) -> None:
    tables = [
        asked("train"),
        tatoeba("deu"),
        asked("no commit", revision=OTHER_COMMIT),
        asked("never seen", repo="stanfordnlp/sst5"),
    ]
    answers, stderr = read(tables, url, home, HF_HUB_OFFLINE="1")
    assert answers["train"] == online.answers["train"]
    assert answers["tatoeba.deu"] == online.answers["tatoeba.deu"]
    for name in ("no commit", "never seen"):
        assert answers[name]["error"] == "HubError"
        assert "the local cache does not hold that commit" in answers[name]["message"]
        assert "unset HF_HUB_OFFLINE" in answers[name]["message"]
    assert stderr == ""


def test_a_hub_that_is_down(url: str, tmp_path: Path) -> None:
    answers, _ = read([asked("train", pocket="sentiment/en/train")], url, tmp_path)
    assert answers["train"]["error"] == "HubError"
    message = answers["train"]["message"]
    assert url in message
    assert "connect this machine" in message
    assert "--profile pocket" in message


def test_what_is_cached_needs_no_hub(online: Readings, home: Path, url: str) -> None:
    answers, _ = read([asked("train"), tatoeba("fra")], url, home)
    assert answers["train"] == online.answers["train"]
    assert answers["tatoeba.fra"] == online.answers["tatoeba.fra"]
