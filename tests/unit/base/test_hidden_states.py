"""Hidden states equal transformers' own, and stopping early changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from builders import EVERY_TARGET, QUANTIZATIONS, add_adapter, padded, states, tiny_base, token_ids

from adaptstilts.base.hidden_states import (
    first_layers,
    mean_pool,
    pooled_states,
    pooled_states_from,
    state_after,
)
from adaptstilts.composition.activate import active

TEXTS = token_ids(6, seed=3, longest=20)
ALL = [0, 1, 2, 3]


def independent_means(base: object, texts: list[list[int]]) -> np.ndarray:
    """Each sentence alone through transformers' own `output_hidden_states`, averaged by numpy."""
    rows = []
    for text in texts:
        with torch.no_grad():
            hidden = base.model(
                input_ids=torch.tensor([text]), output_hidden_states=True
            ).hidden_states
        rows.append([layer[0].double().numpy().mean(axis=0) for layer in hidden])
    return np.array(rows).transpose(1, 0, 2)


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_equals_transformers_hidden_states(quantization: str) -> None:
    base = tiny_base(quantization)
    # Outlier columns make llm_int8 depend on the batch, so its sentences go one at a time.
    texts = TEXTS if quantization != "llm_int8" else TEXTS[:1]
    ours = pooled_states(base.model, *padded(texts), ALL)
    assert ours.dtype == torch.float32
    assert ours.shape == (4, len(texts), 32)
    np.testing.assert_allclose(ours.numpy(), independent_means(base, texts), atol=2e-5)


def test_both_special_tokens_count_and_padding_does_not() -> None:
    values = torch.tensor([[[1.0], [2.0], [6.0], [100.0]]])
    mask = torch.tensor([[1, 1, 1, 0]])
    assert mean_pool(values, mask).tolist() == [[3.0]]


@pytest.mark.parametrize("quantization", ["int8", "none"])
def test_cls_is_the_state_of_the_first_token(quantization: str) -> None:
    base = tiny_base(quantization)
    ours = pooled_states(base.model, *padded(TEXTS), ALL, pooling="cls")
    assert ours.dtype == torch.float32
    assert ours.shape == (4, len(TEXTS), 32)
    for index, text in enumerate(TEXTS):
        with torch.no_grad():
            hidden = base.model(
                input_ids=torch.tensor([text]), output_hidden_states=True
            ).hidden_states
        alone = np.stack([layer[0, 0].numpy() for layer in hidden])
        np.testing.assert_allclose(ours[:, index].numpy(), alone, atol=2e-5)


def test_mean_is_what_is_pooled_unless_cls_is_asked_for() -> None:
    base = tiny_base()
    input_ids, mask = padded(TEXTS)
    mean = pooled_states(base.model, input_ids, mask, ALL)
    assert torch.equal(mean, pooled_states(base.model, input_ids, mask, ALL, pooling="mean"))
    with torch.no_grad():
        last = base.model(input_ids=input_ids, attention_mask=mask).last_hidden_state
    assert torch.equal(mean[3], mean_pool(last, mask))  # bit-equal
    cls = pooled_states(base.model, input_ids, mask, ALL, pooling="cls")
    assert torch.equal(cls[3], last[:, 0])
    assert not torch.isclose(cls, mean).all(dim=2).any()


@pytest.mark.parametrize("with_adapter", [False, True])
@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_early_exit_is_bit_equal(quantization: str, with_adapter: bool) -> None:
    base = tiny_base(quantization)
    weights = {}
    if with_adapter:
        add_adapter(base)
        weights = {"sst2": 1.0}
    input_ids, mask = padded(TEXTS)
    with active(base.model, weights):
        whole = pooled_states(base.model, input_ids, mask, ALL)
        for layer in ALL:
            early = pooled_states(base.model, input_ids, mask, [layer])
            assert torch.equal(early[0], whole[layer])


@pytest.mark.parametrize("pooling", ["mean", "cls"])
@pytest.mark.parametrize("with_adapter", [False, True])
@pytest.mark.parametrize("quantization", ["int8", "none"])
def test_going_on_from_a_state_is_bit_equal(
    quantization: str, with_adapter: bool, pooling: str
) -> None:
    base = tiny_base(quantization)
    input_ids, mask = padded(TEXTS)
    for count in (0, 1, 2):
        # Only layers above those that are shared have an update; the state is the bare base's.
        name = f"above{count}"
        if with_adapter:
            add_adapter(base, name, layers=range(count + 1, 4), targets=EVERY_TARGET, seed=count)
        weights = {name: 1.0} if with_adapter else {}
        below = list(range(count + 1))
        state, pooled = state_after(base.model, input_ids, mask, count, layers=below)
        assert torch.equal(torch.stack(pooled), pooled_states(base.model, input_ids, mask, below))
        above = list(range(count + 1, 4))
        with active(base.model, weights):
            whole = pooled_states(base.model, input_ids, mask, above, pooling=pooling)
            for layers in (above, above[-1:], above[:1], above[::-1]):
                further = pooled_states_from(
                    base.model, input_ids, mask, layers, state=state, count=count, pooling=pooling
                )
                assert torch.equal(further, whole[[layer - count - 1 for layer in layers]])
        bare = pooled_states(base.model, input_ids, mask, above, pooling=pooling)
        assert torch.equal(whole, bare) != with_adapter


def test_a_state_is_transformers_own() -> None:
    base = tiny_base()
    input_ids, mask = padded(TEXTS)
    with torch.no_grad():
        hidden = base.model(
            input_ids=input_ids, attention_mask=mask, output_hidden_states=True
        ).hidden_states
    for count, expected in enumerate(hidden):
        assert torch.equal(state_after(base.model, input_ids, mask, count)[0], expected)


def test_layers_below_the_state_do_not_run_again() -> None:
    base = tiny_base()
    input_ids, mask = padded(TEXTS)
    state, _ = state_after(base.model, input_ids, mask, 1)
    ran: list[int] = []
    for index, layer in enumerate(base.model.encoder.layer):
        layer.register_forward_hook(lambda *_, index=index: ran.append(index))
    pooled_states_from(base.model, input_ids, mask, [2], state=state, count=1)
    assert ran == [1]


def test_model_is_whole_again_after_going_on() -> None:
    base = tiny_base()
    whole, before = base.model.encoder.layer, states(base, TEXTS)
    input_ids, mask = padded(TEXTS)
    state, _ = state_after(base.model, input_ids, mask, 1)
    pooled_states_from(base.model, input_ids, mask, [2, 3], state=state, count=1)
    with pytest.raises(KeyError):
        pooled_states_from(
            base.model, input_ids, mask, [2], state=state, count=1, pooling="largest"
        )
    assert base.model.encoder.layer is whole
    assert not any(module._forward_hooks for module in base.model.modules())
    assert torch.equal(states(base, TEXTS), before)


def test_layers_come_in_the_order_asked_for_and_may_repeat() -> None:
    base = tiny_base()
    input_ids, mask = padded(TEXTS)
    whole = pooled_states(base.model, input_ids, mask, ALL)
    some = pooled_states(base.model, input_ids, mask, [2, 0, 2])
    assert torch.equal(some, whole[[2, 0, 2]])


def test_only_the_layers_that_are_needed_run() -> None:
    base = tiny_base()
    ran: list[int] = []
    for index, layer in enumerate(base.model.encoder.layer):
        layer.register_forward_hook(lambda *_, index=index: ran.append(index))
    pooled_states(base.model, *padded(TEXTS), [0, 2])
    assert ran == [0, 1]
    ran.clear()
    pooled_states(base.model, *padded(TEXTS), [0])
    assert ran == []


def test_model_is_whole_again_afterwards() -> None:
    base = tiny_base()
    whole, before = base.model.encoder.layer, states(base, TEXTS)
    pooled_states(base.model, *padded(TEXTS), [1])
    assert base.model.encoder.layer is whole
    assert not any(module._forward_hooks for module in base.model.modules())
    assert torch.equal(states(base, TEXTS), before)


def test_model_is_whole_again_after_an_exception() -> None:
    base = tiny_base()
    whole = base.model.encoder.layer
    input_ids, mask = padded(TEXTS)
    input_ids[0, 1] = 10_000  # no such piece
    with pytest.raises(IndexError):
        pooled_states(base.model, input_ids, mask, [1, 2])
    assert base.model.encoder.layer is whole
    assert len(whole) == 3
    assert not any(module._forward_hooks for module in base.model.modules())
    with first_layers(base.model, 1):
        assert len(base.model.encoder.layer) == 1
    with pytest.raises(KeyboardInterrupt), first_layers(base.model, 1):
        raise KeyboardInterrupt
    assert base.model.encoder.layer is whole
