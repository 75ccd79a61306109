from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adaptstilts.data.bitext import bitext
from adaptstilts.data.mirror import Mirror
from adaptstilts.data.rows import Provenance, Rows
from adaptstilts.errors import DataError
from adaptstilts.task.registry import BENCHMARKS, languages

sentences = st.text(min_size=1).filter(str.strip)
white = st.text(" \t\n\u3000", max_size=2)


def rows(foreign: list[Any], english: list[Any], **more: list[Any]) -> Rows:
    columns = {"source_sentence": foreign, "target_sentence": english} | more
    return Rows(
        columns, Provenance("tatoeba/de-en", "mirror", "/m/deu.gz", None, "0", len(foreign))
    )


@given(st.lists(st.tuples(sentences, sentences, white), min_size=1))
def test_sides_stay_aligned_and_lose_only_white_space(pairs: list[tuple[str, str, str]]) -> None:
    read = bitext(rows([f + w for f, _, w in pairs], [w + e for _, e, w in pairs]), "de")
    assert read.language == "de"
    assert read.foreign == [foreign.strip() for foreign, _, _ in pairs]
    assert read.english == [english.strip() for _, english, _ in pairs]
    assert len(read) == len(pairs)


@pytest.mark.parametrize(
    ("foreign", "english", "words"),
    [
        (["Ja.", "Nein."], ["Yes.", None], "/m/deu.gz, row 2: `target_sentence` is missing"),
        (["Ja.", "\n"], ["Yes.", "No."], "/m/deu.gz, row 2: `source_sentence` is empty"),
        ([3], ["Yes."], "/m/deu.gz, row 1: `source_sentence` is 3, a int"),
        (
            ["Ja.", "Nein."],
            ["Yes."],
            "(de–en): 2 sentences in `source_sentence` but 1 in `target_sentence`",
        ),
        ([], [], "/m/deu.gz (de–en) has no rows"),
    ],
)
def test_broken_bitext_is_named(foreign: list[Any], english: list[Any], words: str) -> None:
    with pytest.raises(DataError) as caught:
        bitext(rows(foreign, english), "de")
    assert words in str(caught.value)


@pytest.mark.parametrize("more", [{}, {"a": ["Ja."], "b": ["Yes."], "c": ["Oui."]}])
def test_a_bitext_has_two_columns(more: dict[str, list[str]]) -> None:
    whole = rows(["Ja."], ["Yes."])
    del whole.columns["target_sentence"]
    whole.columns.update(more)
    with pytest.raises(DataError, match=rf"\(de–en\): {1 + len(more)} columns; a bitext has two"):
        bitext(whole, "de")


def test_the_first_column_is_the_foreign_side_whatever_its_name() -> None:
    whole = rows(["Ja."], ["Yes."])
    turned = replace(whole, columns=dict(reversed(whole.columns.items())))
    read = bitext(turned, "de")
    assert (read.foreign, read.english) == (["Yes."], ["Ja."])


def test_a_pair_without_english_is_named_by_both_languages() -> None:
    read = bitext(rows(["Oui."], ["Sí."]), "fr-es")
    assert (read.language, read.foreign, read.english) == ("fr-es", ["Oui."], ["Sí."])
    with pytest.raises(DataError, match=r"\(fr–es\) has no rows"):
        bitext(rows([], []), "fr-es")


@pytest.mark.mirror
def test_tatoeba_of_the_mirror(mirror: Path) -> None:
    source = Mirror(mirror)
    for code in languages("xtreme36"):
        read = bitext(source.read(BENCHMARKS["tatoeba"].tables[code]), code)
        assert len(set(read.foreign)) == len(set(read.english)) == len(read)
