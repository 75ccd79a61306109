"""A work folder of the pocket encoder's making, on sentences of a few words."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer

from pocket.batches import Tokens, tokenize
from pocket.pairs import Examples
from pocket.train import Settings
from pocket.vocabulary import build_tokenizer, train_pieces, write_tokenizer

WORDS = [
    *("the", "cat", "sees", "a", "small", "red", "house"),
    *("near", "green", "water", "and", "old", "trees"),
]
FOREIGN = [
    *("die", "Katze", "sieht", "ein", "kleines", "rotes", "Haus"),
    *("neben", "grünem", "Wasser", "und", "alte", "Bäume"),
]
SETTINGS = Settings(steps=4, budget=256)


def write(examples: Examples, folder: Path) -> None:
    """Writes examples and a tokenizer of their text."""
    examples.write(folder)
    lines = [row[3] for row in examples.rows] * 5
    write_tokenizer(build_tokenizer(*train_pieces(lines, 60, 1)), folder / "tokenizer")


def unit_vectors(count: int, seed: int) -> torch.Tensor:
    vectors = torch.randn(count, 128, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.normalize(vectors, dim=1)


def inputs(work: Path) -> tuple[Tokens, torch.Tensor, torch.Tensor]:
    """A work folder's examples, with made-up teacher vectors of the anchors and the pieces."""
    tokens = tokenize(work)
    pieces = Tokenizer.from_file(str(work / "tokenizer" / "tokenizer.json")).get_vocab_size()
    return tokens, unit_vectors(int(tokens.anchors.max()) + 1, 0), unit_vectors(pieces, 1)
