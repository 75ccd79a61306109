"""The text that the pocket encoder learns from: languages, sources, licences and readers."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

LANGUAGES: dict[str, str] = {
    "de": "deu", "es": "spa", "fr": "fra", "it": "ita", "pt": "por", "nl": "nld", "pl": "pol",
    "ru": "rus", "tr": "tur", "ar": "ara", "ja": "jpn", "ko": "kor", "zh": "cmn", "th": "tha",
    "id": "ind", "vi": "vie", "bg": "bul", "fi": "fin", "hu": "hun", "el": "ell",
}  # fmt: skip
"""ISO 639-1 code → the ISO 639-3 code that Tatoeba's files are named by. English comes on top."""

TEACHER_LANGUAGES = frozenset(
    ["ar", "de", "en", "es", "fr", "id", "it", "ja", "ko", "nl", "pl", "pt", "ru", "th", "tr", "zh"]
)
"""Languages that the teacher itself reads; in these, text without a translation teaches too.

Indonesian is not among those that its authors name, but it finds 98.9 % of the bundled bitext."""

SOURCES: dict[str, str] = {
    "tatoeba_anki": "Tatoeba sentence pairs by way of manythings.org/anki (CC BY 2.0 FR)",
    "common_voice": "Mozilla Common Voice prompts (CC0)",
    "libreoffice_help": "LibreOffice 7.4 help pages (MPL-2.0)",
    "wesnoth": "Battle for Wesnoth 1.16 message catalogues (GPL-2.0-or-later)",
    "wikipedia_panx_train": "Wikipedia, PAN-X train split, tags dropped (CC BY-SA)",
    "wisesight_train": "Wisesight sentiment, train split (CC0)",
    "gnome_user_docs": "GNOME user documentation 43 (CC BY-SA 3.0)",
    "wikipedia_tydiqa_train": "Wikipedia, TyDi QA train contexts (CC BY-SA)",
    "ud_dev_train": "Universal Dependencies treebanks, train and dev (CC BY-SA 4.0)",
    "wordfreq": "wordfreq 3.1, each language's most frequent words (CC BY-SA 4.0)",
}
"""Source → what it is and its licence."""

HELD_OUT = "ntrex"
"""A source that no step learns from: about 1,990 news sentences in each language, translated from
the same English ones (NTREX-128, CC BY-SA 4.0). On it the layer is chosen and the masked LM scored.
"""


def read_lines(path: Path) -> Iterator[str]:
    """Yields a gzipped text file's lines, without their ends; nothing where there is no file."""
    if path.exists():
        with gzip.open(path, "rt", encoding="utf-8", newline="\n") as file:
            for line in file:
                yield line.rstrip("\r\n")


def read_monolingual(data: Path, language: str) -> Iterator[tuple[str, str]]:
    """Yields (source, line) of one language from `mono/<source>/<language>.txt.gz`."""
    for source in SOURCES:
        for line in read_lines(data / "mono" / source / f"{language}.txt.gz"):
            if text := line.strip():
                yield source, text


def read_parallel(data: Path, language: str) -> Iterator[tuple[str, str, str]]:
    """Yields (source, English, foreign) from `parallel/<source>/en-<language>.tsv.gz`."""
    for source in SOURCES:
        for line in read_lines(data / "parallel" / source / f"en-{language}.tsv.gz"):
            english, _, foreign = line.partition("\t")
            if english.strip() and foreign.strip():
                yield source, english.strip(), foreign.strip()


def read_words(language: str, count: int) -> list[str]:
    """A language's most frequent words by wordfreq; none where it has no list (Thai)."""
    import wordfreq

    if language not in wordfreq.available_languages("small"):
        return []
    words: list[str] = wordfreq.top_n_list(language, count)
    return words


def read_held_out(data: Path, language: str) -> tuple[list[str], list[str]]:
    """A language's held-out sentences and their English originals."""
    lines = list(read_lines(data / "parallel" / HELD_OUT / f"en-{language}.tsv.gz"))
    pairs = [line.split("\t", 1) for line in lines]
    return [foreign for _, foreign in pairs], [english for english, _ in pairs]
