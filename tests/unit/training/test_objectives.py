"""What every objective must keep: the base, the bits, the dropout of others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from builders import add_adapter, tiny_base, token_ids
from torch import nn
from toy_training import DEV, SETTINGS, TRAIN, assert_bit_equal, base_hash, evaluations, weights_of
from transformers.models.xlm_roberta.modeling_xlm_roberta import XLMRobertaSelfAttention

from adaptstilts.adapter.attach import adapter_layers, attach, read_weights
from adaptstilts.adapter.lora import lora_config
from adaptstilts.base.load import Base
from adaptstilts.head.classification import new_head
from adaptstilts.head.masked_lm import MaskedLMHead
from adaptstilts.training import state as states
from adaptstilts.training.classification import Classification
from adaptstilts.training.contrastive import Contrastive
from adaptstilts.training.loop import Evaluation, Settings, Step, Training
from adaptstilts.training.masked_lm import masked_lm
from adaptstilts.training.objective import Objective

MASK = 299


def classification(base: Base) -> Objective:
    head = new_head(width=32, labels=2, pooling="mean", dropout=0.1, seed=1)
    return Classification(base, head, TRAIN, DEV)


def contrastive(base: Base) -> Objective:
    return Contrastive(base, TRAIN.token_ids, DEV.token_ids)


def gaps(base: Base) -> Objective:
    torch.manual_seed(0)
    decoder = MaskedLMHead(width=32, pieces=300, epsilon=1e-5).requires_grad_(False).eval()
    return masked_lm(
        base,
        decoder,
        train=TRAIN.token_ids,
        dev=DEV.token_ids,
        mask_id=MASK,
        special_ids=[0, 1, 2, 3],
    )


Maker = Callable[[Base], Objective]
every_objective = pytest.mark.parametrize(
    "make", [classification, gaps, contrastive], ids=lambda make: make.__name__
)


def training(
    make: Maker, settings: Settings = SETTINGS, state: states.State | None = None
) -> Training:
    base = tiny_base()
    config = lora_config(rank=4, alpha=8, dropout=0.3, targets=["query", "value", "output"])
    attach(base.model, "sst2", config, seed=1)
    return Training(base, "sst2", make(base), settings=settings, state=state)


@every_objective
def test_only_the_adapter_and_a_trained_head_move(make: Maker) -> None:
    one = training(make)
    before = base_hash(one.base)
    start = {name: p.detach().clone() for name, p in one.parts.parameters.items()}
    list(one.run())
    assert base_hash(one.base) == before
    assert [name for name, p in one.parts.parameters.items() if torch.equal(p, start[name])] == []
    foreign = [name for name in start if ".lora_" not in name and not name.startswith("head.")]
    assert foreign == []
    assert any(name.startswith("head.") for name in start) == (make is classification)
    with_gradient = {name for name, p in one.base.model.named_parameters() if p.requires_grad}
    assert with_gradient
    assert all(".lora_" in name for name in with_gradient)


@every_objective
def test_resuming_after_any_step_gives_the_same_bits(make: Maker, tmp_path: Path) -> None:
    undisturbed = training(make)
    reports: list[Evaluation | Step] = []
    for event in undisturbed.run():
        reports.append(event)
        if isinstance(event, Step):
            states.save(undisturbed.state(), tmp_path / f"{event.step}.safetensors")
    for step in (1, 2, 3, 5):
        torch.manual_seed(step)
        resumed = training(make, state=states.load(tmp_path / f"{step}.safetensors"))
        rest = list(resumed.run())
        after = [event for event in reports if event.step > step]
        assert [(e.step, e.loss) for e in rest] == [(e.step, e.loss) for e in after]
        ours, theirs = evaluations(iter(rest)), evaluations(iter(after))
        assert [one.dev for one in ours] == [one.dev for one in theirs]
        assert_bit_equal(weights_of(resumed), weights_of(undisturbed))


@every_objective
def test_evaluations_change_nothing_and_repeat(make: Maker) -> None:
    often, seldom = training(make, replace(SETTINGS, evaluations=6)), training(make)
    list(often.run())
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    list(seldom.run())
    assert torch.equal(torch.rand(3), expected)
    assert_bit_equal(weights_of(often), weights_of(seldom))
    dev = seldom.objective.evaluate(tokens_per_batch=60)
    assert seldom.objective.evaluate(tokens_per_batch=60) == dev
    assert 0 <= dev.value <= 1
    assert dev.n > 0


@every_objective
def test_another_seed_draws_otherwise(make: Maker) -> None:
    flat = replace(SETTINGS, learning_rate=1e-12, evaluations=1, steps=3)
    losses = {
        seed: [e.loss for e in training(make, replace(flat, seed=seed)).run()] for seed in (1, 2)
    }
    assert losses[1] != losses[2]


@every_objective
def test_outside_its_own_forward_pass_all_dropout_is_off(make: Maker) -> None:
    base = tiny_base()
    for name in ("other", "sst2"):
        add_adapter(base, name, dropout=0.5)
    one = Training(base, "sst2", make(base), settings=SETTINGS)
    seen: list[tuple[bool, bool, set[bool], set[bool], set[bool]]] = []

    def look(*_: object) -> None:
        flags = {
            name: {layer.lora_dropout[name].training for _, layer in adapter_layers(base.model)}
            for name in ("sst2", "other")
        }
        own = {
            module.training
            for path, module in base.model.named_modules()
            if isinstance(module, nn.Dropout) and "lora_dropout" not in path
        }
        grad = torch.is_grad_enabled()
        seen.append((grad, base.model.training, flags["sst2"], flags["other"], own))

    handle = base.model.register_forward_pre_hook(look)
    for _ in one.run():
        acting = (nn.Dropout, XLMRobertaSelfAttention)
        assert not any(m.training for m in base.model.modules() if isinstance(m, acting))
        assert not any(module.training for module in one.objective.head.modules())
        dropouts = [m for m in base.model.modules() if isinstance(m, nn.Dropout)]
        assert {m.p for m in dropouts} <= {0.1, 0.5}
    handle.remove()
    assert {trains for trains, *_ in seen} == {True, False}
    for trains, whole, adapter, other, own in seen:
        assert whole is False
        assert adapter == {trains}
        assert other == {False}
        assert own == {make is contrastive}


@every_objective
def test_accumulated_parts_add_up_to_the_mean_over_the_whole_step(make: Maker) -> None:
    base = tiny_base()
    add_adapter(base)
    objective = make(base)
    batches = [[0, 1, 2], [3, 4], [5, 6, 7, 8]]
    parts = objective.parts(batches, draw="1/1")
    again = objective.parts(batches, draw="1/1")
    assert [(p.count, p.tokens) for p in parts] == [(p.count, p.tokens) for p in again]
    texts = TRAIN.token_ids
    times = 2 if make is contrastive else 1
    assert [p.tokens for p in parts] == [
        times * sum(len(texts[index]) for index in batch) for batch in batches
    ]
    if make is not gaps:
        assert [p.count for p in parts] == [3, 2, 4]


@pytest.mark.parametrize("make", [gaps, contrastive], ids=lambda make: make.__name__)
def test_a_control_lowers_its_own_loss_and_answers_more(make: Maker) -> None:
    settings = replace(SETTINGS, steps=40, tokens_per_batch=200, learning_rate=2e-2, evaluations=4)
    one = training(make, settings)
    before = one.objective.evaluate(tokens_per_batch=200)
    found = evaluations(one.run())
    assert found[-1].loss < found[0].loss
    if make is gaps:  # of the random pieces only the two that tell the label can be guessed
        assert found[-1].dev.loss < before.loss
        assert found[-1].dev.value > before.value
    assert found[-1].head == {}
    assert read_weights(one.base.model, "sst2").keys() == found[-1].adapter.keys()


def test_texts_of_the_dev_rows_do_not_leak_into_the_steps() -> None:
    base = tiny_base()
    add_adapter(base)
    one = Contrastive(base, token_ids(5, seed=8), token_ids(3, seed=9))
    assert one.lengths == [len(ids) for ids in token_ids(5, seed=8)]
    assert one.dev_lengths == [len(ids) for ids in token_ids(3, seed=9)]
