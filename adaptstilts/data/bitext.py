"""Aligned sentences of one language and English, made from rows; not how they are scored."""

from __future__ import annotations

from dataclasses import dataclass

from adaptstilts.data.classification import require_text
from adaptstilts.data.rows import Rows, place
from adaptstilts.errors import DataError


@dataclass(frozen=True)
class Bitext:
    """Sentences and their translations, in English nearly always.

    Attributes:
        language: Code of the foreign language; both codes of a pair without English (`fr-es`).
        foreign: Sentences in that language; of a pair without English those of the first.
        english: Their translations; `english[i]` translates `foreign[i]`.
    """

    language: str
    foreign: list[str]
    english: list[str]

    def __len__(self) -> int:
        return len(self.foreign)


def bitext(rows: Rows, language: str) -> Bitext:
    """Read rows as aligned sentences.

    Args:
        rows: Rows with two columns: the foreign side first, then English.
        language: Code of the foreign language, or both codes of a pair without English.

    Returns:
        The pairs in the rows' order, without surrounding white space (the hub's copy of Tatoeba
        keeps a line end after every sentence).

    Raises:
        DataError: There are no rows, the sides are of unequal length, or a sentence is missing,
            empty or no text; names language, file and row.
    """
    pair = language if "-" in language else f"{language}-en"
    where = f"{rows.provenance.location} ({pair.replace('-', '–')})"
    if len(rows.columns) != 2:
        raise DataError(f"{where}: {len(rows.columns)} columns; a bitext has two.")
    (first, foreign), (second, english) = rows.columns.items()
    if len(foreign) != len(english):
        raise DataError(
            f"{where}: {len(foreign)} sentences in `{first}` but {len(english)} in `{second}`; "
            "both sides must have one a row. Fetch the table again."
        )
    if not foreign:
        raise DataError(f"{where} has no rows; fetch it again, or leave the language out.")
    return Bitext(
        language,
        [
            require_text(cell, first, place(rows.provenance, index))
            for index, cell in enumerate(foreign)
        ],
        [
            require_text(cell, second, place(rows.provenance, index))
            for index, cell in enumerate(english)
        ],
    )
