"""Two lists of sentences and the pairs among them that are translations, made from rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adaptstilts.data.classification import require_text
from adaptstilts.data.rows import Rows, place, require_columns
from adaptstilts.errors import DataError

ID_COLUMN = "id"
TEXT_COLUMN = "text"
GOLD_COLUMNS = ("source_id", "target_id")


@dataclass(frozen=True)
class MiningSet:
    """Comparable corpora with their gold pairs.

    Attributes:
        name: Which set it is, such as `bucc2018/zh-en/dev`: a threshold remembers it.
        language: Code of the foreign language.
        foreign: Sentences in that language; a text may occur more than once.
        english: English sentences.
        gold: Rows of `foreign` and of `english` that are translations, shape [g, 2].
    """

    name: str
    language: str
    foreign: list[str]
    english: list[str]
    gold: NDArray[np.int64]


def mining_set(foreign: Rows, english: Rows, gold: Rows, *, name: str, language: str) -> MiningSet:
    """Read rows as comparable corpora.

    Args:
        foreign: Rows with the columns `id` and `text`.
        english: The same, in English.
        gold: Rows with the columns `source_id` (foreign) and `target_id` (English).
        name: Which set it is, such as `bucc2018/zh-en/dev`.
        language: Code of the foreign language.

    Returns:
        The sentences without surrounding white space, in the rows' order.

    Raises:
        DataError: A side or the gold has no rows, a cell is missing or empty, an identifier stands
            twice on a side, or a gold pair names one that is not there; tells file and row.
    """
    require_columns(gold.columns, GOLD_COLUMNS, gold.provenance.location)
    foreign_texts, foreign_rows = _sentences(foreign)
    english_texts, english_rows = _sentences(english)
    pairs = []
    sides = (foreign_rows, foreign), (english_rows, english)
    for index in range(len(gold)):
        where = place(gold.provenance, index)
        pair = []
        for column, (rows, table) in zip(GOLD_COLUMNS, sides, strict=True):
            identifier = require_text(gold.columns[column][index], column, where)
            if identifier not in rows:
                raise DataError(
                    f"{where}: {column} {identifier!r} is no sentence of "
                    f"{table.provenance.location}. The three files must be of one set: fetch them "
                    "again together."
                )
            pair.append(rows[identifier])
        pairs.append(pair)
    if not pairs:
        raise DataError(
            f"{gold.provenance.location} has no gold pairs, so nothing can be scored; fetch it "
            "again, or leave the language out."
        )
    return MiningSet(name, language, foreign_texts, english_texts, np.array(pairs, dtype=np.int64))


def _sentences(rows: Rows) -> tuple[list[str], dict[str, int]]:
    """The texts of a side and the row of each identifier."""
    require_columns(rows.columns, (ID_COLUMN, TEXT_COLUMN), rows.provenance.location)
    texts: list[str] = []
    found: dict[str, int] = {}
    for index in range(len(rows)):
        where = place(rows.provenance, index)
        identifier = require_text(rows.columns[ID_COLUMN][index], ID_COLUMN, where)
        if found.setdefault(identifier, index) != index:
            raise DataError(
                f"{where}: `{ID_COLUMN}` {identifier!r} stands in row {found[identifier] + 1} too, "
                "so gold pairs that name it are ambiguous. Fetch the file again."
            )
        texts.append(require_text(rows.columns[TEXT_COLUMN][index], TEXT_COLUMN, where))
    if not texts:
        raise DataError(
            f"{rows.provenance.location} has no rows; fetch it again, or leave the language out."
        )
    return texts, found
