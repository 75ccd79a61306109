"""A training can be cut off after any step, and nothing around it changes a bit."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

import torch
from builders import add_adapter
from toy_training import (
    DEV,
    SETTINGS,
    TRAIN,
    assert_bit_equal,
    evaluations,
    parts,
    training,
    weights_of,
)

from adaptstilts.adapter.attach import read_weights
from adaptstilts.training import state as states
from adaptstilts.training.classification import Classification, Labelled
from adaptstilts.training.loop import Evaluation, Step, Training


def test_the_same_settings_give_the_same_bits() -> None:
    one, other = training(), training()
    list(one.run())
    torch.rand(5)
    random.random()
    list(other.run())
    assert_bit_equal(weights_of(one), weights_of(other))
    third = training(replace(SETTINGS, seed=2))
    list(third.run())
    assert not torch.equal(third.objective.head.out_proj.weight, one.objective.head.out_proj.weight)


def test_resuming_after_any_step_gives_the_same_bits(tmp_path: Path) -> None:
    undisturbed = training()
    events: list[Evaluation | Step] = []
    for event in undisturbed.run():
        events.append(event)
        if isinstance(event, Step):
            states.save(undisturbed.state(), tmp_path / f"{event.step}.safetensors")
    expected = weights_of(undisturbed)
    for step in range(1, SETTINGS.steps + 1):
        torch.manual_seed(1000 + step)  # whatever was drawn before must not matter
        state = states.load(tmp_path / f"{step}.safetensors")
        resumed = training(state=state)
        assert resumed.step == step
        rest = list(resumed.run())
        after = events[
            events.index(next(e for e in events if e.step == step and isinstance(e, Step))) + 1 :
        ]
        assert [(type(e), e.step, e.loss) for e in rest] == [
            (type(e), e.step, e.loss) for e in after
        ]
        assert_bit_equal(weights_of(resumed), expected)
        for ours, theirs in zip(evaluations(iter(rest)), evaluations(iter(after)), strict=True):
            assert ours.dev == theirs.dev
            assert_bit_equal(ours.adapter, theirs.adapter)
            assert_bit_equal(ours.head, theirs.head)


def test_a_state_at_the_very_beginning_resumes_too(tmp_path: Path) -> None:
    one = training()
    states.save(one.state(), tmp_path / "0.safetensors")
    list(one.run())
    other = training(state=states.load(tmp_path / "0.safetensors"))
    list(other.run())
    assert_bit_equal(weights_of(one), weights_of(other))


def test_a_state_survives_the_disk_bit_for_bit(tmp_path: Path) -> None:
    one = training(replace(SETTINGS, steps=1, evaluations=1))
    list(one.run())
    one.losses = [0.1 + 0.2, 1e-300, 1 / 3]
    state = one.state()
    states.save(state, tmp_path / "s.safetensors")
    found = states.load(tmp_path / "s.safetensors")
    assert (found.step, found.losses) == (state.step, state.losses)
    assert_bit_equal(found.tensors, state.tensors)


def test_what_is_drawn_between_two_steps_does_not_matter_nor_is_it_disturbed() -> None:
    quiet, noisy = training(), training()
    list(quiet.run())
    torch.manual_seed(4)
    expected = torch.rand(SETTINGS.steps)
    torch.manual_seed(4)
    drawn = [torch.rand(1) for event in noisy.run() if isinstance(event, Step)]
    assert torch.equal(torch.cat(drawn), expected)
    assert_bit_equal(weights_of(quiet), weights_of(noisy))


def test_every_step_and_seed_drops_other_things() -> None:
    flat = Labelled([TRAIN.token_ids[0]] * 4, [1] * 4)
    one = training(replace(SETTINGS, learning_rate=1e-12), train=flat)
    losses = [event.loss for event in one.run() if isinstance(event, Step)]
    assert len(set(losses)) == len(losses)


def test_an_evaluation_changes_nothing() -> None:
    often, seldom = training(replace(SETTINGS, evaluations=6)), training()
    list(often.run())
    list(seldom.run())
    assert_bit_equal(weights_of(often), weights_of(seldom))


def test_another_adapter_on_the_model_changes_nothing() -> None:
    alone = training(dropout=0.0)
    list(alone.run())
    base, head = parts(dropout=0.0)
    add_adapter(base, "other", dropout=0.5, targets=("query", "key"))
    before = {key: value.clone() for key, value in read_weights(base.model, "other").items()}
    one = Training(base, "sst2", Classification(base, head, TRAIN, DEV), settings=SETTINGS)
    list(one.run())
    assert_bit_equal(read_weights(base.model, "sst2"), read_weights(alone.base.model, "sst2"))
    assert_bit_equal(read_weights(base.model, "other"), before)
