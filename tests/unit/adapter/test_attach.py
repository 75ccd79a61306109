"""Adapters on a model: fresh ones change nothing, weights go in and out whole, removal is clean."""

from __future__ import annotations

import re
import warnings

import pytest
import torch
from builders import (
    EVERY_TARGET,
    QUANTIZATIONS,
    add_adapter,
    states,
    tiny_base,
    token_ids,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from adaptstilts.adapter.attach import (
    adapter_layers,
    attach,
    delta_norms,
    detach,
    read_weights,
    trainable,
    write_weights,
)
from adaptstilts.adapter.lora import TARGETS, lora_config, target_pattern
from adaptstilts.composition.activate import active
from adaptstilts.errors import AdapterError

TEXTS = token_ids(4)
CONFIG = {"rank": 4, "alpha": 8.0, "dropout": 0.0, "targets": ["query", "value"]}


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_a_fresh_adapter_changes_nothing(quantization: str) -> None:
    base = tiny_base(quantization)
    before = states(base, TEXTS)
    attach(base.model, "sst2", lora_config(**{**CONFIG, "targets": EVERY_TARGET}), seed=1)
    with active(base.model, {"sst2": 1.0}):
        assert torch.equal(states(base, TEXTS), before)


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_a_detached_adapter_leaves_the_model_as_it_was(quantization: str) -> None:
    base = tiny_base(quantization)
    before, modules = states(base, TEXTS), [name for name, _ in base.model.named_modules()]
    add_adapter(base)
    add_adapter(base, "mnli", seed=3, targets=EVERY_TARGET)
    detach(base.model, "sst2")
    assert [*base.model.peft_config] == ["mnli"]
    detach(base.model, "mnli")
    assert torch.equal(states(base, TEXTS), before)
    assert [name for name, _ in base.model.named_modules()] == modules
    assert not hasattr(base.model, "peft_config")
    add_adapter(base)
    with active(base.model, {"sst2": 1.0}):
        assert not torch.equal(states(base, TEXTS), before)


def test_detaching_keeps_the_others_as_they_were() -> None:
    base = tiny_base()
    add_adapter(base, "sst2", seed=1)
    with active(base.model, {"sst2": 1.0}):
        alone = states(base, TEXTS)
    add_adapter(base, "mnli", seed=2, targets=EVERY_TARGET)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        detach(base.model, "mnli")
    with active(base.model, {"sst2": 1.0}):
        assert torch.equal(states(base, TEXTS), alone)
    detach(base.model, "never_attached")
    assert [*read_weights(base.model, "sst2")]


def test_detaching_from_a_bare_model_is_nothing() -> None:
    base = tiny_base()
    detach(base.model, "sst2")
    assert not any(True for _ in adapter_layers(base.model))


def test_initial_weights_are_decided_by_the_seed_alone() -> None:
    def drawn(seed: int, noise: int) -> dict[str, torch.Tensor]:
        base = tiny_base()
        torch.manual_seed(noise)
        attach(base.model, "sst2", lora_config(**CONFIG), seed=seed)
        return read_weights(base.model, "sst2")

    one, same, other = drawn(1, 5), drawn(1, 6), drawn(2, 5)
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert all(not torch.equal(one[key], other[key]) for key in one if "lora_A" in key)
    assert all((one[key] == 0).all() for key in one if "lora_B" in key)


def test_attaching_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(4)
    base = tiny_base()
    torch.manual_seed(3)
    attach(base.model, "sst2", lora_config(**CONFIG), seed=9)
    assert torch.equal(torch.rand(4), expected)


@pytest.mark.parametrize(("compute", "dtype"), [("fp32", "float32"), ("bf16", "bfloat16")])
@pytest.mark.parametrize("quantization", ["int8", "nf4", "none"])
def test_weights_have_the_type_of_the_computation(
    quantization: str, compute: str, dtype: str
) -> None:
    base = tiny_base(quantization, compute=compute)
    add_adapter(base)
    found = {weight.dtype for weight in read_weights(base.model, "sst2").values()}
    assert found == {getattr(torch, dtype)}


def test_a_taken_name_is_refused() -> None:
    base = tiny_base()
    add_adapter(base)
    with pytest.raises(AdapterError, match="`sst2` is on the model already"):
        attach(base.model, "sst2", lora_config(**CONFIG), seed=1)


@pytest.mark.parametrize("name", ["encoder", "query", "weight", "update", "train", "values"])
def test_a_name_that_the_model_uses_is_refused(name: str) -> None:
    base = tiny_base()
    with pytest.raises(AdapterError, match="choose another"):
        attach(base.model, name, lora_config(**CONFIG), seed=1)
    add_adapter(base)
    with pytest.raises(AdapterError, match="choose another"):
        attach(base.model, name, lora_config(**CONFIG), seed=1)


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_dropout_is_off_until_a_training_switches_it_on(quantization: str) -> None:
    base = tiny_base(quantization)
    add_adapter(base, dropout=0.5)
    with active(base.model, {"sst2": 1.0}):
        assert torch.equal(states(base, TEXTS), states(base, TEXTS))


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_weights_go_in_and_out_whole(quantization: str) -> None:
    base, other = tiny_base(quantization), tiny_base(quantization)
    add_adapter(base, targets=EVERY_TARGET)
    attach(other.model, "renamed", lora_config(**{**CONFIG, "targets": EVERY_TARGET}), seed=7)
    weights = read_weights(base.model, "sst2")
    assert len(weights) == 3 * 6 * 2
    assert "encoder.layer.0.attention.self.query.lora_A.weight" in weights
    write_weights(other.model, "renamed", weights)
    again = read_weights(other.model, "renamed")
    assert again.keys() == weights.keys()
    assert all(torch.equal(again[key], weights[key]) for key in weights)
    with active(base.model, {"sst2": 1.0}), active(other.model, {"renamed": 1.0}):
        assert torch.equal(states(base, TEXTS), states(other, TEXTS))


KEY = "encoder.layer.1.attention.self.value.lora_B.weight"


@pytest.mark.parametrize("fault", ["lacks", "has the unknown", "misshapes"])
def test_faulty_weights_are_refused_by_key_and_change_nothing(fault: str) -> None:
    base = tiny_base()
    add_adapter(base)
    before = {key: weight.clone() for key, weight in read_weights(base.model, "sst2").items()}
    weights = {key: torch.full_like(weight, 9.0) for key, weight in before.items()}
    if fault == "lacks":
        del weights[KEY]
    elif fault == "misshapes":
        weights[KEY] = torch.zeros(32, 5)
    else:
        weights[f"roberta.{KEY}"] = weights[KEY]
    with pytest.raises(AdapterError, match=rf"`sst2` {fault} (roberta\.)?{KEY}"):
        write_weights(base.model, "sst2", weights)
    after = read_weights(base.model, "sst2")
    assert all(torch.equal(after[key], before[key]) for key in before)


@given(
    rank=st.integers(1, 6),
    seed=st.integers(0, 99),
    strength=st.floats(0.01, 10.0),
    weight=st.sampled_from([1.0, -1.0, 0.5]),
)
@settings(deadline=None, max_examples=8)
def test_norms_are_those_of_the_dense_update(
    rank: int, seed: int, strength: float, weight: float
) -> None:
    base = tiny_base("none")
    add_adapter(base, rank=rank, seed=seed, strength=strength, targets=EVERY_TARGET)
    with active(base.model, {"sst2": weight}):
        norms = delta_norms(base.model, "sst2")
        assert len(norms) == 3 * 6
        for path, layer in adapter_layers(base.model):
            dense = layer.get_delta_weight("sst2").double().norm().item()
            assert norms[path] == pytest.approx(dense, rel=1e-5)
            update = layer.lora_B["sst2"].weight @ layer.lora_A["sst2"].weight * 2.0 * weight
            assert norms[path] == pytest.approx(update.double().norm().item(), rel=1e-5)


def test_only_one_adapter_is_trainable() -> None:
    base = tiny_base()
    add_adapter(base, "lower", targets=EVERY_TARGET)
    add_adapter(base, "upper", seed=2)
    parameters = trainable(base.model, "upper")
    assert len(parameters) == 3 * 2 * 2
    with_gradient = {id(p) for p in base.model.parameters() if p.requires_grad}
    assert with_gradient == {id(p) for p in parameters.values()}
    base.model(input_ids=torch.tensor([TEXTS[0]])).last_hidden_state.sum().backward()
    # B is not zero here, so both factors have a gradient.
    assert all(p.grad is not None and p.grad.norm() > 0 for p in parameters.values())
    assert not any(
        "lower" in name for name, p in base.model.named_parameters() if p.grad is not None
    )


def test_training_an_absent_adapter_is_refused() -> None:
    base = tiny_base()
    add_adapter(base)
    with pytest.raises(AdapterError, match="no adapter named `mnli`"):
        trainable(base.model, "mnli")


@pytest.mark.parametrize("target", [*TARGETS])
def test_each_target_names_one_linear_layer_of_each_block(target: str) -> None:
    base = tiny_base("none")
    attach(base.model, "sst2", lora_config(**{**CONFIG, "targets": [target]}), seed=1)
    paths = [path for path, _ in adapter_layers(base.model)]
    assert paths == [f"encoder.layer.{index}.{TARGETS[target]}" for index in range(3)]


def test_targets_spare_poolers_and_heads() -> None:
    import re

    pattern = re.compile(target_pattern(EVERY_TARGET))
    for path in ("pooler.dense", "classifier.dense", "lm_head.dense", "encoder.layer.0.dense"):
        assert not pattern.fullmatch(path)
    assert pattern.fullmatch("roberta.encoder.layer.11.output.dense")
    assert not pattern.fullmatch("encoder.layer.0.attention.self.query.lora_A")


def test_every_linear_layer_of_the_encoder_has_a_target() -> None:
    model = tiny_base("none").model
    linear = {path for path, module in model.named_modules() if isinstance(module, nn.Linear)}
    named = {f"encoder.layer.{i}.{target}" for i in range(3) for target in TARGETS.values()}
    assert linear == named


@pytest.mark.parametrize("layers", [[1], [2, 3], [3, 1], None])
def test_only_the_chosen_layers_get_an_update(layers: list[int] | None) -> None:
    base = tiny_base()
    attach(base.model, "sst2", lora_config(**CONFIG, layers=layers), seed=1)
    numbers = [1, 2, 3] if layers is None else sorted(layers)
    assert [path for path, _ in adapter_layers(base.model)] == [
        f"encoder.layer.{number - 1}.attention.self.{target}"
        for number in numbers
        for target in ("query", "value")
    ]


def test_a_layer_s_number_is_matched_whole() -> None:
    pattern = re.compile(target_pattern(["query"], [1, 11]))
    found = [
        number + 1
        for number in range(24)
        if pattern.fullmatch(f"encoder.layer.{number}.attention.self.query")
    ]
    assert found == [1, 11]
