"""The training loop: it learns, leaves the base alone, and stops when numbers end."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from builders import add_adapter, tiny_base
from torch import Tensor
from toy_training import (
    BAD,
    DEV,
    GOOD,
    SETTINGS,
    TRAIN,
    assert_bit_equal,
    base_hash,
    evaluations,
    parts,
    separable,
    training,
)

from adaptstilts.adapter.attach import adapter_layers, read_weights
from adaptstilts.base.load import Base
from adaptstilts.errors import TrainingError
from adaptstilts.head.classification import new_head
from adaptstilts.training.classification import Classification, Labelled
from adaptstilts.training.loop import Evaluation, Step, Training


@pytest.mark.parametrize(
    ("quantization", "compute"),
    [("int8", "fp32"), ("nf4", "fp32"), ("int8", "bf16")],
)
def test_it_learns_and_the_base_stays_bit_for_bit(quantization: str, compute: str) -> None:
    settings = replace(SETTINGS, steps=40, tokens_per_batch=200, accumulation=1, learning_rate=2e-2)
    many = separable(400, seed=3)
    one = training(settings, train=many, quantization=quantization, compute=compute, dropout=0.0)
    before = base_hash(one.base)
    found = evaluations(one.run())
    assert found[-1].dev.value >= 0.9
    assert found[-1].loss < found[0].loss
    assert base_hash(one.base) == before
    correct = [p == label for p, label in zip(found[-1].dev.predictions, DEV.labels, strict=True)]
    assert found[-1].dev.value == sum(correct) / len(DEV.labels)


@pytest.mark.parametrize("quantization", ["int8", "llm_int8", "nf4", "none"])
def test_every_trained_tensor_moves(quantization: str) -> None:
    one = training(quantization=quantization)
    before = {name: p.detach().clone() for name, p in one.parts.parameters.items()}
    list(one.run())
    still = [name for name, p in one.parts.parameters.items() if torch.equal(p, before[name])]
    assert still == []


def test_events_come_in_order() -> None:
    events = list(training().run())
    kinds = [(type(event).__name__, event.step) for event in events]
    assert kinds == [
        ("Step", 1),
        ("Evaluation", 2),
        ("Step", 2),
        ("Step", 3),
        ("Evaluation", 4),
        ("Step", 4),
        ("Step", 5),
        ("Evaluation", 6),
        ("Step", 6),
    ]
    steps = [event for event in events if isinstance(event, Step)]
    found = [event for event in events if isinstance(event, Evaluation)]
    assert [event.share for event in found] == [1 / 3, 2 / 3, 1.0]
    assert found[1].loss == pytest.approx((steps[2].loss + steps[3].loss) / 2)
    assert all(0 < step.tokens <= 120 for step in steps)


def test_what_an_evaluation_reports_is_a_copy() -> None:
    one = training()
    found = []
    for event in one.run():
        if isinstance(event, Evaluation):
            model = read_weights(one.base.model, "sst2")
            assert_bit_equal(event.adapter, model)
            found.append((event, {key: value.clone() for key, value in model.items()}))
    for event, then in found:
        assert_bit_equal(event.adapter, then)
    key = next(iter(found[0][1]))
    assert not torch.equal(found[0][0].adapter[key], found[1][0].adapter[key])


def test_predictions_do_not_depend_on_dropout_or_order() -> None:
    one = training()
    list(one.run())
    predict = one.objective.predict
    first = predict(DEV.token_ids, tokens_per_batch=60)
    assert predict(DEV.token_ids, tokens_per_batch=60) == first
    assert predict(DEV.token_ids[::-1], tokens_per_batch=25) == first[::-1]
    assert predict([], tokens_per_batch=60) == []


def test_accumulated_batches_equal_one_large_batch() -> None:
    # All texts are of one length, and one step takes all of them in either way.
    texts = Labelled([[0, 5 + i, GOOD if i % 2 else BAD, 2] for i in range(12)], [0, 1] * 6)

    def gradients(tokens: int, accumulation: int) -> tuple[float, dict[str, Tensor]]:
        settings = replace(
            SETTINGS,
            steps=1,
            evaluations=1,
            tokens_per_batch=tokens,
            accumulation=accumulation,
            clip=1e9,
        )
        base, head = parts(dropout=0.0)
        head.dropout.p = 0.0
        one = Training(base, "sst2", Classification(base, head, texts, DEV), settings=settings)
        (_, step) = one.run()
        # After one step AdamW's first moment is a tenth of the gradient.
        moments = {k: v for k, v in one.state().tensors.items() if k.startswith("exp_avg/")}
        return step.loss, moments

    loss, whole = gradients(48, 1)
    for tokens, accumulation in ((16, 3), (4, 12)):
        other_loss, parted = gradients(tokens, accumulation)
        assert other_loss == pytest.approx(loss, rel=1e-5)
        assert parted.keys() == whole.keys()
        for key, moment in whole.items():
            torch.testing.assert_close(parted[key], moment, rtol=1e-4, atol=1e-7)
    assert any(moment.norm() > 0 for moment in whole.values())


def test_unequal_batches_weigh_every_text_alike() -> None:
    # One long text fills a batch of its own; the step's loss is still the mean over texts.
    ids = [[0, *range(4, 40), 2], *([0, 50 + i, 2] for i in range(9))]
    texts = Labelled(ids, [1, *[0] * 9])
    settings = replace(
        SETTINGS, steps=1, evaluations=1, tokens_per_batch=38, accumulation=2, learning_rate=1e-9
    )
    base, head = parts(dropout=0.0)
    head.dropout.p = 0.0
    one = Training(base, "sst2", Classification(base, head, texts, DEV), settings=settings)
    with torch.no_grad():
        losses = [
            float(
                torch.nn.functional.cross_entropy(
                    head(
                        base.model(input_ids=torch.tensor([text])).last_hidden_state,
                        torch.ones(1, len(text)),
                    ),
                    torch.tensor([label]),
                )
            )
            for text, label in zip(texts.token_ids, texts.labels, strict=True)
        ]
    (_, step) = one.run()
    assert step.loss == pytest.approx(sum(losses) / 10, rel=1e-4)
    assert step.tokens == sum(map(len, ids))


def test_biases_are_spared_weight_decay() -> None:
    decayed, spared = training().parts.optimizer.param_groups
    assert (decayed["weight_decay"], spared["weight_decay"]) == (0.01, 0.0)
    assert {p.ndim for p in decayed["params"]} == {2}
    assert [p.shape for p in spared["params"]] == [(32,), (2,)]
    assert len(decayed["params"]) == 3 * 3 * 2 + 2


def test_the_gradient_is_clipped_over_all_tensors() -> None:
    settings = replace(SETTINGS, steps=1, evaluations=1, clip=1e-3)
    one = training(settings)
    list(one.run())
    squares = sum(
        float((value / 0.1).double().square().sum())
        for key, value in one.state().tensors.items()
        if key.startswith("exp_avg/")
    )
    assert squares**0.5 == pytest.approx(1e-3, rel=1e-3)


def test_masters_keep_what_bf16_would_lose() -> None:
    settings = replace(SETTINGS, steps=8, learning_rate=1e-6, warmup=0.0, evaluations=1)
    one = training(settings, quantization="none", compute="bf16")
    key = next(key for key in one.parts.masters if "lora_A" in key)
    before = one.parts.masters[key].clone()
    list(one.run())
    # Four evenly falling steps' worth of the peak rate, far below bf16's resolution of the weight.
    moved = (one.parts.masters[key] - before).abs().max()
    assert 0 < moved <= 1.1e-6 * 4.5
    assert one.parts.parameters[key].dtype == torch.bfloat16
    assert torch.equal(one.parts.parameters[key], one.parts.masters[key].bfloat16())


def flags(base: Base, name: str) -> set[bool]:
    return {layer.lora_dropout[name].training for _, layer in adapter_layers(base.model)}


def test_only_the_trained_adapter_s_dropout_is_on_and_only_in_training() -> None:
    base = tiny_base()
    for name in ("other", "sst2"):
        add_adapter(base, name, dropout=0.5)
    head = new_head(width=32, labels=2, pooling="first", dropout=0.1, seed=1)
    one = Training(base, "sst2", Classification(base, head, TRAIN, DEV), settings=SETTINGS)
    seen: list[tuple[bool, set[bool], set[bool], set[bool]]] = []

    def look(*_: object) -> None:
        rest = {
            module.training
            for path, module in base.model.named_modules()
            if isinstance(module, torch.nn.Dropout) and "lora_dropout" not in path
        }
        seen.append((torch.is_grad_enabled(), flags(base, "sst2"), flags(base, "other"), rest))

    base.model.register_forward_pre_hook(look)
    for event in one.run():
        if isinstance(event, Evaluation):
            assert flags(base, "sst2") == {False}
    assert {trains for trains, *_ in seen} == {True, False}
    for trains, own, other, rest in seen:
        assert own == {trains}
        assert other == rest == {False}


def test_a_loss_that_is_no_number_stops_the_training() -> None:
    one = training()
    events = one.run()
    next(events)
    one.objective.head.dense.weight.data.fill_(float("nan"))
    message = (
        r"`sst2`: the loss is nan at step 2 with learning rate .*Lower training\.learning_rate"
    )
    with pytest.raises(TrainingError, match=message):
        list(events)
    assert one.step == 1


def test_a_gradient_that_is_no_number_stops_the_training_before_the_update() -> None:
    one = training()
    before = one.state().tensors
    name = next(name for name in one.parts.parameters if "lora_B" in name)
    one.parts.parameters[name].register_hook(lambda gradient: gradient * float("inf"))
    with pytest.raises(TrainingError, match=r"the gradient is (nan|inf) at step 1"):
        list(one.run())
    for key, weight in one.state().tensors.items():
        if key.startswith("weight/"):
            assert torch.equal(weight, before[key])


def test_a_rate_far_too_high_is_told_and_not_saved() -> None:
    settings = replace(SETTINGS, learning_rate=1e30, warmup=0.0)
    with pytest.raises(TrainingError, match=r"learning rate 8\.3e\+29|learning rate 1e\+30"):
        list(training(settings).run())


def test_nothing_to_train_on_is_refused() -> None:
    with pytest.raises(TrainingError, match="there are 0 texts to train on and 20"):
        training(train=Labelled([], []))
