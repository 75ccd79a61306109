"""What the named ways to mine mean."""

from __future__ import annotations

import pytest

from adaptstilts.alignment.mining_protocol import MINING_PROTOCOLS, mining_layer


@pytest.mark.parametrize(
    ("name", "layer", "pooling", "repeats", "is_oracle"),
    [
        ("xtreme-paper", 20, "mean", "drop", False),
        ("xtreme-head", 20, "cls", "drop", False),
        ("jiant", 14, "mean", "every", True),
    ],
)
def test_on_xlm_r_large(name: str, layer: int, pooling: str, repeats: str, is_oracle: bool) -> None:
    protocol = MINING_PROTOCOLS[name]
    assert protocol.name == name
    assert mining_layer(protocol, asked=None, layers=24) == (layer, f"protocol {name}")
    assert (protocol.pooling, protocol.repeats) == (pooling, repeats)
    assert (protocol.k, protocol.margin, protocol.retrieval) == (4, "ratio", "max")
    assert protocol.max_length == 512
    assert protocol.is_oracle is is_oracle


@pytest.mark.parametrize("layers", [12, 24])
@pytest.mark.parametrize("name", ["xtreme-paper", "xtreme-head"])
def test_xtreme_s_layer_is_the_eighth_of_the_last_twelve(name: str, layers: int) -> None:
    outputs = list(range(layers + 1))  # what transformers returns, the embeddings first
    assert mining_layer(MINING_PROTOCOLS[name], asked=None, layers=layers)[0] == outputs[-12:][7]


@pytest.mark.parametrize("name", [*MINING_PROTOCOLS])
def test_another_depth_needs_a_layer(name: str) -> None:
    protocol = MINING_PROTOCOLS[name]
    with pytest.raises(LookupError, match="this one has 6 layers; name the layer"):
        mining_layer(protocol, asked=None, layers=6)
    assert mining_layer(protocol, asked=4, layers=6) == (4, "named in the recipe")
    for asked in (-1, 7):
        with pytest.raises(LookupError, match=f"layer {asked} is not there: the base has layers 0"):
            mining_layer(protocol, asked=asked, layers=6)
