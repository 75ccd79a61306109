"""The bundled pocket data keep what their cards say of them."""

from __future__ import annotations

import gzip
import itertools
import json
import re
import unicodedata
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

POCKET = files("adaptstilts") / "data" / "pocket"
PAIRS = 120
SPLITS = {"train": 420, "validation": 100, "test": 100}
SCRIPTS = {
    "de": {"LATIN"},
    "es": {"LATIN"},
    "fr": {"LATIN"},
    "it": {"LATIN"},
    "ja": {"CJK", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"},
    "nl": {"LATIN"},
    "pt": {"LATIN"},
    "ru": {"CYRILLIC"},
    "tr": {"LATIN"},
    "zh": {"CJK"},
}
"""Language → the first words that the Unicode names of its letters may have."""
LETTERS = {"de": "äöüß", "es": "ñ¿", "fr": "êç", "it": "èò", "nl": "ij", "pt": "ãõ", "tr": "ğış"}
"""Letters that each Latin-script side must use somewhere: a file swapped for another lacks some."""


def read(*parts: str) -> list[dict[str, Any]]:
    text = POCKET.joinpath(*parts).read_text(encoding="utf-8")
    assert text.endswith("\n")
    assert "\r" not in text
    return [json.loads(line) for line in text[:-1].split("\n")]


def pairs(language: str) -> list[dict[str, Any]]:
    return read("bitext", f"{language}-en.jsonl")


def key(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKC", text).lower() if c.isalnum())


def words(text: str) -> set[str]:
    return set(re.findall(r"[\w']+", text.lower()))


def scripts(text: str) -> set[str]:
    return {unicodedata.name(c).split()[0] for c in text if c.isalpha()}


def assert_clean(text: str) -> None:
    assert text == text.strip() != ""
    assert text == unicodedata.normalize("NFC", text)
    assert "  " not in text
    assert all(c.isprintable() for c in text), repr(text)


def test_bitext_has_a_file_for_each_language_and_no_other() -> None:
    found = {entry.name for entry in (POCKET / "bitext").iterdir() if entry.name.endswith(".jsonl")}
    assert found == {f"{language}-en.jsonl" for language in SCRIPTS}


@pytest.mark.parametrize("language", SCRIPTS)
def test_bitext_rows_are_complete_clean_and_distinct(language: str) -> None:
    rows = pairs(language)
    assert len(rows) == PAIRS
    for row in rows:
        assert list(row) == ["source_sentence", "target_sentence", "source_lang", "target_lang"]
        assert (row["source_lang"], row["target_lang"]) == (language, "en")
        assert_clean(row["source_sentence"])
        assert_clean(row["target_sentence"])
    for side in ("source_sentence", "target_sentence"):
        counts = Counter(key(row[side]) for row in rows)
        assert [text for text, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("language", SCRIPTS)
def test_bitext_english_side_is_the_same_in_every_file(language: str) -> None:
    english = [row["target_sentence"] for row in pairs(language)]
    assert english == [row["target_sentence"] for row in pairs("de")]
    for sentence in english:
        assert 4 <= len(sentence.split()) <= 16, sentence
        assert scripts(sentence) == {"LATIN"}, sentence
        assert sentence[-1] in ".?!", sentence


@pytest.mark.parametrize("language", SCRIPTS)
def test_bitext_sides_are_in_the_script_of_their_language(language: str) -> None:
    rows = pairs(language)
    for row in rows:
        sentence = row["source_sentence"]
        assert scripts(sentence) <= SCRIPTS[language], sentence
        assert key(sentence) != key(row["target_sentence"])
        assert sentence[-1] in ".?!。？！", sentence
    text = "".join(row["source_sentence"] for row in rows).lower()
    assert scripts(text) >= SCRIPTS[language] - {"KATAKANA-HIRAGANA"}
    assert set(LETTERS.get(language, "")) <= set(text)


@pytest.mark.parametrize("language", SCRIPTS)
def test_bitext_sides_are_of_like_length(language: str) -> None:
    for row in pairs(language):
        sentence, english = row["source_sentence"], row["target_sentence"]
        if language in ("ja", "zh"):
            assert 6 <= len(sentence) <= 45, sentence
            assert 0.15 <= len(sentence) / len(english) <= 1, sentence
        else:
            assert 3 <= len(sentence.split()) <= 20, sentence
            assert 0.5 <= len(sentence) / len(english) <= 2, sentence


def test_bitext_languages_do_not_share_sentences() -> None:
    for one, other in itertools.combinations(SCRIPTS, 2):
        mine, yours = ({key(row["source_sentence"]) for row in pairs(x)} for x in (one, other))
        assert not mine & yours, (one, other)


@pytest.mark.mirror
def test_bitext_english_is_not_in_the_tatoeba_mirror(mirror: Path) -> None:
    paths = sorted((mirror / "tatoeba").glob("tatoeba.*-eng.jsonl.gz"))
    if not paths:
        pytest.skip("the mirror has no Tatoeba files")
    known: set[str] = set()
    for path in paths:
        with gzip.open(path, "rt", encoding="utf-8") as file:
            known.update(key(json.loads(line)["target_sentence"]) for line in file)
    assert len(known) > PAIRS
    english = [row["target_sentence"] for row in pairs("de")]
    assert [sentence for sentence in english if key(sentence) in known] == []


@pytest.mark.parametrize("split", SPLITS)
def test_sentiment_rows_are_complete_clean_and_balanced(split: str) -> None:
    rows = read("sentiment", f"{split}.jsonl")
    assert len(rows) == SPLITS[split]
    assert all(list(row) == ["sentence", "label", "idx"] for row in rows)
    assert [row["idx"] for row in rows] == list(range(len(rows)))
    assert Counter(row["label"] for row in rows) == {0: len(rows) // 2, 1: len(rows) // 2}
    for row in rows:
        assert_clean(row["sentence"])
        assert 5 <= len(row["sentence"].split()) <= 25, row
        assert scripts(row["sentence"]) == {"LATIN"}, row


@pytest.mark.parametrize("split", SPLITS)
def test_sentiment_labels_do_not_follow_the_order_or_the_form(split: str) -> None:
    rows = read("sentiment", f"{split}.jsonl")
    changes = sum(a["label"] != b["label"] for a, b in itertools.pairwise(rows))
    assert 0.35 <= changes / (len(rows) - 1) <= 0.65
    by_label = [[row["sentence"] for row in rows if row["label"] == label] for label in (0, 1)]
    lengths = [sum(len(text.split()) for text in texts) / len(texts) for texts in by_label]
    assert abs(lengths[0] - lengths[1]) < 2
    lower = [sum(text[0].islower() for text in texts) / len(texts) for texts in by_label]
    assert abs(lower[0] - lower[1]) < 0.15


def test_sentiment_has_no_duplicates_within_or_across_the_splits() -> None:
    sentences = [row["sentence"] for split in SPLITS for row in read("sentiment", f"{split}.jsonl")]
    assert len({key(sentence) for sentence in sentences}) == len(sentences) == sum(SPLITS.values())
    sets = [words(sentence) for sentence in sentences]
    close = [
        (sentences[i], sentences[j])
        for i, j in itertools.combinations(range(len(sets)), 2)
        if 2 * len(sets[i] & sets[j]) >= len(sets[i] | sets[j])
    ]
    assert close == []


@pytest.mark.parametrize("folder", ["bitext", "sentiment"])
def test_each_folder_has_a_card_that_names_author_and_licence(folder: str) -> None:
    card = (POCKET / folder / "CARD.md").read_text(encoding="utf-8")
    assert "CC0-1.0" in card
    assert "large language model" in card
