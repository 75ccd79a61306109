"""The training loop: it learns, leaves the base alone, and can be cut off after any step."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from builders import add_adapter, tiny_base, token_ids
from torch import Tensor

from adaptstilts.adapter.attach import adapter_layers, attach, read_weights
from adaptstilts.adapter.lora import lora_config
from adaptstilts.base.load import Base
from adaptstilts.errors import TrainingError
from adaptstilts.head.classification import ClassificationHead, new_head
from adaptstilts.training import state as states
from adaptstilts.training.loop import Evaluation, Labelled, Settings, Step, Training

SETTINGS = Settings(
    steps=6,
    learning_rate=3e-3,
    tokens_per_batch=60,
    accumulation=2,
    warmup=0.1,
    weight_decay=0.01,
    clip=1.0,
    evaluations=3,
    seed=1,
)
GOOD, BAD = 100, 200


def separable(texts: int, *, seed: int) -> Labelled:
    """Texts of random pieces whose label is told by one piece in them, three times."""
    ids = token_ids(texts, seed=seed, pieces=90)
    draw = random.Random(seed)
    labels = [draw.randint(0, 1) for _ in ids]
    for text, label in zip(ids, labels, strict=True):
        for _ in range(3):
            text.insert(draw.randint(1, len(text) - 1), GOOD if label else BAD)
    return Labelled(ids, labels)


TRAIN, DEV = separable(60, seed=1), separable(20, seed=2)


def parts(
    *, quantization: str = "int8", dropout: float = 0.3, compute: str = "fp32"
) -> tuple[Base, ClassificationHead]:
    base = tiny_base(quantization, compute=compute)
    config = lora_config(rank=4, alpha=8, dropout=dropout, targets=["query", "value", "output"])
    attach(base.model, "sst2", config, seed=1)
    head = new_head(width=32, labels=2, pooling="first", dropout=0.1, seed=1)
    return base, head


def training(
    settings: Settings = SETTINGS,
    *,
    state: states.State | None = None,
    train: Labelled = TRAIN,
    **kwargs: object,
) -> Training:
    base, head = parts(**kwargs)
    return Training(base, "sst2", head, train=train, dev=DEV, settings=settings, state=state)


def weights_of(one: Training) -> dict[str, Tensor]:
    """Everything that a training made: the model's, the masters and the optimizer's."""
    found = dict(one.state().tensors)
    found |= {f"model/{key}": value for key, value in read_weights(one.base.model, "sst2").items()}
    return found | {f"head/{key}": value for key, value in one.head.state_dict().items()}


def assert_bit_equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> None:
    assert one.keys() == other.keys()
    for key, tensor in one.items():
        assert torch.equal(tensor, other[key]), key


def evaluations(events: Iterator[Evaluation | Step]) -> list[Evaluation]:
    return [event for event in events if isinstance(event, Evaluation)]


def base_hash(base: Base) -> str:
    digest = hashlib.sha256()
    for name, tensor in base.model.state_dict().items():
        if "lora_" not in name:
            digest.update(name.encode() + tensor.contiguous().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


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
    assert found[-1].accuracy >= 0.9
    assert found[-1].loss < found[0].loss
    assert base_hash(one.base) == before
    correct = [p == label for p, label in zip(found[-1].predictions, DEV.labels, strict=True)]
    assert found[-1].accuracy == sum(correct) / len(DEV.labels)


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


def test_the_same_settings_give_the_same_bits() -> None:
    one, other = training(), training()
    list(one.run())
    torch.rand(5)
    random.random()
    list(other.run())
    assert_bit_equal(weights_of(one), weights_of(other))
    third = training(replace(SETTINGS, seed=2))
    list(third.run())
    assert not torch.equal(third.head.out_proj.weight, one.head.out_proj.weight)


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
            assert ours.predictions == theirs.predictions
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
    one = training(replace(SETTINGS, learning_rate=1e-12))
    flat = Labelled([TRAIN.token_ids[0]] * 4, [1] * 4)
    one.train = flat
    losses = [event.loss for event in one.run() if isinstance(event, Step)]
    assert len(set(losses)) == len(losses)


def test_an_evaluation_changes_nothing() -> None:
    often, seldom = training(replace(SETTINGS, evaluations=6)), training()
    list(often.run())
    list(seldom.run())
    assert_bit_equal(weights_of(often), weights_of(seldom))


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
    first = one.predict(DEV.token_ids)
    assert one.predict(DEV.token_ids) == first
    assert one.predict(DEV.token_ids[::-1]) == first[::-1]
    assert one.predict([]) == []


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
        one = Training(base, "sst2", head, train=texts, dev=DEV, settings=settings)
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
    one = Training(base, "sst2", head, train=texts, dev=DEV, settings=settings)
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
    one = Training(base, "sst2", head, train=TRAIN, dev=DEV, settings=SETTINGS)
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


def test_another_adapter_on_the_model_changes_nothing() -> None:
    alone = training(dropout=0.0)
    list(alone.run())
    base, head = parts(dropout=0.0)
    add_adapter(base, "other", dropout=0.5, targets=("query", "key"))
    before = {key: value.clone() for key, value in read_weights(base.model, "other").items()}
    one = Training(base, "sst2", head, train=TRAIN, dev=DEV, settings=SETTINGS)
    list(one.run())
    assert_bit_equal(read_weights(base.model, "sst2"), read_weights(alone.base.model, "sst2"))
    assert_bit_equal(read_weights(base.model, "other"), before)


def test_a_loss_that_is_no_number_stops_the_training() -> None:
    one = training()
    events = one.run()
    next(events)
    one.head.dense.weight.data.fill_(float("nan"))
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
