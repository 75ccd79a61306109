"""Which layer, direction and metric a named protocol means."""

from __future__ import annotations

import pytest

from adaptstilts.alignment.corpus import MAX_LENGTH
from adaptstilts.alignment.protocol import PROTOCOLS, Protocol, headline_layer


@pytest.mark.parametrize(
    ("name", "layer", "direction", "metric"),
    [
        ("xtreme", 14, "en-xx", "accuracy"),
        ("jiant", 14, "en-xx", "accuracy"),
        ("mteb", 24, "xx-en", "f1"),
        ("both", 14, "both", "accuracy"),
        ("xsim", 24, "xx-en", "xsim_error"),
    ],
)
def test_headline_on_xlm_r_large(name: str, layer: int, direction: str, metric: str) -> None:
    protocol = PROTOCOLS[name]
    assert headline_layer(protocol, asked=None, layers=24)[0] == layer
    assert protocol.directions[0] == direction
    assert protocol.metrics[0] == metric
    assert protocol.name == name


@pytest.mark.parametrize("name", ["xtreme", "jiant", "both"])
@pytest.mark.parametrize("layers", [6, 12, 25])
def test_a_protocol_names_no_layer_for_another_depth(name: str, layers: int) -> None:
    with pytest.raises(LookupError, match=rf"24-layer base, and this one has {layers}; name the"):
        headline_layer(PROTOCOLS[name], asked=None, layers=layers)


@pytest.mark.parametrize("name", ["mteb", "xsim"])
@pytest.mark.parametrize("layers", [6, 12, 24])
def test_these_read_the_last_layer_of_any_base(name: str, layers: int) -> None:
    layer, why = headline_layer(PROTOCOLS[name], asked=None, layers=layers)
    assert layer == layers
    assert "last layer" in why


@pytest.mark.parametrize("name", [*PROTOCOLS])
@pytest.mark.parametrize("asked", [0, 4, 6])
def test_a_layer_named_in_the_recipe_wins(name: str, asked: int) -> None:
    assert headline_layer(PROTOCOLS[name], asked=asked, layers=6) == (asked, "named in the recipe")


def test_a_layer_that_is_not_there_is_refused() -> None:
    with pytest.raises(LookupError, match="layer 7 is not there: the base has layers 0 to 6"):
        headline_layer(PROTOCOLS["xtreme"], asked=7, layers=6)


@pytest.mark.parametrize(
    ("name", "layer_rule", "search", "k", "max_length"),
    [
        ("xtreme", "14 of 24", "cosine", 1, 512),
        ("jiant", "14 of 24", "cosine", 1, 512),
        ("mteb", "last", "cosine", 1, None),
        ("both", "14 of 24", "cosine", 1, 512),
        ("xsim", "last", "ratio_margin", 4, None),
    ],
)
def test_a_protocol_says_how_it_searches(
    name: str, layer_rule: str, search: str, k: int, max_length: int | None
) -> None:
    protocol = PROTOCOLS[name]
    assert (protocol.layer_rule, protocol.search, protocol.k) == (layer_rule, search, k)
    assert protocol.max_length == max_length


@pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=[*PROTOCOLS])
def test_metrics_fit_the_declared_search(protocol: Protocol) -> None:
    by_margin = {"accuracy_margin", "xsim_error"}
    assert (protocol.search == "ratio_margin") == bool(by_margin & set(protocol.metrics))
    assert (protocol.pooling, protocol.special_pieces) == ("mean", "included")
    assert protocol.normalization == "l2"
    assert protocol.max_length in (MAX_LENGTH, None)
