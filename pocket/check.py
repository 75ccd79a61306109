"""Machine checks of the pocket data: each looks for one kind of fault and tells where it stands.

A table is called by its place under `adaptstilts/data/pocket/`, such as `sentiment/en/train`. Texts
are *equal* when their normal forms are: NFKC, lower case, letters and digits only.
"""

from __future__ import annotations

import gzip
import itertools
import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from adaptstilts.data.pocket import BUNDLED
from adaptstilts.task.languages import LANGUAGE_SETS, LANGUAGES

Row = Mapping[str, Any]
Tables = Mapping[str, Sequence[Row]]
"""Name of a table → its rows."""

COLUMNS: dict[str, tuple[str, ...]] = {
    "bitext": ("source_sentence", "target_sentence", "source_lang", "target_lang"),
    "sentiment": ("sentence", "label", "idx"),
    "nli": ("premise", "hypothesis", "label"),
    "qa": ("id", "context", "question", "answers"),
}
SIZES: dict[str, int] = {
    **{f"bitext/{code}-en": 320 for code in LANGUAGE_SETS["pocket"]},
    "sentiment/en/train": 1040, "sentiment/en/validation": 250, "sentiment/en/test": 250,
    **{f"sentiment/{code}/test": 130 for code in ("ar", "de", "es", "fr", "it", "ja")},
    **{f"sentiment/{code}/test": 130 for code in ("pt", "ru", "tr", "zh")},
    "nli/en/train": 180, "nli/en/validation": 45,
    **{f"nli/{code}/test": 75 for code in ("en", "de", "es", "tr", "zh")},
    "qa/en/train": 104, "qa/en/validation": 24,
    **{f"qa/{code}/test": 32 for code in ("en", "de", "es", "zh")},
}  # fmt: skip
"""Table → number of rows. There are no other tables."""

BALANCE: dict[str, tuple[int, ...]] = {"sentiment": (1, 1), "nli": (1, 1, 1), "qa": (1, 3)}
"""Set → how often its labels occur beside each other in every table."""

DISTINCT: dict[str, dict[tuple[str, ...], str]] = {
    "bitext": {("source_sentence",): "row", ("target_sentence",): "row"},
    "sentiment": {("sentence",): "row"},
    "nli": {("hypothesis",): "row", ("premise",): "split"},
    "qa": {("id",): "row", ("context", "question"): "row", ("context",): "split"},
}
"""Set → columns that are equal in no two rows of a language, or only in rows of one split."""

LENGTHS: dict[str, tuple[tuple[int, int], tuple[int, int]]] = {
    "source_sentence": ((2, 26), (5, 90)), "target_sentence": ((4, 20), (0, 0)),
    "sentence": ((3, 30), (5, 80)),
    "premise": ((8, 45), (10, 80)), "hypothesis": ((3, 25), (5, 45)),
    "context": ((40, 160), (60, 300)), "question": ((3, 25), (5, 50)),
}  # fmt: skip
"""Text column → least and most words; the same in characters where words are not spaced."""

UNSPACED = frozenset(["ja", "th", "zh"])
SCRIPTS: dict[str, str] = {
    "Arab": "ARABIC", "Cyrl": "CYRILLIC", "Grek": "GREEK", "Hans": "CJK", "Kore": "HANGUL",
    "Latn": "LATIN", "Thai": "THAI", "Jpan": "CJK HIRAGANA IDEOGRAPHIC KATAKANA KATAKANA-HIRAGANA",
}  # fmt: skip
"""Script → the first words that the Unicode names of its letters have."""

MARKS: dict[str, str] = {
    "ar": "ة ى", "bg": "ъ щ", "de": "ä ö ü ß", "el": "ς ή", "en": "the and", "es": "ñ ó",
    "fi": "ä ö", "fr": "ê ç", "hu": "ő ű", "id": "yang tidak", "it": "è ò", "ja": "の は",
    "ko": "는 다", "nl": "het een", "pl": "ł ż", "pt": "ã õ", "ru": "ы э", "th": "ไ ่",
    "tr": "ğ ş ı", "vi": "đ ơ", "zh": "的 了",
}  # fmt: skip
"""Language → signs or words that each of its tables has: one swapped for another lacks some."""

ASKS: dict[str, tuple[str, ...]] = {
    "ar": ("؟",), "el": (";", "\u037e"), "ja": ("か。", "？"), "th": (), "zh": ("？",),
}  # fmt: skip
"""Language → how its questions end, where not with `?`; in Thai they have no sign."""

IN_SCRIPT = 0.8
"""Least share of a text's letters in the script of its language; the rest are names and units."""

NEAR = 0.8
"""Texts of two splits are near duplicates when more of the shorter one's words are shared; the
shorter one counts as five words at least, since a few common words soon meet in a long text."""


@dataclass(frozen=True)
class Text:
    """A text, its place, and the language that it should be in."""

    place: str
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.place}, {self.text!r}"


def read_tables(root: Path) -> dict[str, list[Row]]:
    """All tables of a folder, by name."""
    return {
        path.relative_to(root).with_suffix("").as_posix(): [
            json.loads(line) for line in path.read_text(encoding="utf-8").rstrip("\n").split("\n")
        ]
        for path in sorted(root.rglob("*.jsonl"))
    }


def set_of(table: str) -> str:
    """The set of a table: the first part of its name."""
    return table.partition("/")[0]


def language_of(table: str) -> str:
    """The code of a table's language; of a bitext the foreign one."""
    return table.split("/")[1].removesuffix("-en")


def of_sets(tables: Tables, *sets: str) -> dict[str, Sequence[Row]]:
    """The tables of some sets."""
    return {table: rows for table, rows in tables.items() if set_of(table) in sets}


def by_language(tables: Tables) -> Iterator[tuple[str, dict[str, Sequence[Row]]]]:
    """Each set's name with its tables of one language: the splits."""
    groups: dict[tuple[str, str], dict[str, Sequence[Row]]] = defaultdict(dict)
    for table, rows in tables.items():
        groups[set_of(table), language_of(table)][table] = rows
    return ((name, group) for (name, _), group in groups.items())


def placed(tables: Tables) -> Iterator[tuple[str, str, Row]]:
    """Each row with its table's name and its place, counted from 1."""
    for table, rows in tables.items():
        for number, row in enumerate(rows, start=1):
            yield table, f"{table}, row {number}", row


def texts_of(tables: Tables, *columns: str) -> Iterator[Text]:
    """The texts of some columns, where they are; of all text columns if none is named."""
    for table, place, row in placed(tables):
        for column in columns or LENGTHS:
            if column in row:
                language = "en" if column == "target_sentence" else language_of(table)
                yield Text(f"{place}, {column}", language, row[column])


def normal_form(text: str) -> str:
    """NFKC, lower case, letters and digits only."""
    return re.sub(r"[\W_]+", "", unicodedata.normalize("NFKC", text).lower())


def label_of(row: Row) -> int:
    """A row's label; of QA 1 when the question has an answer, else 0."""
    return row["label"] if "label" in row else int(bool(row["answers"]["text"]))


def words_of(text: Text) -> frozenset[str]:
    """Word types in lower case; pairs of neighbouring signs where words are not spaced."""
    if text.language in UNSPACED:
        return frozenset(map("".join, itertools.pairwise(normal_form(text.text))))
    return frozenset(re.findall(r"[\w']+", text.text.lower()))


def check_sizes(tables: Tables) -> list[str]:
    """Every table is there with its number of rows, and there is no other."""
    found = {table: len(rows) for table, rows in tables.items()}
    return [
        f"{table}: {found.get(table, 'no')} rows, expected {SIZES.get(table, 'no such table')}"
        for table in sorted({*found, *SIZES})
        if found.get(table) != SIZES.get(table)
    ]


def check_columns(tables: Tables) -> list[str]:
    """Rows have the columns of their set; languages are named right, `idx` counts from 0."""
    problems = []
    for table, place, row in placed(tables):
        index = int(place.rpartition(" ")[2]) - 1
        languages = (row.get("source_lang"), row.get("target_lang"))
        if tuple(row) != COLUMNS.get(set_of(table)):
            problems.append(f"{place}: columns {', '.join(row)}")
        elif row.get("idx", index) != index:
            problems.append(f"{place}: idx {row['idx']}, expected {index}")
        elif set_of(table) == "bitext" and languages != (language_of(table), "en"):
            problems.append(f"{place}: languages {languages}")
    return problems


def check_balance(tables: Tables) -> list[str]:
    """Labels are equally frequent in each table; a quarter of QA's questions has no answer."""
    problems = []
    for table, rows in of_sets(tables, *BALANCE).items():
        parts = BALANCE[set_of(table)]
        counts = Counter(map(label_of, rows))
        if counts != {label: len(rows) * part / sum(parts) for label, part in enumerate(parts)}:
            problems.append(f"{table}: labels are not balanced: {dict(sorted(counts.items()))}")
    return problems


def check_clean(tables: Tables) -> list[str]:
    """Texts are not empty; they are trimmed, in NFC, of printable signs and single spaces."""
    return [
        f"{text}: empty, untrimmed or unclean"
        for text in texts_of(tables)
        if not normal_form(text.text)
        or text.text != " ".join(unicodedata.normalize("NFC", text.text).split())
        or not text.text.isprintable()
    ]


def check_lengths(tables: Tables) -> list[str]:
    """Texts are neither too short nor too long."""
    problems = []
    for column, bounds in LENGTHS.items():
        for text in texts_of(tables, column):
            unspaced = text.language in UNSPACED
            length = len(text.text) if unspaced else len(text.text.split())
            if not bounds[unspaced][0] <= length <= bounds[unspaced][1]:
                problems.append(f"{text}: {length} {'characters' if unspaced else 'words'}")
    return problems


def check_scripts(tables: Tables) -> list[str]:
    """Texts are in the script of their language, and tables have signs that only it has."""
    problems = []
    for text in texts_of(tables):
        script = "Latn" if text.language == "en" else LANGUAGES[text.language].script
        letters = [unicodedata.name(char).split()[0] for char in text.text if char.isalpha()]
        right = sum(letter in SCRIPTS[script].split() for letter in letters)
        if right < IN_SCRIPT * len(letters):
            problems.append(f"{text}: {right} of {len(letters)} letters are {script}")
    for table, rows in tables.items():
        whole = " ".join(text.text.lower() for text in texts_of({table: rows}))
        marks = MARKS[language_of(table)].split()
        if lacking := [mark for mark in marks if mark not in whole]:
            problems.append(f"{table}: is it {language_of(table)}? It has no {' '.join(lacking)}")
    return problems


def check_distinct(tables: Tables) -> list[str]:
    """Rows of a language differ in all splits; no premise and no paragraph stands in two."""
    problems = []
    for name, group in by_language(tables):
        for columns, unit in DISTINCT[name].items():
            first: dict[tuple[str, ...], str] = {}
            for table, place, row in placed(group):
                form = tuple(normal_form(row[column]) for column in columns)
                owner = table if unit == "split" else place
                if first.setdefault(form, owner) != owner:
                    said = " | ".join(row[column] for column in columns)
                    problems.append(f"{place}, {said!r}: is also in {first[form]}")
    return problems


def check_near(tables: Tables) -> list[str]:
    """No text nearly repeats one of another split of its language."""
    problems = []
    for (_, group), column in itertools.product(by_language(tables), LENGTHS):
        splits = []
        for table, rows in group.items():
            distinct = {text.text: text for text in texts_of({table: rows}, column)}
            splits.append([(text, words_of(text)) for text in distinct.values()])
        for one, other in itertools.combinations(splits, 2):
            problems += [
                f"{a}: nearly {b}"
                for (a, mine), (b, yours) in itertools.product(one, other)
                if len(mine & yours) > NEAR * max(5, min(len(mine), len(yours)))
            ]
    return problems


def check_translations(tables: Tables) -> list[str]:
    """Bitexts have one English side in one order; foreign sides are translated, and ask alike."""
    bitexts, problems = of_sets(tables, "bitext"), []
    model = next(iter(bitexts), "")
    english = [row["target_sentence"] for row in bitexts.get(model, ())]
    owner: dict[str, str] = {}
    for table, rows in bitexts.items():
        if [row["target_sentence"] for row in rows] != english:
            problems.append(f"{table}: its English side is not that of {model}")
        asks = ASKS.get(language_of(table), ("?",))
        for _, place, row in placed({table: rows}):
            foreign, meant = row["source_sentence"], row["target_sentence"]
            if normal_form(foreign) == normal_form(meant):
                problems.append(f"{place}: {foreign!r} is not translated")
            elif owner.setdefault(normal_form(foreign), table) != table:
                problems.append(f"{place}: {foreign!r} is also in {owner[normal_form(foreign)]}")
            if asks and foreign.endswith(asks) != meant.endswith("?"):
                problems.append(f"{place}: one of {foreign!r} and {meant!r} is no question")
    return problems


def check_parallel(tables: Tables) -> list[str]:
    """Tests of NLI and QA ask the same in every language: one order of labels and ids."""
    asked = {
        table: [(label_of(row), row.get("id")) for row in rows]
        for table, rows in of_sets(tables, "nli", "qa").items()
        if table.endswith("/test")
    }
    return [
        f"{table}: its labels or ids are not, row by row, those of the English test"
        for table, found in asked.items()
        if found != asked.get(f"{set_of(table)}/en/test")
    ]


def check_answers(tables: Tables) -> list[str]:
    """Answers of QA stand in the paragraph exactly where they are said to."""
    problems = []
    for _, place, row in placed(of_sets(tables, "qa")):
        texts, starts = row["answers"]["text"], row["answers"]["answer_start"]
        if len(texts) != len(starts):
            problems.append(f"{place}: {len(texts)} answers, {len(starts)} starts")
        for text, start in zip(texts, starts, strict=False):
            found = row["context"][max(start, 0) : start + len(text)]
            if not text or text != text.strip() or found != text:
                problems.append(f"{place}: {text!r} is not at {start}: {found!r}")
    return problems


CHECKS: tuple[Callable[[Tables], list[str]], ...] = (
    *(check_sizes, check_columns, check_balance, check_clean, check_lengths, check_scripts),
    *(check_distinct, check_near, check_translations, check_parallel, check_answers),
)
"""The checks that need nothing but the tables."""


def check_unknown(tables: Tables, known: Iterable[tuple[str, str]]) -> list[str]:
    """No sentence of bitext and sentiment is equal to a known text, given as (source, text)."""
    texts = texts_of(of_sets(tables, "bitext", "sentiment"))
    ours = {normal_form(text.text): text for text in texts}
    count, met = 0, set()
    for source, text in known:
        count += 1
        if (form := normal_form(text)) in ours:
            met.add((form, source))
    nothing = [] if count else ["no known texts were found to compare with"]
    return nothing + [f"{ours[form]}: is also in {source}" for form, source in sorted(met)]


def read_mirror(mirror: Path) -> Iterator[tuple[str, str]]:
    """Yields (file, text) of Tatoeba, both sides, and of three English sentiment benchmarks."""
    columns = ("source_sentence", "target_sentence", "sentence", "text")
    for folder in ("tatoeba", "sst2", "sst5", "rotten_tomatoes"):
        for path in sorted((mirror / folder).glob("*.jsonl.gz")):
            with gzip.open(path, "rt", encoding="utf-8") as file:
                for row in map(json.loads, file):
                    yield from ((f"{folder}/{path.name}", row[c]) for c in columns if c in row)


def read_examples(path: Path) -> Iterator[tuple[str, str]]:
    """Yields (source, text) of all that the pocket encoder was trained on: WORK/examples.tsv."""
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            _, source, _, text = line.rstrip("\n").split("\t", 3)
            yield source, text


@click.command()
@click.option("--mirror", type=click.Path(path_type=Path, exists=True), help="A data mirror.")
@click.option("--examples", type=click.Path(path_type=Path, exists=True), help="WORK/examples.tsv.")
def main(mirror: Path | None, examples: Path | None) -> None:
    """Checks the bundled pocket data, also against a mirror and the encoder's texts, if named."""
    tables = read_tables(BUNDLED)
    checks = CHECKS[:2] if check_columns(tables) else CHECKS  # the others need the columns
    problems = [problem for check in checks for problem in check(tables)]
    if mirror is not None:
        problems += check_unknown(tables, read_mirror(mirror))
    if examples is not None:
        problems += check_unknown(tables, read_examples(examples))
    for problem in problems:
        click.echo(problem)
    click.echo(f"{sum(map(len, tables.values()))} rows, {len(problems)} problems", err=True)
    raise SystemExit(1 if problems else 0)


if __name__ == "__main__":
    main()
