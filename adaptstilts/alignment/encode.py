"""Sentences to pooled vectors of every layer, in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from adaptstilts.base.hidden_states import Pooling, pooled_states
from adaptstilts.base.load import Base
from adaptstilts.data.batches import collate, length_sorted
from adaptstilts.errors import AdapterError

# Fixed, since batches decide the last bits of a vector: the same sentences in both systems must
# stand in the same batches.
TOKENS_PER_BATCH = {"cpu": 2048, "cuda": 16_384}


def encode(
    base: Base,
    token_ids: Sequence[Sequence[int]],
    *,
    layers: Sequence[int],
    vectors: NDArray[np.float32],
    pooling: Pooling = "mean",
) -> Iterator[int]:
    """Fills in the vectors of all sentences, yielding how many are done after each batch.

    Args:
        base: The base with a system's adapters active.
        token_ids: Ids of each sentence.
        layers: Indices into `hidden_states`.
        vectors: Where the result goes, shape [layers, sentences, width]; may lie on disk.
        pooling: `mean` over all tokens, or `cls`, the state of `<s>`.

    Raises:
        AdapterError: A state is not a number.
    """
    done = 0
    lengths = [len(ids) for ids in token_ids]
    budget = TOKENS_PER_BATCH[base.device.type]
    for batch in length_sorted(lengths, tokens_per_batch=budget):
        input_ids, mask = collate(
            [token_ids[index] for index in batch],
            padding_id=base.model.config.pad_token_id,
            rows=base.rows,
        )
        pooled = pooled_states(
            base.model,
            input_ids.to(base.device),
            mask.to(base.device),
            layers,
            pooling=pooling,
        )
        found = pooled.cpu().numpy()
        if not np.isfinite(found).all():
            layer = layers[int(np.argmin(np.isfinite(found).all(axis=(1, 2))))]
            raise AdapterError(
                f"states are no numbers at layer {layer}: the system's update is too large for "
                "the base's precision. Scale it down, or use base.compute=fp32"
            )
        vectors[:, batch] = found
        done += len(batch)
        yield done
