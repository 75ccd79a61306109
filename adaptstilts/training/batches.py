"""The endless, reproducible order of a training's batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, islice
from math import ceil

from adaptstilts.data.batches import bucketed


def total_steps(
    lengths: Sequence[int],
    *,
    tokens_per_batch: int,
    accumulation: int,
    seed: int,
    epochs: float | None,
    steps: int | None,
) -> int:
    """Optimizer steps of a training that is given in epochs or in steps.

    Exactly one of `epochs` and `steps` is given. An epoch's number of batches depends a little on
    its order, so whole epochs are counted as they will be drawn.
    """
    if steps is not None:
        return steps
    if epochs is None:
        raise ValueError("neither epochs nor steps is given; this is a bug in adaptstilts")
    batches = 0.0
    for epoch in range(ceil(epochs)):
        drawn = bucketed(lengths, tokens_per_batch=tokens_per_batch, seed=seed, epoch=epoch)
        batches += len(drawn) * min(1.0, epochs - epoch)
    return max(1, ceil(batches / accumulation))


def step_batches(
    lengths: Sequence[int],
    *,
    tokens_per_batch: int,
    accumulation: int,
    seed: int,
    done: int = 0,
) -> Iterator[list[list[int]]]:
    """The batches of each optimizer step, from step `done` + 1 on, without end.

    The order is a function of the seed alone, so a resumed training draws what an undisturbed one
    would have drawn.

    Args:
        lengths: Tokens of each text.
        tokens_per_batch: Budget of one batch.
        accumulation: Batches of one step.
        seed: The training's seed.
        done: Steps that are done.
    """
    batches = (
        batch
        for epoch in count()
        for batch in bucketed(lengths, tokens_per_batch=tokens_per_batch, seed=seed, epoch=epoch)
    )
    remaining = islice(batches, done * accumulation, None)
    while True:
        yield list(islice(remaining, accumulation))
