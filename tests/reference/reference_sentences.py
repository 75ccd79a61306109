"""Sentences, their vectors and what our search finds: what the tests of conformance compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from adaptstilts.alignment.corpus import corpus
from adaptstilts.alignment.encode import encode
from adaptstilts.alignment.retrieval import Retrieval, retrieve
from adaptstilts.base.load import Base
from adaptstilts.data.bitext import Bitext, bitext
from adaptstilts.data.source import Source
from adaptstilts.task.target.tatoeba import TATOEBA

LAYERS = (4, 6)
"""Of the pocket encoder: the layer that its card names, and the last."""


@dataclass(frozen=True)
class Sentences:
    """Bitexts and what our code makes of them.

    Attributes:
        bitexts: By language.
        vectors: By language the foreign and the English side, shape [layers, items, width] each.
        found: By language what our search found.
    """

    bitexts: dict[str, Bitext]
    vectors: dict[str, tuple[NDArray[np.float32], NDArray[np.float32]]]
    found: dict[str, Retrieval]


def encoded(base: Base, source: Source, languages: Sequence[str]) -> Sentences:
    """Encodes languages by the same steps as an `align` stage."""
    bitexts = [bitext(source.read(TATOEBA.tables[code]), code) for code in languages]
    gathered = corpus(bitexts, base.tokenizer, max_length=base.shape.positions - 2)
    shape = (len(LAYERS), len(gathered.token_ids), base.shape.width)
    vectors = np.zeros(shape, dtype=np.float32)
    for _ in encode(base, gathered.token_ids, layers=LAYERS, vectors=vectors):
        pass
    return Sentences(
        {text.language: text for text in bitexts},
        {
            code: (vectors[:, gathered.foreign[code]], vectors[:, gathered.english[code]])
            for code in languages
        },
        {
            code: retrieve(
                vectors,
                language=code,
                layers=LAYERS,
                foreign=gathered.foreign[code],
                english=gathered.english[code],
            )
            for code in languages
        },
    )
