"""A random adapter is as large as the trained one on every module, and points elsewhere."""

from __future__ import annotations

import pytest
import torch
from builders import EVERY_TARGET, add_adapter, tiny_base
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from adaptstilts.adapter.attach import attach, delta_norms, read_weights, write_weights
from adaptstilts.adapter.lora import lora_config
from adaptstilts.adapter.random import random_like

A, B = ".lora_A.weight", ".lora_B.weight"


def lora(rank: int, inputs: int, outputs: int, *, size: float, seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        f"layer.{number}{A}": torch.randn(rank, inputs, generator=generator) * size
        for number in range(3)
    } | {
        f"layer.{number}{B}": torch.randn(outputs, rank, generator=generator) / size * (number + 1)
        for number in range(3)
    }


def dense(weights: dict[str, Tensor], module: str) -> Tensor:
    return weights[module + B].double() @ weights[module + A].double()


@given(
    st.integers(1, 8),
    st.integers(1, 40),
    st.integers(1, 40),
    st.floats(1e-3, 1e3),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=50, deadline=None)
def test_every_module_keeps_its_norm(
    rank: int, inputs: int, outputs: int, size: float, seed: int
) -> None:
    trained = lora(rank, inputs, outputs, size=size, seed=3)
    drawn = random_like(trained, seed=seed)
    assert {name: value.shape for name, value in drawn.items()} == {
        name: value.shape for name, value in trained.items()
    }
    for number in range(3):
        norms = [float(dense(one, f"layer.{number}").norm()) for one in (trained, drawn)]
        assert norms[1] == pytest.approx(norms[0], rel=1e-5)


def test_the_direction_has_nothing_to_do_with_the_trained_one() -> None:
    trained = lora(4, 24, 24, size=0.1, seed=3)
    cosines = []
    for seed in range(300):
        drawn = random_like(trained, seed=seed)
        for number in range(3):
            one, other = (dense(w, f"layer.{number}").flatten() for w in (trained, drawn))
            cosines.append(float(torch.cosine_similarity(one, other, dim=0)))
    found = torch.tensor(cosines)
    # Five standard errors of a mean of 900 cosines of independent directions.
    assert abs(float(found.mean())) < 5 * float(found.std()) / 30
    assert float(found.std()) < 0.1


def test_seed_and_name_decide_and_the_trained_values_only_scale() -> None:
    trained = lora(4, 10, 12, size=0.1, seed=3)
    one = random_like(trained, seed=1)
    assert all(
        torch.equal(one[name], value) for name, value in random_like(trained, seed=1).items()
    )
    other = random_like(trained, seed=2)
    assert not any(torch.equal(one[name], value) for name, value in other.items())
    assert not torch.equal(one[f"layer.0{A}"], one[f"layer.1{A}"])
    alike = random_like(lora(4, 10, 12, size=7.0, seed=9), seed=1)
    ratio = alike[f"layer.0{A}"] / one[f"layer.0{A}"]
    torch.testing.assert_close(ratio, ratio.mean().expand_as(ratio), rtol=1e-4, atol=0)


def test_on_a_model_the_norms_are_those_of_the_trained_adapter() -> None:
    base = tiny_base()
    add_adapter(base, "trained", targets=EVERY_TARGET)
    attach(
        base.model,
        "drawn",
        lora_config(rank=4, alpha=8, dropout=0.0, targets=EVERY_TARGET),
        seed=1,
    )
    trained = read_weights(base.model, "trained")
    write_weights(base.model, "drawn", random_like(trained, seed=5))
    expected = delta_norms(base.model, "trained")
    assert delta_norms(base.model, "drawn") == pytest.approx(expected, rel=1e-5)


def test_half_an_adapter_is_refused() -> None:
    trained = lora(4, 10, 12, size=0.1, seed=3)
    del trained[f"layer.1{B}"]
    with pytest.raises(ValueError, match=r"layer\.1\.lora_B\.weight has no partner"):
        random_like(trained, seed=1)
