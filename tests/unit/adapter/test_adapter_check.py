"""An adapter that does nothing is found out."""

from __future__ import annotations

import pytest
import torch
from builders import TINY, add_adapter, states, tiny_base, token_ids

from adaptstilts.adapter.attach import adapter_layers, attach
from adaptstilts.adapter.check import check_is_on, probe_ids
from adaptstilts.adapter.lora import lora_config
from adaptstilts.errors import AdapterError


def test_an_adapter_that_works_passes_and_is_left_off() -> None:
    base = tiny_base()
    before = states(base, token_ids(2))
    add_adapter(base)
    check_is_on(base, "sst2")
    assert all(layer.disable_adapters for _, layer in adapter_layers(base.model))
    assert torch.equal(states(base, token_ids(2)), before)


def test_a_fresh_adapter_does_nothing() -> None:
    base = tiny_base()
    config = lora_config(rank=2, alpha=4, dropout=0.0, targets=["query", "value"])
    attach(base.model, "sst2", config, seed=1)
    with pytest.raises(AdapterError, match=r"does nothing on encoder\.layer\.0.*6 of 6"):
        check_is_on(base, "sst2")


@pytest.mark.parametrize("value", [0.0, float("nan")])
def test_one_dead_module_is_named(value: float) -> None:
    base = tiny_base()
    add_adapter(base)
    path, layer = list(adapter_layers(base.model))[3]
    layer.lora_B["sst2"].weight.data.fill_(value)
    with pytest.raises(AdapterError, match=rf"does nothing on {path} \(1 of 6"):
        check_is_on(base, "sst2")


def test_an_absent_adapter_does_nothing() -> None:
    base = tiny_base()
    with pytest.raises(AdapterError, match="on any module"):
        check_is_on(base, "sst2")


@pytest.mark.parametrize("strength", [1e-30, 1e36])
def test_an_update_beyond_the_precision_of_the_base_is_refused(strength: float) -> None:
    base = tiny_base("none")
    add_adapter(base, strength=strength)
    with pytest.raises(AdapterError, match="do not move, or are no numbers"):
        check_is_on(base, "sst2")


def test_probe_fits_whole_and_trimmed_bases() -> None:
    base = tiny_base()
    assert probe_ids(base) == [0, 4, 5, 6, 7, 8, 9, 10, 11, 2]
    base.trim_vocabulary([0, 1, 2, 3, TINY.pieces - 1])
    assert probe_ids(base) == [0, 4, 2]
    add_adapter(base)
    check_is_on(base, "sst2")
