from __future__ import annotations

import gzip
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptstilts.data import rows
from adaptstilts.errors import DataError

COLUMNS = ("sentence", "label")
GOOD = b'{"sentence": "fine", "label": 1}\n'

cells = st.one_of(st.none(), st.booleans(), st.integers(), st.text())


def write(folder: Path, content: bytes, name: str = "train.jsonl.gz") -> Path:
    path = folder / name
    path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)
    return path


@given(
    st.integers(min_value=1, max_value=6).flatmap(
        lambda n: st.fixed_dictionaries(
            {name: st.lists(cells, min_size=n, max_size=n) for name in ("a", "b c", "é")}
        )
    ),
    st.sampled_from(["t.jsonl", "t.jsonl.gz"]),
)
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, columns: dict[str, list[Any]], name: str
) -> None:
    content = rows.jsonl(columns)
    path = write(tmp_path_factory.mktemp("rows"), content, name)
    read, digest = rows.read_jsonl(path, tuple(columns))
    assert read == columns
    assert digest == hashlib.sha256(content).hexdigest() == rows.sha256(path)
    assert rows.count(path) == len(columns["a"])
    assert rows.jsonl(read) == content


def test_the_format_is_that_of_a_mirror() -> None:
    columns = {"sentence": ["“né” \u2028\n", "b"], "label": [1, 0]}
    assert rows.jsonl(columns).decode() == (
        '{"sentence": "“né” \u2028\\n", "label": 1}\n{"sentence": "b", "label": 0}\n'
    )


def test_a_last_line_without_an_end_counts(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD + GOOD.rstrip())
    assert rows.count(path) == 2
    assert len(rows.read_jsonl(path, COLUMNS)[0]["label"]) == 2


def test_line_separators_inside_a_text_do_not_split_rows(tmp_path: Path) -> None:
    path = write(tmp_path, '{"sentence": "a\u2028b\u0085c\x0bd", "label": 0}\n'.encode())
    with pytest.raises(DataError, match="not JSON"):  # \x0b must be escaped in JSON
        rows.read_jsonl(path, COLUMNS)
    path = write(tmp_path, '{"sentence": "a\u2028b\u0085c", "label": 0}\n'.encode())
    assert rows.read_jsonl(path, COLUMNS)[0]["sentence"] == ["a\u2028b\u0085c"]


@pytest.mark.parametrize(
    ("content", "row", "words"),
    [
        (GOOD + b'{"sentence": "x", "label": }\n', 2, "not JSON (Expecting value at column 28)"),
        (GOOD + b"\n" + GOOD, 2, "the line is empty"),
        (GOOD + b'["x", 1]\n', 2, "a list, where one JSON object a line is expected"),
        (GOOD * 2 + b'{"sentense": "x", "label": 1}\n', 3, "did you mean `sentense`?"),
        (b'{"text": "x", "label": 1}\n', 1, "no column `sentence`. The columns there are `text`"),
        (GOOD + b'{"sentence": "caf\xe9", "label": 1}\n', 2, "not UTF-8 (byte 18 is 0xe9)"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, content: bytes, row: int, words: str) -> None:
    path = write(tmp_path, content)
    with pytest.raises(DataError) as caught:
        rows.read_jsonl(path, COLUMNS)
    assert str(caught.value).startswith(f"{path}, row {row}: ")
    assert words in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"\n", b"  \n"])
def test_a_file_without_rows(tmp_path: Path, content: bytes) -> None:
    path = write(tmp_path, content)
    with pytest.raises(DataError, match="has no rows"):
        rows.read_jsonl(path, COLUMNS)


def damaged(content: bytes) -> bytes:
    return content[:20] + bytes(byte ^ 255 for byte in content[20:30]) + content[30:]


@pytest.mark.parametrize(
    "spoil", [lambda c: c[:-10], lambda c: b"not gzip" + c, damaged, lambda c: c[:-8] + b"\0" * 8]
)
@pytest.mark.parametrize("use", [rows.sha256, lambda path: rows.read_jsonl(path, COLUMNS)])
def test_broken_gzip(tmp_path: Path, spoil: Any, use: Any) -> None:
    path = tmp_path / "train.jsonl.gz"
    path.write_bytes(spoil(gzip.compress(GOOD * 100, mtime=0)))
    with pytest.raises(DataError, match="broken gzip") as caught:
        use(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("use", [rows.sha256, rows.count, rows.read_bytes])
def test_files_that_cannot_be_read(tmp_path: Path, use: Any) -> None:
    with pytest.raises(DataError, match=r"gone\.jsonl"):
        use(tmp_path / "gone.jsonl")
    if use is not rows.read_bytes:
        return
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(DataError, match=r"folder\.jsonl: cannot be read"):
        use(tmp_path / "folder.jsonl")


def test_a_changed_file_has_another_digest(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD, "t.jsonl")
    before = rows.sha256(path)
    assert rows.sha256(path) == before
    path.write_bytes(GOOD.replace(b"fine", b"fire"))
    os.utime(path, ns=(1, 1))
    assert rows.sha256(path) == hashlib.sha256(GOOD.replace(b"fine", b"fire")).hexdigest() != before


def test_place_counts_rows_from_one() -> None:
    provenance = rows.Provenance("t", "mirror", "/m/t.jsonl", None, "0" * 64, 3)
    assert rows.place(provenance, 0) == "/m/t.jsonl, row 1"
    assert len(rows.Rows({}, provenance)) == 3
