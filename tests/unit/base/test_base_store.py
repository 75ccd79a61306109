"""A whole encoder in one int8 file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from builders import tiny_encoder
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from adaptstilts.base.store import load, pack, save


@given(seed=st.integers(0, 1000), exponent=st.integers(-30, 30))
@settings(deadline=None, max_examples=30)
def test_matrices_come_back_within_half_a_step(seed: int, exponent: int) -> None:
    matrix = torch.randn(7, 11, generator=torch.Generator().manual_seed(seed)) * 10.0**exponent
    packed = pack({"m": matrix})
    step = packed["m.scale"].unsqueeze(1)
    assert packed["m"].dtype == torch.int8
    assert ((packed["m"] * step - matrix).abs() <= 0.5001 * step).all()


def test_rows_of_zeros_stay_zero() -> None:
    packed = pack({"m": torch.tensor([[0.0, 0.0], [1.0, -2.0]])})
    assert packed["m"].tolist() == [[0, 0], [64, -127]]
    assert (packed["m.scale"] > torch.finfo(torch.float32).tiny / 2).all()


def test_an_encoder_comes_back_with_all_names_and_shapes(tmp_path: Path) -> None:
    state = tiny_encoder().state_dict()
    save(state, tmp_path / "m.safetensors")
    restored = load(tmp_path / "m.safetensors")
    assert {name: tensor.shape for name, tensor in restored.items()} == {
        name: tensor.shape for name, tensor in state.items()
    }
    assert all(tensor.dtype == torch.float32 for tensor in restored.values())
    for name, tensor in state.items():
        torch.testing.assert_close(restored[name], tensor, atol=0.01, rtol=0.01)


def test_packing_twice_changes_nothing_more(tmp_path: Path) -> None:
    save(tiny_encoder().state_dict(), tmp_path / "one.safetensors")
    once = load(tmp_path / "one.safetensors")
    save(once, tmp_path / "two.safetensors")
    twice = load(tmp_path / "two.safetensors")
    for name, tensor in once.items():
        torch.testing.assert_close(twice[name], tensor, rtol=1e-6, atol=0)


def test_another_format_is_refused(tmp_path: Path) -> None:
    save_file({"m": torch.zeros(2)}, tmp_path / "m.safetensors")
    with pytest.raises(ValueError, match="has the format None, not 'adaptstilts-int8'"):
        load(tmp_path / "m.safetensors")
