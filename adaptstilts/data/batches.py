"""Token batches of nearly equal size: length-bucketed for training, length-sorted for encoding."""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor

# Texts are sorted by length within this many batches' worth of shuffled texts: enough to keep
# padding to a few per cent, few enough to keep the order random.
BATCHES_PER_BUCKET = 50


def bucketed(
    lengths: Sequence[int], *, tokens_per_batch: int, seed: int, epoch: int
) -> list[list[int]]:
    """One epoch of training batches in an order that `seed` and `epoch` alone decide.

    Args:
        lengths: Tokens of each text.
        tokens_per_batch: Budget of a batch, padding included; one longer text is its own batch.
        seed: The training's seed.
        epoch: Counted from 0.

    Returns:
        Batches of text indices; every index occurs once.
    """
    order = list(range(len(lengths)))
    shuffle = random.Random(f"{seed}/{epoch}")
    shuffle.shuffle(order)
    mean = max(1.0, sum(lengths) / max(1, len(lengths)))
    bucket = max(1, int(BATCHES_PER_BUCKET * tokens_per_batch / mean))
    batches: list[list[int]] = []
    for start in range(0, len(order), bucket):
        chunk = sorted(order[start : start + bucket], key=lambda index: lengths[index])
        batches.extend(_cut(chunk, lengths, tokens_per_batch))
    shuffle.shuffle(batches)
    return batches


def length_sorted(lengths: Sequence[int], *, tokens_per_batch: int) -> list[list[int]]:
    """Batches for encoding, longest texts first, so that memory is at its peak at once.

    Args:
        lengths: Tokens of each text.
        tokens_per_batch: Budget of a batch, padding included.
    """
    order = sorted(range(len(lengths)), key=lambda index: (-lengths[index], index))
    return _cut(order, lengths, tokens_per_batch)


def collate(
    token_ids: Sequence[Sequence[int]], *, padding_id: int, rows: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Pads texts to one length and, for a trimmed base, maps piece ids to embedding rows.

    Args:
        token_ids: Ids of each text.
        padding_id: The tokenizer's padding id.
        rows: The trimmed base's table from piece to row, shape [pieces], or None.

    Returns:
        Input ids and attention mask, int64, shape [texts, longest].

    Raises:
        ValueError: A piece that was trimmed away.
    """
    longest = max(len(ids) for ids in token_ids)
    input_ids = torch.full((len(token_ids), longest), padding_id, dtype=torch.long)
    mask = torch.zeros((len(token_ids), longest), dtype=torch.long)
    for row, ids in enumerate(token_ids):
        input_ids[row, : len(ids)] = torch.as_tensor(ids, dtype=torch.long)
        mask[row, : len(ids)] = 1
    if rows is not None:
        pieces, input_ids = input_ids, rows[input_ids]
        if bool((input_ids < 0).any()):
            piece = int(pieces[input_ids < 0][0])
            raise ValueError(
                f"piece {piece} was trimmed from the vocabulary; this is a bug in adaptstilts"
            )
    return input_ids, mask


def _cut(order: Sequence[int], lengths: Sequence[int], tokens_per_batch: int) -> list[list[int]]:
    """Cuts an order of texts into runs whose padded size stays within the budget."""
    batches: list[list[int]] = []
    batch: list[int] = []
    longest = 0
    for index in order:
        longest = max(longest, lengths[index])
        if batch and longest * (len(batch) + 1) > tokens_per_batch:
            batches.append(batch)
            batch, longest = [], lengths[index]
        batch.append(index)
    if batch:
        batches.append(batch)
    return batches
