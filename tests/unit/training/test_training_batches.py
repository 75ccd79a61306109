"""The order of a training's batches: complete, within budget, reproducible, resumable."""

from __future__ import annotations

from itertools import islice
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptstilts.data.batches import bucketed
from adaptstilts.training.batches import step_batches, total_steps

lengths = st.lists(st.integers(1, 40), min_size=1, max_size=60)
budget = st.integers(10, 200)


def steps_of(lengths: list[int], count: int, **settings: int) -> list[list[list[int]]]:
    return list(islice(step_batches(lengths, **settings), count))


@given(lengths=lengths, budget=budget, accumulation=st.integers(1, 4), done=st.integers(0, 12))
@settings(deadline=None, max_examples=60)
def test_going_on_after_some_steps_equals_skipping_them(
    lengths: list[int], budget: int, accumulation: int, done: int
) -> None:
    draw = {"tokens_per_batch": budget, "accumulation": accumulation, "seed": 3}
    assert steps_of(lengths, 5, done=done, **draw) == steps_of(lengths, 5 + done, **draw)[done:]


@given(lengths=lengths, budget=budget, accumulation=st.integers(1, 4))
@settings(deadline=None, max_examples=60)
def test_batches_are_those_of_epoch_after_epoch(
    lengths: list[int], budget: int, accumulation: int
) -> None:
    epochs = [
        batch
        for epoch in range(3)
        for batch in bucketed(lengths, tokens_per_batch=budget, seed=3, epoch=epoch)
    ]
    count = len(epochs) // accumulation
    steps = steps_of(lengths, count, tokens_per_batch=budget, accumulation=accumulation, seed=3)
    assert all(len(batches) == accumulation for batches in steps)
    assert [batch for batches in steps for batch in batches] == epochs[: count * accumulation]


@given(
    lengths=lengths,
    budget=budget,
    accumulation=st.integers(1, 4),
    epochs=st.sampled_from([0.01, 0.5, 1.0, 2.0, 2.5]),
)
@settings(deadline=None, max_examples=60)
def test_epochs_are_counted_as_they_are_drawn(
    lengths: list[int], budget: int, accumulation: int, epochs: float
) -> None:
    found = total_steps(
        lengths,
        tokens_per_batch=budget,
        accumulation=accumulation,
        seed=3,
        epochs=epochs,
        steps=None,
    )
    batches = [
        len(bucketed(lengths, tokens_per_batch=budget, seed=3, epoch=epoch)) for epoch in range(3)
    ]
    whole = int(epochs)
    expected = sum(batches[:whole]) + batches[whole] * (epochs - whole)
    assert found >= 1
    assert found == ceil(expected / accumulation)


def test_steps_are_taken_as_given() -> None:
    assert total_steps([5], tokens_per_batch=9, accumulation=1, seed=0, epochs=None, steps=7) == 7
    with pytest.raises(ValueError, match="neither epochs nor steps"):
        total_steps([5], tokens_per_batch=9, accumulation=1, seed=0, epochs=None, steps=None)
