"""Gathers what is learned: texts, each with an *anchor*, the text whose teacher vector is its goal.

A translation's anchor is its English side; an English text, and a text in a language that the
teacher reads, is its own anchor.
"""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click

from adaptstilts.record.files import write_text
from pocket.corpus import (
    LANGUAGES,
    TEACHER_LANGUAGES,
    read_monolingual,
    read_parallel,
    read_words,
)

PAIR_CAPS: dict[str, int] = {
    "tatoeba_anki": 80_000,
    "libreoffice_help": 20_000,
    "wesnoth": 17_000,
    "gnome_user_docs": 2_400,
}
"""Most pairs of one language that are taken from one source."""

OWN_SOURCES = ("common_voice", "wikipedia_panx_train", "wisesight_train", "ud_dev_train")
"""Sources of text that is its own anchor, as it stands; spans are cut from every source."""

DENSE_SCRIPTS = frozenset({"ja", "zh", "ko", "th"})
UNSPACED = frozenset({"ja", "zh", "th"})
SENTENCE_END = re.compile(r"(?<=[.!?…。！？])\s*")
CLAUSE_END = re.compile(r"[,;:()，、；：「」（）《》\s]+")
LONGEST_SPAN = 8
"""Most words of a span."""

LONGEST = 120
"""Most characters of a text; half of that in the dense scripts."""

WANTED = 140_000
"""About how many texts a language that the teacher reads should have."""

WORDS = 15_000
"""How many of its most frequent words a language that the teacher reads gets, each its own anchor:
the bitext of half of the languages is technical, and lacks the words of everyday."""


@dataclass
class Examples:
    """Texts with their anchors.

    Attributes:
        anchors: (language, text), each text once.
        rows: (language, source, index of the anchor, text).
    """

    anchors: list[tuple[str, str]] = field(default_factory=list)
    rows: list[tuple[str, str, int, str]] = field(default_factory=list)
    _index: dict[str, int] = field(default_factory=dict)

    def add(self, language: str, source: str, text: str, anchor: str, spoken: str = "en") -> None:
        """Adds a text; a new anchor (in the language `spoken`) also becomes a text of its own."""
        index = self._index.get(anchor)
        if index is None:
            index = self._index[anchor] = len(self.anchors)
            self.anchors.append((spoken, anchor))
            self.rows.append((spoken, source, index, anchor))
        if text != anchor:
            self.rows.append((language, source, index, text))

    def write(self, work: Path) -> None:
        """Writes `anchors.tsv` and `examples.tsv`."""
        anchors = (f"{language}\t{text}\n" for language, text in self.anchors)
        write_text(work / "anchors.tsv", "".join(anchors))
        rows = ("\t".join(map(str, row)) + "\n" for row in self.rows)
        write_text(work / "examples.tsv", "".join(rows))


def usable(text: str, language: str) -> bool:
    """Whether a text is short enough, and no mere number or symbol."""
    limit = LONGEST // 2 if language in DENSE_SCRIPTS else LONGEST
    return 2 <= len(text) <= limit and any(char.isalpha() for char in text) and "\t" not in text


def take_pairs(data: Path, language: str, seed: int) -> list[tuple[str, str, str]]:
    """Draws a language's (source, English, foreign), at most the cap of each source."""
    by_source: dict[str, list[tuple[str, str, str]]] = {}
    for source, english, foreign in read_parallel(data, language):
        if usable(english, "en") and usable(foreign, language):
            by_source.setdefault(source, []).append((source, english, foreign))
    rng = random.Random(f"{seed}:{language}:pairs")
    drawn: list[tuple[str, str, str]] = []
    for source, pairs in by_source.items():
        drawn += rng.sample(pairs, min(len(pairs), PAIR_CAPS.get(source, 0)))
    return drawn


def span_of(text: str, language: str, rng: random.Random) -> str:
    """Cuts a sentence, and half of the time a few words (a clause where none are spaced), out.

    Args:
        text: A line, of any length.
        language: Its ISO 639-1 code.
        rng: Decides what is cut out.

    Returns:
        The span, trimmed; it may be empty.
    """
    sentence = rng.choice([part for part in SENTENCE_END.split(text) if part] or [""])
    if rng.random() < 0.5:
        return sentence.strip()
    if language in UNSPACED:
        return rng.choice(CLAUSE_END.split(sentence)).strip()
    words = sentence.split()
    size = rng.randint(1, LONGEST_SPAN)
    start = rng.randint(0, max(0, len(words) - size))
    return " ".join(words[start : start + size]).strip(' ,;:()"')


def take_own(data: Path, language: str, want: int, seed: int) -> list[tuple[str, str]]:
    """Draws a language's (source, text) that are their own anchors: whole texts, then spans.

    Args:
        data: The pretraining folder.
        language: ISO 639-1 code.
        want: How many to draw, where there are so many.
        seed: Decides the draw.

    Returns:
        At most a half of whole texts, and spans of any text.
    """
    rng = random.Random(f"{seed}:{language}:own")
    lines = list(read_monolingual(data, language))
    whole = [
        (source, text) for source, text in lines if source in OWN_SOURCES and usable(text, language)
    ]
    drawn = rng.sample(whole, min(len(whole), want // 2))
    met = {text for _, text in drawn}
    for _ in range(3 * want):
        if len(drawn) >= want or not lines:
            break
        source, text = rng.choice(lines)
        span = span_of(text, language, rng)
        if span not in met and usable(span, language):
            met.add(span)
            drawn.append((source, span))
    return drawn


def gather(
    data: Path, languages: list[str], seed: int, words: Mapping[str, list[str]] | None = None
) -> Examples:
    """Gathers every language's examples.

    A language that the teacher reads gets `WANTED` texts: those that its pairs leave missing are
    taken from text without a translation, and at least a fifth.

    Args:
        data: The pretraining folder.
        languages: ISO 639-1 codes without English.
        seed: Decides the draw.
        words: Language → words that are their own anchors.

    Returns:
        The examples.
    """
    examples = Examples()
    for language in languages:
        pairs = take_pairs(data, language, seed)
        for source, english, foreign in pairs:
            examples.add(language, source, foreign, english)
        if language in TEACHER_LANGUAGES:
            want = max(WANTED // 5, WANTED - len(pairs))
            for source, text in take_own(data, language, want, seed):
                examples.add(language, source, text, text, spoken=language)
    for source, text in take_own(data, "en", WANTED, seed):
        examples.add("en", source, text, text)
    for language, known in (words or {}).items():
        for word in known:
            if usable(word, language):
                examples.add(language, "wordfreq", word, word, spoken=language)
    return examples


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--work", type=click.Path(path_type=Path), required=True)
@click.option("--seed", default=1, show_default=True)
def main(data: Path, work: Path, seed: int) -> None:
    """Draws the examples and writes them to WORK/anchors.tsv and WORK/examples.tsv."""
    if (work / "examples.tsv").exists():
        click.echo("pairs: there already")
        return
    words = {language: read_words(language, WORDS) for language in sorted(TEACHER_LANGUAGES)}
    examples = gather(data, list(LANGUAGES), seed, words)
    examples.write(work)
    counts: dict[str, int] = {}
    for language, *_ in examples.rows:
        counts[language] = counts.get(language, 0) + 1
    click.echo(f"pairs: {len(examples.rows)} texts, {len(examples.anchors)} anchors, {counts}")


if __name__ == "__main__":
    main()
