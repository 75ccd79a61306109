"""What a system computes: the laws of scaling and switching."""

from __future__ import annotations

import functools

import pytest
import torch
from builders import EVERY_TARGET, QUANTIZATIONS, add_adapter, states, tiny_base, token_ids
from hypothesis import given, settings
from hypothesis import strategies as st

from adaptstilts.adapter.attach import adapter_layers
from adaptstilts.base.load import Base
from adaptstilts.composition.activate import active
from adaptstilts.composition.expression import adapter_weights
from adaptstilts.errors import CompositionError
from adaptstilts.recipe.system import Scale, ScaleSystem

TEXTS = token_ids(3)
factor = st.floats(-3, 3).filter(lambda value: abs(value) > 1e-3)


@functools.cache
def base_with_two() -> Base:
    base = tiny_base()
    add_adapter(base, "sst2", seed=1, targets=EVERY_TARGET, strength=0.1)
    add_adapter(base, "mnli", seed=2, targets=("query", "value"), strength=0.1)
    return base


def scaled(system: str | ScaleSystem, by: float) -> ScaleSystem:
    return ScaleSystem(scale=Scale(of=system, by=by))


def computed(base: Base, weights: dict[str, float]) -> torch.Tensor:
    with active(base.model, weights):
        return states(base, TEXTS)


@pytest.mark.parametrize(
    ("system", "weights"),
    [
        ("none", {}),
        ("sst2", {"sst2": 1.0}),
        (scaled("sst2", -1), {"sst2": -1.0}),
        (scaled("sst2", 0), {"sst2": 0.0}),
        (scaled(scaled("sst2", 0.5), -4), {"sst2": -2.0}),
        (scaled("none", 3), {}),
    ],
)
def test_expressions_mean_weights(system: str | ScaleSystem, weights: dict[str, float]) -> None:
    assert adapter_weights(system) == weights


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_no_adapter_and_scale_0_are_the_base_bit_for_bit(quantization: str) -> None:
    base = tiny_base(quantization)
    before = states(base, TEXTS)
    add_adapter(base)
    assert torch.equal(computed(base, {}), before)
    assert torch.equal(computed(base, adapter_weights(scaled("sst2", 0))), before)
    assert torch.equal(computed(base, adapter_weights(scaled("none", 2))), before)


def test_scale_1_is_the_adapter() -> None:
    base = base_with_two()
    plain = computed(base, adapter_weights("sst2"))
    assert torch.equal(computed(base, adapter_weights(scaled("sst2", 1))), plain)
    assert not torch.equal(plain, computed(base, {}))


@given(a=factor, b=factor)
@settings(deadline=None, max_examples=15)
def test_a_scale_of_a_scale_is_their_product(a: float, b: float) -> None:
    twice, once = scaled(scaled("sst2", a), b), scaled("sst2", a * b)
    assert adapter_weights(twice) == adapter_weights(once)
    base = base_with_two()
    assert torch.equal(
        computed(base, adapter_weights(twice)), computed(base, adapter_weights(once))
    )


@given(by=factor)
@settings(deadline=None, max_examples=10)
def test_negating_twice_is_nothing(by: float) -> None:
    system = scaled("sst2", by)
    assert adapter_weights(scaled(scaled(system, -1), -1)) == adapter_weights(system)


@given(weight=factor)
@settings(deadline=None, max_examples=10)
def test_a_weight_multiplies_the_dense_update(weight: float) -> None:
    base = base_with_two()
    layer = next(layer for _, layer in adapter_layers(base.model))
    x = torch.randn(2, 3, 32)
    with torch.no_grad():
        plain = layer.get_base_layer()(x)
        a, b = layer.lora_A["sst2"].weight, layer.lora_B["sst2"].weight
        with active(base.model, {"sst2": weight}):
            found = layer(x)
    torch.testing.assert_close(found, plain + weight * 2.0 * (x @ a.T @ b.T))


def test_several_adapters_add_up_in_any_order() -> None:
    base = base_with_two()
    layer = next(layer for _, layer in adapter_layers(base.model))
    x = torch.randn(2, 3, 32)
    with torch.no_grad():
        plain = layer(x)
        with active(base.model, {"sst2": 1.0}):
            one = layer(x) - plain
        with active(base.model, {"mnli": -0.5}):
            two = layer(x) - plain
        with active(base.model, {"sst2": 1.0, "mnli": -0.5}):
            both = layer(x) - plain
    torch.testing.assert_close(both, one + two, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(
        computed(base, {"mnli": -0.5, "sst2": 1.0}), computed(base, {"sst2": 1.0, "mnli": -0.5})
    )


def restored(base: Base) -> bool:
    return all(
        layer.disable_adapters and all(value == 2.0 for value in layer.scaling.values())
        for _, layer in adapter_layers(base.model)
    )


def test_all_is_off_and_unscaled_afterwards() -> None:
    base = tiny_base()
    before = states(base, TEXTS)
    add_adapter(base, "sst2")
    add_adapter(base, "mnli", seed=2)
    computed(base, {"sst2": -3.0, "mnli": 0.1})
    assert restored(base)
    assert torch.equal(states(base, TEXTS), before)
    with pytest.raises(KeyboardInterrupt), active(base.model, {"sst2": -3.0}):
        raise KeyboardInterrupt
    assert restored(base)
    assert torch.equal(states(base, TEXTS), before)


def test_what_was_active_before_does_not_matter() -> None:
    base = base_with_two()
    expected = computed(base, {"sst2": 0.5})
    computed(base, {"sst2": -2.0, "mnli": 3.0})
    assert torch.equal(computed(base, {"sst2": 0.5}), expected)


def test_nothing_is_trainable_while_a_system_is_active() -> None:
    base = base_with_two()
    with active(base.model, {"sst2": 1.0, "mnli": 1.0}):
        assert not any(parameter.requires_grad for parameter in base.model.parameters())


def test_an_adapter_that_is_not_there_is_refused() -> None:
    base = base_with_two()
    with (
        pytest.raises(CompositionError, match="`sst` is not on the model"),
        active(base.model, {"sst2": 1.0, "sst": 1.0}),
    ):
        pass
    assert restored(base)


def test_scale_0_is_the_base_even_if_the_update_is_no_number() -> None:
    base = tiny_base()
    before = states(base, TEXTS)
    add_adapter(base)
    next(layer for _, layer in adapter_layers(base.model)).lora_B["sst2"].weight.data.fill_(
        float("inf")
    )
    assert torch.equal(computed(base, {"sst2": 0.0}), before)
