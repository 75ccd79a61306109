"""Aligned sentences of one language and English, made from rows; not how they are scored."""

from __future__ import annotations

from dataclasses import dataclass

from adaptstilts.data.classification import require_text
from adaptstilts.data.rows import Rows, place, require_columns
from adaptstilts.errors import DataError

FOREIGN_COLUMN = "source_sentence"
ENGLISH_COLUMN = "target_sentence"


@dataclass(frozen=True)
class Bitext:
    """Sentences and their English translations.

    Attributes:
        language: Code of the foreign language.
        foreign: Sentences in that language.
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
        rows: Rows with the columns `source_sentence` (foreign) and `target_sentence` (English).
        language: Code of the foreign language.

    Returns:
        The pairs in the rows' order, without surrounding white space (the hub's copy of Tatoeba
        keeps a line end after every sentence).

    Raises:
        DataError: There are no rows, the sides are of unequal length, or a sentence is missing,
            empty or no text; names language, file and row.
    """
    where = f"{rows.provenance.location} ({language}–en)"
    require_columns(rows.columns, (FOREIGN_COLUMN, ENGLISH_COLUMN), where)
    foreign, english = rows.columns[FOREIGN_COLUMN], rows.columns[ENGLISH_COLUMN]
    if len(foreign) != len(english):
        raise DataError(
            f"{where}: {len(foreign)} {language} sentences but {len(english)} English ones; both "
            "sides must have one a row. Fetch the table again."
        )
    if not foreign:
        raise DataError(f"{where} has no rows; fetch it again, or leave the language out.")
    return Bitext(
        language,
        [
            require_text(cell, FOREIGN_COLUMN, place(rows.provenance, index))
            for index, cell in enumerate(foreign)
        ],
        [
            require_text(cell, ENGLISH_COLUMN, place(rows.provenance, index))
            for index, cell in enumerate(english)
        ],
    )
