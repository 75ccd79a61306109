"""The bundled pocket data keep what their cards say, and every check finds a planted fault."""

from __future__ import annotations

import gzip
import itertools
import json
import shutil
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from adaptstilts.data.pocket import BUNDLED
from pocket import check
from pocket.check import Row, Tables

Check = Callable[[Tables], list[str]]
Mutable = dict[str, list[Row]]


@cache
def shipped() -> Tables:
    return check.read_tables(BUNDLED)


def copied() -> Mutable:
    """The shipped tables, whose rows may be replaced."""
    return {table: list(rows) for table, rows in shipped().items()}


def changed(table: str, number: int, **cells: object) -> Mutable:
    """The shipped tables with some cells of one row (counted from 1) replaced."""
    tables = copied()
    tables[table][number - 1] = {**tables[table][number - 1], **cells}
    return tables


def cell(table: str, number: int, column: str) -> str:
    return str(shipped()[table][number - 1][column])


def first(table: str, *, answered: bool) -> int:
    """The first question of a table that has an answer, or has none; counted from 1."""
    rows = shipped()[table]
    return next(n for n, row in enumerate(rows, 1) if bool(row["answers"]["text"]) == answered)


def moved(table: str, number: int, by: int) -> Mutable:
    """The shipped tables with an answer that begins elsewhere."""
    answers = shipped()[table][number - 1]["answers"]
    starts = [start + by for start in answers["answer_start"]]
    return changed(table, number, answers={"text": answers["text"], "answer_start": starts})


def swapped(table: str, column: str, rows: list[Row]) -> Mutable:
    """The shipped tables with a column of one table taken from other rows, line by line."""
    tables = copied()
    pairs = zip(tables[table], rows, strict=True)
    tables[table] = [{**mine, column: other[column]} for mine, other in pairs]
    return tables


def without(table: str) -> Mutable:
    return {name: rows for name, rows in copied().items() if name != table}


@pytest.mark.parametrize("look", check.CHECKS, ids=lambda look: look.__name__)
def test_the_shipped_data_have_no_fault(look: Check) -> None:
    assert look(shipped()) == []


FILM = "sentiment/en/test"
DE, ES, JA, RU = (f"bitext/{code}-en" for code in ("de", "es", "ja", "ru"))
PAIR, STORY = "nli/en/test", "qa/en/test"

# name: (what looks for it, what has it, words of the problem)
FAULTS: dict[str, tuple[Check, Callable[[], Tables], str]] = {
    "table missing": (check.check_sizes, lambda: without("nli/de/test"), "nli/de/test: no rows"),
    "row missing": (check.check_sizes, lambda: {**copied(), DE: copied()[DE][1:]}, "319 rows"),
    "unknown table": (
        check.check_sizes,
        lambda: {**copied(), "qa/xx/test": copied()[STORY]},
        "qa/xx/test: 32 rows, expected no such table",
    ),
    "extra column": (check.check_columns, lambda: changed(FILM, 3, kind="plain"), "row 3: columns"),
    "gap in idx": (check.check_columns, lambda: changed(FILM, 3, idx=7), "idx 7, expected 2"),
    "language": (check.check_columns, lambda: changed(DE, 3, source_lang="fr"), "('fr', 'en')"),
    "sentiment label": (
        check.check_balance,
        lambda: changed(
            "sentiment/ja/test", 1, label=1 - shipped()["sentiment/ja/test"][0]["label"]
        ),
        "sentiment/ja/test: labels are not balanced",
    ),
    "nli label": (
        check.check_balance,
        lambda: changed(PAIR, 1, label=(shipped()[PAIR][0]["label"] + 1) % 3),
        "nli/en/test: labels are not balanced",
    ),
    "unanswerable": (
        check.check_balance,
        lambda: changed(
            STORY, first(STORY, answered=True), answers={"text": [], "answer_start": []}
        ),
        "qa/en/test: labels are not balanced",
    ),
    "empty": (check.check_clean, lambda: changed(RU, 5, source_sentence="…"), "row 5, source"),
    "untrimmed": (check.check_clean, lambda: changed(FILM, 5, sentence="a good film "), "row 5"),
    "two spaces": (check.check_clean, lambda: changed(FILM, 5, sentence="a  good film"), "row 5"),
    "no-break space": (check.check_clean, lambda: changed(FILM, 5, sentence="a\xa0film"), "row 5"),
    "not NFC": (check.check_clean, lambda: changed(FILM, 5, sentence="cafe\u0301s"), "row 5"),
    "unseen sign": (check.check_clean, lambda: changed(FILM, 5, sentence="a\u200bfilm"), "row 5"),
    "too short": (check.check_lengths, lambda: changed(PAIR, 2, premise="Rain."), "1 words"),
    "too long": (
        check.check_lengths,
        lambda: changed("sentiment/zh/test", 2, sentence="好" * 99),
        "99 characters",
    ),
    "wrong script": (
        check.check_scripts,
        lambda: changed(RU, 2, source_sentence="Gde moi klyuchi?"),
        "0 of 13 letters are Cyrl",
    ),
    "wrong language": (
        check.check_scripts,
        lambda: swapped(ES, "source_sentence", copied()["bitext/pt-en"]),
        "bitext/es-en: is it es? It has no ñ",
    ),
    "Chinese as Japanese": (
        check.check_scripts,
        lambda: swapped(JA, "source_sentence", copied()["bitext/zh-en"]),
        "bitext/ja-en: is it ja? It has no の",
    ),
    "duplicate": (
        check.check_distinct,
        lambda: changed(FILM, 9, sentence=f"“{cell(FILM, 2, 'sentence').upper()}”"),
        "is also in sentiment/en/test, row 2",
    ),
    "duplicate across splits": (
        check.check_distinct,
        lambda: changed("sentiment/en/train", 9, sentence=cell(FILM, 2, "sentence")),
        "is also in sentiment/en/test, row 2",
    ),
    "duplicate translation": (
        check.check_distinct,
        lambda: changed(DE, 9, source_sentence=cell(DE, 2, "source_sentence")),
        "bitext/de-en, row 9",
    ),
    "duplicate hypothesis": (
        check.check_distinct,
        lambda: changed("nli/en/train", 9, hypothesis=cell(PAIR, 2, "hypothesis")),
        "is also in nli/en/test, row 2",
    ),
    "duplicate id": (
        check.check_distinct,
        lambda: changed(STORY, 9, id=cell(STORY, 2, "id")),
        "is also in qa/en/test, row 2",
    ),
    "premise in two splits": (
        check.check_distinct,
        lambda: changed("nli/en/train", 9, premise=cell(PAIR, 2, "premise")),
        "is also in nli/en/test",
    ),
    "paragraph in two splits": (
        check.check_distinct,
        lambda: changed("qa/en/train", 9, context=cell(STORY, 2, "context")),
        "is also in qa/en/test",
    ),
    "near duplicate": (
        check.check_near,
        lambda: changed("sentiment/en/train", 9, sentence=f"Well, {cell(FILM, 2, 'sentence')}"),
        "nearly sentiment/en/train, row 9",
    ),
    "English in another order": (
        check.check_translations,
        lambda: swapped(DE, "target_sentence", copied()[DE][1:] + copied()[DE][:1]),
        "its English side is not that of",
    ),
    "not translated": (
        check.check_translations,
        lambda: changed(DE, 4, source_sentence=cell(DE, 4, "target_sentence").lower()),
        "row 4: ",
    ),
    "in another language's file": (
        check.check_translations,
        lambda: changed(ES, 4, source_sentence=cell(DE, 4, "source_sentence")),
        "is also in bitext/de-en",
    ),
    "lines shifted": (
        check.check_translations,
        lambda: swapped(JA, "source_sentence", copied()[JA][1:] + copied()[JA][:1]),
        "is no question",
    ),
    "labels in another order": (
        check.check_parallel,
        lambda: {**copied(), "nli/zh/test": copied()["nli/zh/test"][::-1]},
        "nli/zh/test: its labels or ids",
    ),
    "ids in another order": (
        check.check_parallel,
        lambda: {**copied(), "qa/de/test": copied()["qa/de/test"][::-1]},
        "qa/de/test: its labels or ids",
    ),
    "answer not there": (
        check.check_answers,
        lambda: moved(STORY, first(STORY, answered=True), 1),
        "is not at",
    ),
    "answer before the text": (
        check.check_answers,
        lambda: moved(STORY, first(STORY, answered=True), -10_000),
        "is not at -",
    ),
    "answer without a start": (
        check.check_answers,
        lambda: changed(
            STORY, first(STORY, answered=False), answers={"text": ["a"], "answer_start": []}
        ),
        "1 answers, 0 starts",
    ),
}


@pytest.mark.parametrize(("look", "plant", "words"), FAULTS.values(), ids=FAULTS)
def test_a_planted_fault_is_found(look: Check, plant: Callable[[], Tables], words: str) -> None:
    problems = look(plant())
    assert any(words in problem for problem in problems), problems


def test_every_check_is_shown_to_find_something() -> None:
    assert {look for look, _, _ in FAULTS.values()} == set(check.CHECKS)


def write(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(f"{line}\n" for line in lines)


def test_a_sentence_of_a_benchmark_is_found(tmp_path: Path) -> None:
    pair = {"source_sentence": cell(RU, 3, "source_sentence").upper(), "target_sentence": "Other."}
    write(tmp_path / "tatoeba" / "tatoeba.rus-eng.jsonl.gz", json.dumps(pair))
    review = {"sentence": f"{cell(FILM, 4, 'sentence')} ...", "label": 1}
    write(tmp_path / "sst2" / "train.jsonl.gz", json.dumps(review), json.dumps({"sentence": "a"}))
    problems = check.check_unknown(shipped(), check.read_mirror(tmp_path))
    assert [problem.partition(", source")[0].partition(", sent")[0] for problem in problems] == [
        "sentiment/en/test, row 4",
        "bitext/ru-en, row 3",
    ]
    assert problems[0].endswith("is also in sst2/train.jsonl.gz")
    assert problems[1].endswith("is also in tatoeba/tatoeba.rus-eng.jsonl.gz")


def test_a_sentence_that_the_encoder_learned_is_found(tmp_path: Path) -> None:
    path = tmp_path / "examples.tsv"
    rows = [
        ("en", "common_voice", 0, "Quite another text."),
        ("en", "common_voice", 1, cell(DE, 5, "target_sentence").rstrip(".?!")),
        ("tr", "wesnoth", 0, cell("sentiment/tr/test", 6, "sentence")),
    ]
    lines = ["\t".join(map(str, row)) + "\n" for row in rows]
    path.write_text("".join(lines), encoding="utf-8", newline="\n")
    problems = check.check_unknown(shipped(), check.read_examples(path))
    assert len(problems) == 2
    assert problems[0].endswith("is also in common_voice")
    assert problems[1].startswith("sentiment/tr/test, row 6")
    done = CliRunner().invoke(check.main, ["--examples", str(path)])
    assert (done.exit_code, done.stdout.splitlines()) == (1, problems)


def test_nothing_to_compare_with_is_no_proof(tmp_path: Path) -> None:
    path = tmp_path / "examples.tsv"
    path.touch()
    for known in (check.read_mirror(tmp_path), check.read_examples(path)):
        assert check.check_unknown(shipped(), known) == [
            "no known texts were found to compare with"
        ]


@pytest.mark.mirror
def test_no_sentence_is_in_the_benchmarks_of_the_mirror(mirror: Path) -> None:
    if not list((mirror / "tatoeba").glob("*.jsonl.gz")):
        pytest.skip("the mirror has no Tatoeba files")
    assert check.check_unknown(shipped(), check.read_mirror(mirror)) == []


def test_the_command_lists_every_problem_and_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = CliRunner().invoke(check.main, [])
    assert (done.exit_code, done.stdout) == (0, "")
    shutil.copytree(BUNDLED, tmp_path, dirs_exist_ok=True)
    path = tmp_path / f"{FILM}.jsonl"
    broken = path.read_text(encoding="utf-8").replace('"idx": 4}', '"idx": 5}')
    path.write_text(broken, encoding="utf-8")
    (tmp_path / "nli" / "de" / "test.jsonl").unlink()
    monkeypatch.setattr(check, "BUNDLED", tmp_path)
    done = CliRunner().invoke(check.main, [])
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        "nli/de/test: no rows, expected 75",
        "sentiment/en/test, row 5: idx 5, expected 4",
    ]


@pytest.mark.parametrize("table", [name for name in check.SIZES if name.startswith("sentiment/")])
def test_sentiment_labels_do_not_follow_the_order_or_the_form(table: str) -> None:
    rows = shipped()[table]
    changes = sum(a["label"] != b["label"] for a, b in itertools.pairwise(rows))
    assert 0.35 <= changes / (len(rows) - 1) <= 0.65
    by_label = [[row["sentence"] for row in rows if row["label"] == label] for label in (0, 1)]
    negative, positive = (sum(map(len, texts)) / len(texts) for texts in by_label)
    assert 0.85 <= negative / positive <= 1 / 0.85
    lower = [sum(text[0].islower() for text in texts) / len(texts) for texts in by_label]
    assert abs(lower[0] - lower[1]) < 0.15


@pytest.mark.parametrize("folder", ["bitext", "sentiment", "nli", "qa"])
def test_each_folder_has_a_card_that_names_author_and_licence(folder: str) -> None:
    card = (BUNDLED / folder / "CARD.md").read_text(encoding="utf-8")
    assert "CC0-1.0" in card
    assert "large language model" in card
    assert "FILL IN" not in card


CORRECTIONS = Path(check.__file__).parent / "corrections"
CORRECTED = ("bitext", "nli", "qa", "sentiment")


def corrections(name: str) -> list[dict[str, str]]:
    """The second reader's corrections of a set, as `pocket/corrections/` records them."""
    lines = (CORRECTIONS / f"{name}.tsv").read_text(encoding="utf-8").removesuffix("\n").split("\n")
    header, *rows = (line.split("\t") for line in lines)
    return [dict(zip(header, row, strict=True)) for row in rows]


def text_in(row: Row, field: str) -> str:
    return "".join(row["answers"]["text"]) if field == "answer" else row[field]


def corrected_row(name: str, correction: dict[str, str]) -> Row:
    """The row that a correction names."""
    if name == "bitext":
        return shipped()[f"bitext/{correction['language']}-en"][int(correction["row"]) - 1]
    rows = shipped()[f"{name}/{correction['language']}/{correction['split']}"]
    if name == "qa":
        return next(row for row in rows if row["id"] == correction["id"])
    return rows[int(correction["idx"])] if name == "sentiment" else rows[int(correction["id"]) - 1]


@pytest.mark.parametrize("name", CORRECTED)
def test_every_correction_is_in_the_data_and_what_it_replaced_is_not(name: str) -> None:
    whole = {"bitext": "source_sentence", "sentiment": "sentence"}.get(name)
    for correction in corrections(name):
        assert all(correction.values()), correction
        field = whole or correction["field"]
        text = text_in(corrected_row(name, correction), field)
        assert text == correction["after"] if whole else correction["after"] in text, correction
        for table, rows in shipped().items():
            if check.set_of(table) == name and check.language_of(table) == correction["language"]:
                texts = [text_in(row, field) for row in rows]
                assert not any(correction["before"] in text for text in texts), correction


@pytest.mark.parametrize("name", CORRECTED)
def test_the_card_counts_the_corrections(name: str) -> None:
    card = " ".join((BUNDLED / name / "CARD.md").read_text(encoding="utf-8").split())
    counts = Counter(correction["language"] for correction in corrections(name))
    said = ", ".join(f"{language} {count}" for language, count in counts.most_common())
    assert said in card
    assert f"{counts.total()} " in card.partition(said)[0].rpartition("Second read")[2]


def test_lines_end_as_the_package_s_other_files() -> None:
    for path in BUNDLED.rglob("*.jsonl"):
        content = path.read_bytes()
        assert content.endswith(b"}\n")
        assert b"\r" not in content
