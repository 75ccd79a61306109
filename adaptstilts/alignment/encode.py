"""Sentences to pooled vectors of every layer, in one pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from adaptstilts.base.hidden_states import (
    Pooling,
    pooled_states,
    pooled_states_from,
    state_after,
)
from adaptstilts.base.load import Base
from adaptstilts.data.batches import collate, length_sorted
from adaptstilts.errors import AdapterError

# Fixed, since batches decide the last bits of a vector: the same sentences in both systems must
# stand in the same batches.
TOKENS_PER_BATCH = {"cpu": 2048, "cuda": 16_384}


@dataclass(frozen=True)
class System:
    """One system that sentences are encoded with.

    Attributes:
        active: Switches its adapters on for as long as the context lasts.
        vectors: Where its vectors go, shape [layers, sentences, width]; may lie on disk.
    """

    active: Callable[[], AbstractContextManager[None]]
    vectors: NDArray[np.float32]


def encode(
    base: Base,
    token_ids: Sequence[Sequence[int]],
    *,
    layers: Sequence[int],
    vectors: NDArray[np.float32],
    pooling: Pooling = "mean",
) -> Iterator[int]:
    """Encodes with what is active on the base; see `encode_systems`.

    Args:
        base: The base with a system's adapters active.
        token_ids: Ids of each sentence.
        layers: Indices into `hidden_states`.
        vectors: Where the result goes, shape [layers, sentences, width]; may lie on disk.
        pooling: `mean` over all tokens, or `cls`, the state of `<s>`.

    Raises:
        AdapterError: A state is not a number.
    """
    system = System(nullcontext, vectors)
    yield from encode_systems(base, token_ids, layers=layers, systems=[system], pooling=pooling)


def encode_systems(
    base: Base,
    token_ids: Sequence[Sequence[int]],
    *,
    layers: Sequence[int],
    systems: Sequence[System],
    shared: int = 0,
    pooling: Pooling = "mean",
) -> Iterator[int]:
    """Fills in the vectors of all sentences, yielding how many are done after each batch.

    Args:
        base: The base with the systems' adapters on it, all off.
        token_ids: Ids of each sentence.
        layers: Indices into `hidden_states`, ascending.
        systems: Those to encode with.
        shared: How many layers, from the lowest, none of the systems changes; they are computed
            once for all systems.
        pooling: `mean` over all tokens, or `cls`, the state of `<s>`.

    Raises:
        AdapterError: A state is not a number.
    """
    done = 0
    lengths = [len(ids) for ids in token_ids]
    budget = TOKENS_PER_BATCH[base.device.type]
    shared = min(shared, max(layers))  # nothing above the deepest that is asked for is run
    below = [layer for layer in layers if layer <= shared]
    above = [layer for layer in layers if layer > shared]
    for batch in length_sorted(lengths, tokens_per_batch=budget):
        input_ids, mask = (
            tensor.to(base.device)
            for tensor in collate(
                [token_ids[index] for index in batch],
                padding_id=base.model.config.pad_token_id,
                rows=base.rows,
            )
        )
        if not shared:
            for system in systems:
                with system.active():
                    pooled = pooled_states(base.model, input_ids, mask, layers, pooling=pooling)
                _keep(system.vectors, layers, batch, pooled)
        else:
            state, low = state_after(
                base.model, input_ids, mask, shared, layers=below, pooling=pooling
            )
            for system in systems:
                if low:
                    _keep(system.vectors[: len(below)], below, batch, torch.stack(low))
                if above:
                    with system.active():
                        high = pooled_states_from(
                            base.model,
                            input_ids,
                            mask,
                            above,
                            state=state,
                            count=shared,
                            pooling=pooling,
                        )
                    _keep(system.vectors[len(below) :], above, batch, high)
        done += len(batch)
        yield done


def _keep(
    vectors: NDArray[np.float32], layers: Sequence[int], batch: Sequence[int], pooled: Tensor
) -> None:
    """Puts a batch's vectors into their place.

    Raises:
        AdapterError: One is not a number.
    """
    found = pooled.cpu().numpy()
    if not np.isfinite(found).all():
        layer = layers[int(np.argmin(np.isfinite(found).all(axis=(1, 2))))]
        raise AdapterError(
            f"states are no numbers at layer {layer}: the system's update is too large for "
            "the base's precision. Scale it down, or use base.compute=fp32"
        )
    vectors[:, batch] = found
