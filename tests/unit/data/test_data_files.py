"""Pairs from the user's own files: what is read, and which line is wrong."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptstilts.data.bitext import bitext
from adaptstilts.data.files import Files
from adaptstilts.data.rows import Rows
from adaptstilts.errors import DataError
from adaptstilts.task.declaration import Table

PAIRS = [("Ja.", "Yes."), ("Nein.", "No."), ("Gut.", "Good.")]
# One line each: a tab or a line's end parts cells, and only those do.
sentences = st.text(min_size=1).filter(str.strip).filter(lambda t: not set(t) & set("\t\n\r"))


def table(*columns: str) -> Table:
    return Table("mine/de-en", columns, "", None, None)


def write(folder: Path, name: str, content: str | bytes) -> Path:
    path = folder / name
    raw = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(raw, mtime=0) if name.lower().endswith(".gz") else raw)
    return path


def read(path: Path, *columns: str) -> Rows:
    return Files({"mine/de-en": path}).read(table(*columns))


def sides(rows: Rows) -> list[tuple[str, str]]:
    text = bitext(rows, "de")
    return list(zip(text.foreign, text.english, strict=True))


def tsv(*rows: tuple[str, ...]) -> str:
    return "".join("\t".join(row) + "\n" for row in rows)


def jsonl(*rows: dict[str, object]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


OBJECTS = [{"de": german, "en": english} for german, english in PAIRS]
WIDE = [{"id": i, "en": english, "de": german} for i, (german, english) in enumerate(PAIRS)]


@pytest.mark.parametrize(
    ("name", "content", "columns"),
    [
        ("a.tsv", tsv(*PAIRS), ()),
        ("a.tsv", tsv(*PAIRS).rstrip("\n"), ()),
        ("a.tsv", tsv(*PAIRS).replace("\n", "\r\n"), ()),
        ("a.tsv", "\ufeff" + tsv(*PAIRS), ()),
        ("a.tsv.gz", tsv(*PAIRS), ()),
        ("A.TSV.GZ", tsv(*PAIRS), ()),
        ("a.tsv", tsv(("de", "en"), *PAIRS), ("de", "en")),
        ("a.tsv", "\ufeff" + tsv(("de", "en"), *PAIRS), ("de", "en")),
        ("a.tsv", tsv(("en", "de"), *((e, g) for g, e in PAIRS)), ("de", "en")),
        ("a.tsv", tsv(("id", "en", "de"), *(("1", e, g) for g, e in PAIRS)), ("de", "en")),
        ("a.tsv", tsv(*((e, g) for g, e in PAIRS)), ("2", "1")),
        ("a.tsv", tsv(*((e, "x", g) for g, e in PAIRS)), ("3", "1")),
        ("a.jsonl", jsonl(*OBJECTS), ()),
        ("a.jsonl.gz", jsonl(*OBJECTS), ()),
        ("a.jsonl", jsonl(*OBJECTS), ("de", "en")),
        ("a.jsonl", jsonl(*WIDE), ("de", "en")),
        ("a.jsonl", jsonl(*WIDE), ("3", "2")),
    ],
)
def test_pairs_are_read_in_the_order_of_the_languages(
    name: str, content: str, columns: tuple[str, ...], tmp_path: Path
) -> None:
    found = read(write(tmp_path, name, content), *columns)
    assert sides(found) == PAIRS
    assert (found.provenance.source, found.provenance.n) == ("files", 3)
    assert found.provenance.location == str(tmp_path / name)


@given(st.lists(st.tuples(sentences, sentences), min_size=1, max_size=5))
def test_any_sentences_come_back(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("files")
    stripped = [(first.strip(), second.strip()) for first, second in pairs]
    assert sides(read(write(folder, "a.tsv", tsv(*pairs)))) == stripped
    objects = [{"de": first, "en": second} for first, second in pairs]
    assert sides(read(write(folder, "a.jsonl", jsonl(*objects)))) == stripped


@pytest.mark.parametrize(
    ("content", "columns", "words"),
    [
        (tsv(PAIRS[0], ("Nein.",)), (), "1 of 2 lines are no pair of sentences: line 2: 1 columns"),
        (tsv(PAIRS[0], ("a", "b", "c")), (), "line 2: 3 columns where there should be 2"),
        (tsv(PAIRS[0], ("a", " ")), (), "line 2: column 2 is empty"),
        (tsv(PAIRS[0], ("", "b"), PAIRS[1]), (), "1 of 3 lines are no pair of sentences: line 2"),
        ("Ja.\tYes.\n\nGut.\tGood.\n", (), "line 2: 1 columns"),
        # With a header, the line's number is still that of the file.
        (tsv(("de", "en"), PAIRS[0], ("a", "")), ("de", "en"), "line 3: column 2 is empty"),
        (tsv(("en", "id", "de"), ("", "", "b")), ("de", "en"), "line 2: column 1 is empty"),
        (
            tsv(("de", "eng"), PAIRS[0]),
            ("de", "en"),
            "line 1 (the header): no column `en`; did",
        ),
        (tsv(*PAIRS), ("1", "3"), "has 2 columns; there is none at 1, 3"),
        (tsv(*PAIRS), ("0", "1"), "there is none at 0, 1"),
        ("", (), "has no pairs"),
        (tsv(("de", "en")), ("de", "en"), "has no pairs"),
        (tsv(PAIRS[0]).encode() + b"\xff\tb\n", (), "line 2: not UTF-8"),
    ],
)
def test_a_bad_tsv_is_told_by_its_line(
    content: str | bytes, columns: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    for name in ("a.tsv", "a.tsv.gz"):
        path = write(tmp_path, name, content)
        with pytest.raises(DataError) as caught:
            read(path, *columns)
        assert words in str(caught.value)
        assert str(path) in str(caught.value)


def test_many_bad_lines_are_counted_and_the_first_five_named(tmp_path: Path) -> None:
    path = write(tmp_path, "a.tsv", tsv(*PAIRS) + "no tab\n" * 8)
    with pytest.raises(DataError) as caught:
        read(path)
    message = str(caught.value)
    assert "8 of 11 lines" in message
    assert [f"line {number}:" in message for number in range(3, 10)] == [False, *[True] * 5, False]
    assert "(and 3 more)" in message
    assert "a sentence, a tab, its translation" in message


@pytest.mark.parametrize(
    ("content", "columns", "words"),
    [
        (jsonl(*WIDE), (), "3 columns (id, en, de) where two are needed; say which"),
        (jsonl(*OBJECTS), ("de", "eng"), "row 1: no column `eng`; did you mean `en`?"),
        (jsonl(OBJECTS[0], {"de": "x"}), (), "row 2: no column `en`"),
        (jsonl(*OBJECTS) + "{\n", (), "row 4: not JSON"),
        (jsonl(*OBJECTS), ("1", "3"), "has 2 columns; there is none at 1, 3"),
        ("", (), "row 1"),
        (jsonl(OBJECTS[0], {"de": "Ja.", "en": None}), (), "row 2: `en` is missing"),
        (jsonl(OBJECTS[0], {"de": " ", "en": "x"}), (), "row 2: `de` is empty"),
    ],
)
def test_a_bad_jsonl_is_told_by_its_row(
    content: str, columns: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    path = write(tmp_path, "a.jsonl", content)
    with pytest.raises(DataError) as caught:
        bitext(read(path, *columns), "de")
    assert words in str(caught.value)
    assert str(path) in str(caught.value)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "a.csv", "Ja.,Yes.\n")
    with pytest.raises(DataError, match=r"read from \.tsv, \.tsv\.gz, \.jsonl, \.jsonl\.gz files"):
        read(path)


def test_what_is_there_and_what_decides_its_content(tmp_path: Path) -> None:
    path = write(tmp_path, "a.tsv", tsv(*PAIRS))
    files = Files({"mine/de-en": path})
    assert files.has(table())
    assert files.where(table()) == str(path)
    assert files.count(table()) == 3
    before = files.identity(table())
    # Compressed or not the content is the same; other columns and other rows are other content.
    assert Files({"mine/de-en": write(tmp_path, "b.tsv.gz", tsv(*PAIRS))}).identity(table()) == (
        before
    )
    assert files.identity(table("2", "1")) != before
    other = write(tmp_path, "c.tsv", tsv(*PAIRS[:2]))
    assert Files({"mine/de-en": other}).identity(table()) != before
    gone = Files({"mine/de-en": tmp_path / "gone.tsv"})
    assert not gone.has(table())
    assert gone.where(table()) == f"no file {tmp_path / 'gone.tsv'}"
    assert not Files({}).has(table())
    assert "names no file" in Files({}).where(table())


@pytest.mark.parametrize("name", ["a.tsv", "a.tsv.gz", "a.jsonl", "a.jsonl.gz"])
def test_a_file_that_changes_after_its_identity_was_given_is_refused(
    name: str, tmp_path: Path
) -> None:
    content, other = (
        (tsv(*PAIRS), tsv(*PAIRS[:2])) if ".tsv" in name else (jsonl(*OBJECTS), jsonl(*OBJECTS[:2]))
    )
    path = write(tmp_path, name, content)
    files = Files({"mine/de-en": path})
    told = files.identity(table())
    assert told.split(":")[0] == files.read(table()).provenance.sha256
    write(tmp_path, name, other)
    assert files.identity(table()) == told
    for _ in range(2):
        with pytest.raises(DataError, match=rf"{re.escape(name)} changed since .*run again"):
            files.read(table())
    # The next plan has sources of its own and takes the file as it is by then.
    later = Files({"mine/de-en": path})
    assert later.identity(table()) != told
    assert later.read(table()).provenance.sha256 == later.identity(table()).split(":")[0]
    # The same bytes, written anew, are no change.
    write(tmp_path, name, content)
    assert len(files.read(table())) == len(PAIRS)
