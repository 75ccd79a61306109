"""Lossless vocabulary trimming: keep only the embedding rows that a run's texts use.

46 % of XLM-R Large is its embedding table. It is frozen, so rows that no text of a run asks for
change nothing, and dropping them leaves every output bit-equal.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from transformers import XLMRobertaModel

ABSENT = -1


def used_pieces(token_ids: Iterable[Sequence[int]], special_ids: Iterable[int]) -> list[int]:
    """The distinct piece ids of some tokenised texts and the special tokens, ascending."""
    used = set(special_ids)
    for ids in token_ids:
        used.update(ids)
    return sorted(used)


def trim(model: XLMRobertaModel, pieces: Sequence[int]) -> Tensor:
    """Cuts a model's word embeddings down to some pieces, in place.

    Args:
        model: The encoder; its embedding table must be whole.
        pieces: Ids to keep, ascending, with all special tokens.

    Returns:
        Table of shape [whole vocabulary] from a piece's id to its row in the trimmed table, or
        `ABSENT`. The padding id keeps its place, since positions are counted by it.

    Raises:
        ValueError: The padding id would move.
    """
    embeddings = model.get_input_embeddings()
    kept = torch.as_tensor(pieces, dtype=torch.long, device=embeddings.weight.device)
    rows = torch.full((embeddings.num_embeddings,), ABSENT, dtype=torch.long)
    rows[kept.cpu()] = torch.arange(len(kept))
    padding = embeddings.padding_idx
    if padding is not None and int(rows[padding]) != padding:
        raise ValueError(f"trimming would move the padding id {padding} to {int(rows[padding])}")
    trimmed = nn.Embedding(len(kept), embeddings.embedding_dim, padding_idx=padding, device="meta")
    trimmed.weight = nn.Parameter(embeddings.weight.data[kept], requires_grad=False)
    model.set_input_embeddings(trimmed)
    return rows
