"""Token ids of the examples, and batches of like length drawn from them.

The draw is a pure function of the seed and the block's number, so that a run that is resumed sees
the batches that it would have seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

PAD, BLOCK = 1, 32
"""The padding id, and how many batches are drawn, sorted by length and shuffled at once."""


@dataclass
class Tokens:
    """The examples as ids, end to end.

    Attributes:
        ids: All ids, special tokens included.
        offsets: Where each example starts, and the end of the last.
        anchors: Each example's anchor.
        languages: Each example's language, as an index into `names`.
        names: The languages' codes.
    """

    ids: NDArray[np.int32]
    offsets: NDArray[np.int64]
    anchors: NDArray[np.int64]
    languages: NDArray[np.int64]
    names: list[str]

    @property
    def lengths(self) -> NDArray[np.int64]:
        """Each example's number of ids."""
        return np.diff(self.offsets)


def tokenize(work: Path, longest: int) -> Tokens:
    """Tokenizes WORK/examples.tsv, or reads what an earlier call left in WORK/tokens.npz."""
    path = work / "tokens.npz"
    if not path.exists():
        tokenizer = Tokenizer.from_file(str(work / "tokenizer" / "tokenizer.json"))
        tokenizer.enable_truncation(longest)
        lines = (work / "examples.tsv").read_text(encoding="utf-8").split("\n")[:-1]
        rows = [line.split("\t", 3) for line in lines]
        ids: list[NDArray[np.int32]] = []
        for start in range(0, len(rows), 20_000):
            texts = [row[3] for row in rows[start : start + 20_000]]
            found = tokenizer.encode_batch_fast(texts)
            ids += [np.asarray(encoding.ids, dtype=np.int32) for encoding in found]
        names = sorted({row[0] for row in rows})
        number = {name: index for index, name in enumerate(names)}
        partial = path.with_suffix(".partial.npz")
        np.savez(
            partial,
            ids=np.concatenate(ids),
            offsets=np.cumsum([0] + [len(one) for one in ids]),
            anchors=np.array([int(row[2]) for row in rows]),
            languages=np.array([number[row[0]] for row in rows]),
            names=np.array(names),
        )
        partial.replace(path)
    with np.load(path) as data:
        return Tokens(
            data["ids"], data["offsets"], data["anchors"], data["languages"], list(data["names"])
        )


def language_shares(tokens: Tokens, power: float, english: float) -> NDArray[np.float64]:
    """Each language's share of the draws: count to a power; English has a share set apart."""
    counts = np.bincount(tokens.languages, minlength=len(tokens.names)).astype(np.float64)
    shares = counts**power
    if "en" in tokens.names and len(tokens.names) > 1:
        place = tokens.names.index("en")
        shares[place] = 0.0
        shares *= (1 - english) / shares.sum()
        shares[place] = english
    return np.asarray(shares / shares.sum(), dtype=np.float64)


def draw_block(
    tokens: Tokens, shares: NDArray[np.float64], budget: int, seed: int, block: int
) -> list[NDArray[np.int64]]:
    """Draws one block of batches.

    Args:
        tokens: The examples.
        shares: Each language's share.
        budget: Most ids in a batch, padding counted.
        seed: The run's seed.
        block: The block's number.

    Returns:
        The batches, each an array of example indices.
    """
    rng = np.random.default_rng([seed, block])
    lengths = tokens.lengths
    count = max(2, int(BLOCK * budget / lengths.mean()))
    members = [np.flatnonzero(tokens.languages == place) for place in range(len(tokens.names))]
    takes = rng.multinomial(count, shares)
    drawn = np.concatenate(
        [rng.choice(found, size=take) for found, take in zip(members, takes, strict=True) if take]
    )
    drawn = drawn[np.argsort(lengths[drawn] + rng.random(len(drawn)), kind="stable")]
    batches, start = [], 0
    for end in range(1, len(drawn) + 1):
        last = end == len(drawn)
        if last or (end + 1 - start) * int(lengths[drawn[end]]) > budget:
            batches.append(rng.permutation(drawn[start:end]))
            start = end
    return [batches[i] for i in rng.permutation(len(batches)) if len(batches[i]) > 1]


def stream(
    tokens: Tokens, shares: NDArray[np.float64], budget: int, seed: int, place: tuple[int, int]
) -> Iterator[tuple[tuple[int, int], NDArray[np.int64]]]:
    """Yields batches for ever from a place (block, batch), each with the place that follows it."""
    block, skip = place
    while True:
        batches = draw_block(tokens, shares, budget, seed, block)
        for index in range(skip, len(batches)):
            yield (block, index + 1), batches[index]
        block, skip = block + 1, 0


def padded(tokens: Tokens, batch: NDArray[np.int64]) -> torch.Tensor:
    """The ids of a batch [batch, length], padded on the right."""
    lengths = tokens.lengths[batch]
    ids = np.full((len(batch), int(lengths.max())), PAD, dtype=np.int64)
    for row, (index, length) in enumerate(zip(batch, lengths, strict=True)):
        start = tokens.offsets[index]
        ids[row, :length] = tokens.ids[start : start + length]
    return torch.from_numpy(ids)
