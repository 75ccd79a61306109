from __future__ import annotations

import gzip
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adaptstilts.data.hub import Hub
from adaptstilts.data.mirror import Mirror
from adaptstilts.data.pocket import Pocket
from adaptstilts.data.rows import jsonl, sha256
from adaptstilts.data.source import Source, find, open_sources
from adaptstilts.errors import DataError
from adaptstilts.task.declaration import HubAddress, Table
from adaptstilts.task.registry import BENCHMARKS, TASKS, languages

COLUMNS = {"sentence": ["good", "bad"], "label": [1, 0], "idx": [0, 1]}
COMMIT = "8d51e7e4887a4caaa95b3fbebbf53c0490b58bbb"
TABLE = Table(
    name="films/train",
    columns=("sentence", "label"),
    mirror="films/train",
    hub=HubAddress("someone/Films", COMMIT, None, "train"),
    pocket="sentiment/en/train",
)
NOWHERE = Table("films/test", ("sentence",), "films/test", None, None)


def put(root: Path, name: str, columns: dict[str, list[object]]) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    content = jsonl(columns)
    path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
    return path


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A mirror with one table, and no other source that this machine may have."""
    monkeypatch.delenv("ADAPTSTILTS_DATA", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.delenv("HF_DATASETS_CACHE", raising=False)
    root = tmp_path / "mirror"
    put(root, "films/train.jsonl.gz", COLUMNS)
    put(root, "films/validation.jsonl.gz", COLUMNS)
    return root


def test_mirror_reads_the_declared_columns(small: Path) -> None:
    mirror = Mirror(small)
    rows = mirror.read(TABLE)
    path = small / "films/train.jsonl.gz"
    assert rows.columns == {"sentence": ["good", "bad"], "label": [1, 0]}
    assert rows.provenance.table == "films/train"
    assert rows.provenance.source == "mirror"
    assert rows.provenance.location == mirror.where(TABLE) == str(path)
    assert rows.provenance.revision is None
    assert rows.provenance.sha256 == mirror.identity(TABLE) == sha256(path)
    assert rows.provenance.n == len(rows) == mirror.count(TABLE) == 2


def test_a_mirror_may_be_uncompressed_and_has_the_same_identity(small: Path) -> None:
    before = Mirror(small).identity(TABLE)
    (small / "films/train.jsonl.gz").unlink()
    put(small, "films/train.jsonl", COLUMNS)
    assert Mirror(small).identity(TABLE) == before


def test_a_missing_split_names_the_others(small: Path) -> None:
    mirror = Mirror(small)
    assert not mirror.has(NOWHERE)
    assert mirror.where(NOWHERE).endswith("(that folder has train, validation)")
    with pytest.raises(DataError, match=r"films/test\.jsonl\.gz"):
        mirror.identity(NOWHERE)


def test_a_wrong_column_is_named(small: Path) -> None:
    put(small, "films/train.jsonl.gz", {"sentences": ["good"], "label": [1]})
    with pytest.raises(DataError, match="did you mean `sentences`") as caught:
        Mirror(small).read(TABLE)
    assert f"{small / 'films/train.jsonl.gz'}, row 1" in str(caught.value)


def test_pocket_says_that_it_is_a_stand_in(tmp_path: Path) -> None:
    path = put(tmp_path, "sentiment/en/train.jsonl", COLUMNS)
    pocket = Pocket(tmp_path)
    assert pocket.has(TABLE)
    rows = pocket.read(TABLE)
    assert rows.columns["label"] == [1, 0]
    assert rows.provenance.table == "pocket/sentiment/en/train"
    assert rows.provenance.source == "pocket"
    assert rows.provenance.location == "adaptstilts/data/pocket/sentiment/en/train.jsonl"
    assert rows.provenance.sha256 == pocket.identity(TABLE) == sha256(path)
    assert pocket.count(TABLE) == 2


def test_pocket_without_a_stand_in(tmp_path: Path) -> None:
    pocket = Pocket(tmp_path)
    assert not pocket.has(TABLE)
    assert not pocket.has(NOWHERE)
    assert "no stand-in" in pocket.where(NOWHERE)
    for use in (pocket.read, pocket.identity, pocket.count):
        with pytest.raises(DataError, match="no stand-in"):
            use(NOWHERE)


def test_hub_needs_no_network_to_be_planned_with(small: Path) -> None:
    hub = Hub()
    assert hub.has(TABLE)
    assert not hub.has(NOWHERE)
    assert hub.identity(TABLE) == hub.where(TABLE) == f"someone/Films@{COMMIT}/default/train"
    assert hub.count(TABLE) is None
    for use in (hub.read, hub.identity):
        with pytest.raises(DataError, match="no hub address"):
            use(NOWHERE)


def test_hub_finds_a_cached_commit(small: Path, tmp_path: Path) -> None:
    hub = Hub()
    assert not hub.is_cached(TABLE)
    folder = tmp_path / f"hf/datasets/someone___films/default/0.0.0/{COMMIT}"
    folder.mkdir(parents=True)
    assert not hub.is_cached(TABLE)
    (folder / "dataset_info.json").write_text("{}")
    assert hub.is_cached(TABLE)
    assert not hub.is_cached(NOWHERE)


def test_profiles_open_their_sources(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_sources("full") == [Hub()]
    assert open_sources("pocket") == [Pocket()]
    assert open_sources("full", small) == [Mirror(small), Hub()]
    monkeypatch.setenv("ADAPTSTILTS_DATA", str(small))
    assert open_sources("pocket") == [Mirror(small), Pocket()]
    assert open_sources("pocket", small / "films")[0] == Mirror(small / "films")


def test_a_mirror_that_is_not_there(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"from --data\) does not exist"):
        open_sources("full", small / "nowhere")
    monkeypatch.setenv("ADAPTSTILTS_DATA", str(small / "films/train.jsonl.gz"))
    with pytest.raises(DataError, match=r"from \$ADAPTSTILTS_DATA\) is a file"):
        open_sources("full")


def test_find_takes_the_first_that_has_it(small: Path) -> None:
    sources: list[Source] = [Mirror(small), Hub()]
    assert find(TABLE, sources) is sources[0]
    (small / "films/train.jsonl.gz").unlink()
    assert find(TABLE, sources) is sources[1]


def test_find_says_where_it_looked_and_what_to_do(small: Path) -> None:
    with pytest.raises(DataError) as caught:
        find(NOWHERE, [Mirror(small), Hub()])
    message = str(caught.value)
    assert f"mirror: no file {small / 'films/test.jsonl.gz'}" in message
    assert "hub: no hub address is declared for it" in message
    assert "What to do: put films/test.jsonl.gz into the mirror." in message
    with pytest.raises(DataError, match=r"name a mirror .*\(--data DIR or \$ADAPTSTILTS_DATA\)"):
        find(NOWHERE, [Pocket()])
    with pytest.raises(DataError, match="--profile full"):
        find(TABLE, [Pocket(small)])


def test_planning_imports_nothing_heavy() -> None:
    code = (
        "import sys; import adaptstilts.data.source, adaptstilts.data.classification, "
        "adaptstilts.data.bitext; from adaptstilts.data.hub import Hub; "
        "from adaptstilts.task.registry import TASKS; "
        "hub = Hub(); [(hub.identity(t.train), hub.is_cached(t.train)) for t in TASKS.values()]; "
        "print([m for m in ('torch', 'datasets', 'transformers', 'pyarrow', 'numpy', "
        "'huggingface_hub') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.mirror
def test_the_real_mirror_has_what_is_declared(mirror: Path) -> None:
    source = Mirror(mirror)
    task = TASKS["sst2"]
    assert (source.count(task.train), source.count(task.test)) == (67_349, 872)
    tables = BENCHMARKS["tatoeba"].tables
    assert all(source.has(tables[code]) for code in languages("tatoeba112"))
    assert sum(source.count(tables[code]) for code in languages("tatoeba112")) == 88_877


@pytest.mark.mirror
def test_identities_of_a_whole_recipe_are_quick(mirror: Path) -> None:
    source = Mirror(mirror)
    tables = [BENCHMARKS["tatoeba"].tables[code] for code in languages("xtreme36")]
    started = time.perf_counter()
    identities = {source.identity(table) for table in [TASKS["sst2"].train, *tables]}
    seconds = time.perf_counter() - started
    assert len(identities) == 37
    assert seconds < 2.0  # 0.2 s on an idle machine
