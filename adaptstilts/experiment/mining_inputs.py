"""The sentences of comparable corpora, tokenised, for the stages that mine them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from adaptstilts.data.mining_set import MiningSet, mining_set
from adaptstilts.data.tokens import tokenize
from adaptstilts.experiment.stage import Mine, Split


@dataclass(frozen=True)
class SetTokens:
    """One set with its distinct sentences tokenised.

    Attributes:
        corpora: The sentences and the gold pairs.
        token_ids: Ids of each distinct sentence of both sides.
        foreign: The distinct sentence of each foreign one.
        english: The distinct sentence of each English one.
    """

    corpora: MiningSet
    token_ids: list[list[int]]
    foreign: list[int]
    english: list[int]


@dataclass(frozen=True)
class MiningTokens:
    """All sets of a stage, by language and split, and where their rows came from."""

    sets: dict[tuple[str, Split], SetTokens]
    data: list[dict[str, Any]]


def mining_tokens(stage: Mine, tokenizer: Any, *, longest: int) -> MiningTokens:
    """Reads and tokenises what a stage mines.

    Args:
        stage: The stage.
        tokenizer: The base's tokenizer.
        longest: Most tokens of a sentence that the base takes.

    Raises:
        DataError: A table is broken, or the tables do not belong together.
    """
    sets: dict[tuple[str, Split], SetTokens] = {}
    data = []
    limit = min(stage.protocol.max_length, longest)
    for language, splits in stage.corpora.items():
        for split, one in splits.items():
            tables = [located.source.read(located.table) for located in one.tables]
            data += [asdict(rows.provenance) for rows in tables]
            corpora = mining_set(*tables, name=one.name, language=language)
            numbers: dict[str, int] = {}
            foreign, english = (
                [numbers.setdefault(text, len(numbers)) for text in side]
                for side in (corpora.foreign, corpora.english)
            )
            ids = tokenize(tokenizer, list(numbers), max_length=limit)
            sets[language, split] = SetTokens(corpora, ids, foreign, english)
    return MiningTokens(sets, data)
