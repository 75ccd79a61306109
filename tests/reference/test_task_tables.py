"""Declarations against the real data: each table is there, with its columns and its script."""

from __future__ import annotations

import gzip
import json
import unicodedata
from collections import Counter
from pathlib import Path

import pytest

from adaptstilts.task.declaration import Table
from adaptstilts.task.intermediate.sst2 import SST2
from adaptstilts.task.languages import LANGUAGE_SETS, LANGUAGES
from adaptstilts.task.target.bucc2018 import BUCC2018
from adaptstilts.task.target.tatoeba import TATOEBA

# First word of the Unicode names of a script's letters.
UNICODE_WORDS = {
    "Arab": {"ARABIC"},
    "Armn": {"ARMENIAN"},
    "Beng": {"BENGALI"},
    "Cyrl": {"CYRILLIC"},
    "Deva": {"DEVANAGARI"},
    "Ethi": {"ETHIOPIC"},
    "Geor": {"GEORGIAN"},
    "Grek": {"GREEK"},
    "Hans": {"CJK"},
    "Hant": {"CJK"},
    "Hebr": {"HEBREW"},
    "Jpan": {"HIRAGANA", "KATAKANA", "CJK"},
    "Khmr": {"KHMER"},
    "Kore": {"HANGUL"},
    "Latn": {"LATIN"},
    "Mlym": {"MALAYALAM"},
    "Taml": {"TAMIL"},
    "Telu": {"TELUGU"},
    "Thai": {"THAI"},
}


def path_of(table: Table, mirror: Path) -> Path:
    return mirror / f"{table.mirror}.jsonl.gz"


def rows_of(table: Table, mirror: Path) -> list[dict[str, object]]:
    with gzip.open(path_of(table, mirror), "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


@pytest.mark.mirror
def test_tatoeba_declares_just_the_files_of_the_mirror(mirror: Path) -> None:
    declared = {path_of(table, mirror).name for table in TATOEBA.tables.values()}
    assert declared == {path.name for path in (mirror / "tatoeba").glob("*.jsonl.gz")}
    assert len(declared) == 112


@pytest.mark.mirror
def test_languages_have_the_columns_and_the_script_they_claim(mirror: Path) -> None:
    for code, table in TATOEBA.tables.items():
        rows = rows_of(table, mirror)
        assert 100 <= len(rows) <= 1000, code
        assert all(set(table.columns) <= set(row) for row in rows), code
        assert {row["source_lang"] for row in rows} == {LANGUAGES[code].iso3}
        assert {row["target_lang"] for row in rows} == {"eng"}
        letters = Counter(
            unicodedata.name(letter, "?").split()[0]
            for row in rows
            for letter in str(row["source_sentence"])
            if letter.isalpha()
        )
        assert letters.most_common(1)[0][0] in UNICODE_WORDS[LANGUAGES[code].script], code


@pytest.mark.mirror
def test_codes_are_those_of_the_mirrors_mapping(mirror: Path) -> None:
    mapping = json.loads((mirror / "tatoeba" / "iso_mapping.json").read_text(encoding="utf-8"))
    codes = mapping["iso3_to_iso2"]
    by_iso3 = {language.iso3: language.code for language in LANGUAGES.values()}
    assert {iso3: by_iso3[iso3] for iso3 in codes if iso3 != "eng"} == {
        iso3: code for iso3, code in codes.items() if iso3 != "eng"
    }
    assert {codes[iso3] for iso3 in mapping["xtreme_36"]} == set(LANGUAGE_SETS["xtreme36"])
    assert {codes[iso3] for iso3 in mapping["xtreme_r_41"]} == set(LANGUAGE_SETS["xtreme41"])


@pytest.mark.mirror
def test_sst2_is_glues(mirror: Path) -> None:
    train, test = rows_of(SST2.train, mirror), rows_of(SST2.test, mirror)
    assert (len(train), len(test)) == (67_349, 872)
    for rows in (train, test):
        assert all(set(SST2.train.columns) <= set(row) for row in rows)
        assert {row["label"] for row in rows} == {0, 1}
    # GLUE's own counts; they differ, so that the labels are known to be in the right order.
    assert Counter(row["label"] for row in test) == {
        SST2.labels.index("negative"): 428,
        SST2.labels.index("positive"): 444,
    }


@pytest.mark.mirror
def test_bucc_s_sample_set_is_whole(mirror: Path) -> None:
    tables = BUCC2018.sets["zh"]["dev"]
    foreign, english = rows_of(tables.foreign, mirror), rows_of(tables.english, mirror)
    gold = rows_of(tables.gold, mirror)
    # The shared task's own counts of its Chinese sample set.
    assert (len(foreign), len(english), len(gold)) == (8624, 13_589, 257)
    for table, rows in ((tables.foreign, foreign), (tables.gold, gold)):
        assert all(set(table.columns) == set(row) for row in rows)
    assert {row["source_id"] for row in gold} <= {row["id"] for row in foreign}
    assert {row["target_id"] for row in gold} <= {row["id"] for row in english}
    letters = Counter(
        unicodedata.name(letter, "?").split()[0]
        for row in foreign
        for letter in str(row["text"])
        if letter.isalpha()
    )
    assert letters.most_common(1)[0][0] == "CJK"
