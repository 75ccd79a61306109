"""Token ids of the examples, and batches of like length drawn from them.

The draw is a pure function of the seed and the block's number, so that a run that is resumed sees
the batches that it would have seen.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer

from adaptstilts.record.files import replacing

PAD, BLOCK = 1, 32
"""The padding id, and how many batches are drawn, sorted by length and shuffled at once."""

LONGEST = 64
"""Most ids of a text."""

OWN_WEIGHT = 0.35
"""How often a foreign text that is its own anchor is drawn, against once for a translation."""

SOURCE_WEIGHTS = {"libreoffice_help": 0.3, "gnome_user_docs": 0.3, "wordfreq": 4.0}
"""How often a technical text, and a single word, is drawn, against once for another text."""


@dataclass(frozen=True)
class Labels:
    """What is known of the examples without their text.

    Attributes:
        anchors: Each example's anchor.
        is_own: Whether the example is the anchor's own text.
        languages: Each example's language, as an index into `names`.
        names: The languages' codes.
        origins: Each example's source, as an index into `sources`.
        sources: The sources' names.
    """

    anchors: NDArray[np.int64]
    is_own: NDArray[np.bool_]
    languages: NDArray[np.int64]
    names: list[str]
    origins: NDArray[np.int64]
    sources: list[str]


@dataclass(frozen=True)
class Tokens(Labels):
    """The examples as ids, end to end.

    Attributes:
        ids: All ids, special tokens included.
        starts: Where each example starts in them.
        lengths: Each example's number of ids.
    """

    ids: NDArray[np.int32]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def of(self, example: int) -> NDArray[np.int32]:
        """One example's ids."""
        start = self.starts[example]
        return self.ids[start : start + self.lengths[example]]


def leave_out(tokens: Tokens, sources: Collection[str]) -> Tokens:
    """The examples without those of some sources."""
    if unknown := set(sources) - set(tokens.sources):
        raise ValueError(f"no example is from {sorted(unknown)}, only from {tokens.sources}")
    dropped = [tokens.sources.index(source) for source in sources]
    kept = ~np.isin(tokens.origins, dropped)
    lengths = tokens.lengths[kept]
    return replace(
        tokens,
        ids=tokens.ids[np.repeat(kept, tokens.lengths)],
        starts=np.cumsum(lengths) - lengths,
        lengths=lengths,
        anchors=tokens.anchors[kept],
        is_own=tokens.is_own[kept],
        languages=tokens.languages[kept],
        origins=tokens.origins[kept],
    )


def _numbered(values: list[str]) -> tuple[NDArray[np.int64], list[str]]:
    """Values as indices into their sorted set."""
    names = sorted(set(values))
    number = {name: index for index, name in enumerate(names)}
    return np.array([number[value] for value in values], dtype=np.int64), names


def read_examples(work: Path) -> tuple[Labels, list[str]]:
    """Reads WORK/examples.tsv: the examples' labels and texts."""
    lines = (work / "examples.tsv").read_text(encoding="utf-8").split("\n")[:-1]
    rows = [line.split("\t", 3) for line in lines]
    languages, names = _numbered([row[0] for row in rows])
    origins, sources = _numbered([row[1] for row in rows])
    anchors = np.array([int(row[2]) for row in rows])
    is_own = np.zeros(len(rows), dtype=bool)
    is_own[np.unique(anchors, return_index=True)[1]] = True  # its own text comes first
    labels = Labels(anchors, is_own, languages, names, origins, sources)
    return labels, [row[3] for row in rows]


def tokenize(work: Path) -> Tokens:
    """Tokenizes WORK/examples.tsv, or reads what an earlier call left in WORK/tokens.npz."""
    path = work / "tokens.npz"
    if not path.exists():
        tokenizer = Tokenizer.from_file(str(work / "tokenizer" / "tokenizer.json"))
        tokenizer.enable_truncation(LONGEST)
        labels, texts = read_examples(work)
        ids: list[NDArray[np.int32]] = []
        for start in range(0, len(texts), 20_000):
            found = tokenizer.encode_batch_fast(texts[start : start + 20_000])
            ids += [np.asarray(encoding.ids, dtype=np.int32) for encoding in found]
        lengths = np.array([len(one) for one in ids], dtype=np.int64)
        tokens = Tokens(
            **{field.name: getattr(labels, field.name) for field in fields(labels)},
            ids=np.concatenate(ids),
            starts=np.cumsum(lengths) - lengths,
            lengths=lengths,
        )
        with replacing(path) as partial, partial.open("wb") as file:
            np.savez(file, **{field.name: getattr(tokens, field.name) for field in fields(tokens)})
    with np.load(path) as data:
        stored: dict[str, Any] = {name: data[name] for name in data.files}
    stored |= {name: stored[name].tolist() for name in ("names", "sources")}
    return Tokens(**stored)


def sampling_probabilities(
    tokens: Labels, power: float = 0.4, english: float = 0.15
) -> NDArray[np.float64]:
    """Each example's probability in a draw.

    A language's share is its number of examples to a power; English has a share set apart. Within
    a language, `OWN_WEIGHT` and `SOURCE_WEIGHTS` hold.

    Args:
        tokens: The examples.
        power: 1 keeps the languages' sizes, 0 makes them equal.
        english: English's share.

    Returns:
        Probabilities [examples].
    """
    is_english = np.zeros(len(tokens.anchors), dtype=bool)
    if "en" in tokens.names:
        is_english = tokens.languages == tokens.names.index("en")
    weights = np.where(tokens.is_own & ~is_english, OWN_WEIGHT, 1.0)
    weights *= np.array([SOURCE_WEIGHTS.get(name, 1.0) for name in tokens.sources])[tokens.origins]
    count = len(tokens.names)
    shares = np.bincount(tokens.languages, minlength=count).astype(np.float64) ** power
    shares[np.bincount(tokens.languages, minlength=count) == 0] = 0.0
    if "en" in tokens.names and count > 1:
        place = tokens.names.index("en")
        shares[place] = 0.0
        shares *= (1 - english) / shares.sum()
        shares[place] = english
    shares /= shares.sum()
    sizes = np.bincount(tokens.languages, weights, minlength=count)
    each = shares / np.where(sizes > 0, sizes, 1.0)
    return np.asarray(weights * each[tokens.languages], dtype=np.float64)


def piece_shares(tokens: Tokens, vocabulary: int, special: int) -> NDArray[np.float64]:
    """Each piece's share [vocabulary] in the drawn text, without the first `special` ids."""
    weights = np.repeat(sampling_probabilities(tokens), tokens.lengths)
    counts = np.bincount(tokens.ids, weights, minlength=vocabulary)
    counts[:special] = 0.0
    return np.asarray(counts / counts.sum(), dtype=np.float64)


def draw(
    cumulative: NDArray[np.float64], count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draws examples, with replacement, by the running sum of their probabilities."""
    found = np.searchsorted(cumulative, rng.random(count) * cumulative[-1])
    return np.asarray(found, dtype=np.int64)


def draw_block(
    tokens: Tokens, cumulative: NDArray[np.float64], budget: int, seed: int, block: int
) -> list[NDArray[np.int64]]:
    """Draws one block of batches.

    Args:
        tokens: The examples.
        cumulative: The running sum of the examples' probabilities.
        budget: Most ids in a batch, padding counted.
        seed: The run's seed.
        block: The block's number.

    Returns:
        The batches, each an array of example indices.
    """
    rng = np.random.default_rng([seed, block])
    lengths = tokens.lengths
    drawn = draw(cumulative, max(2, int(BLOCK * budget / lengths.mean())), rng)
    drawn = drawn[np.argsort(lengths[drawn] + rng.random(len(drawn)), kind="stable")]
    batches, start = [], 0
    for end in range(1, len(drawn) + 1):
        last = end == len(drawn)
        if last or (end + 1 - start) * int(lengths[drawn[end]]) > budget:
            batches.append(rng.permutation(drawn[start:end]))
            start = end
    return [batches[i] for i in rng.permutation(len(batches)) if len(batches[i]) > 1]


def stream(
    tokens: Tokens, budget: int, seed: int, place: tuple[int, int]
) -> Iterator[tuple[tuple[int, int], NDArray[np.int64]]]:
    """Yields batches for ever from a place (block, batch), each with the place that follows it."""
    cumulative = np.cumsum(sampling_probabilities(tokens))
    block, skip = place
    while True:
        batches = draw_block(tokens, cumulative, budget, seed, block)
        for index in range(skip, len(batches)):
            yield (block, index + 1), batches[index]
        block, skip = block + 1, 0


def padded(tokens: Tokens, batch: NDArray[np.int64]) -> torch.Tensor:
    """The ids of a batch [batch, length], padded on the right."""
    lengths = tokens.lengths[batch]
    places = np.arange(int(lengths.max()))
    is_text = places < lengths[:, None]
    ids = np.full(is_text.shape, PAD, dtype=np.int64)
    ids[is_text] = tokens.ids[(tokens.starts[batch][:, None] + places)[is_text]]
    return torch.from_numpy(ids)
