"""Named, exact ways to score retrieval: layer, search, direction, metric. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["en-xx", "xx-en", "both"]
Metric = Literal[
    "accuracy",
    "f1",
    "mrr",
    "accuracy_margin",
    "accuracy_csls",
    "accuracy_strong",
    "xsim_error",
    "cosine_gap",
]
Search = Literal["cosine", "ratio_margin"]

EN_XX: Direction = "en-xx"
XX_EN: Direction = "xx-en"
BOTH: Direction = "both"

# Metrics whose outcome in one direction is 0 or 1 for each query.
SHARES: frozenset[Metric] = frozenset(
    {"accuracy", "accuracy_margin", "accuracy_csls", "accuracy_strong", "xsim_error"}
)

# Neighbours that the ratio margin rescores and averages over: LASER source/xsim.py, `k`.
RATIO_K = 4
# Neighbours of cross-domain similarity local scaling: Conneau et al. 2018, section 2.3.
CSLS_K = 10


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How a published benchmark scores retrieval.

    Attributes:
        name: As a recipe writes it.
        layer: Index into `hidden_states` for an encoder of `layers` layers; None where the
            protocol reads the last layer of any encoder.
        layers: The encoder that `layer` was meant for.
        pooling: How a sentence's vector is made of its pieces'.
        special_pieces: Whether `<s>` and `</s>` are among those pieces.
        normalization: What is done to vectors before they are compared.
        search: What makes a candidate the best.
        k: Neighbours that the search looks at.
        directions: Who asks: `en-xx` means English queries over foreign candidates. The first is
            the headline's.
        metrics: The first is the headline's.
        max_length: Most pieces of a sentence; None where it is the encoder's own limit.
        source: Where it is defined.
    """

    name: str
    layer: int | None
    layers: int | None
    pooling: Literal["mean"] = "mean"
    special_pieces: Literal["included"] = "included"
    normalization: Literal["l2"] = "l2"
    search: Search
    k: int
    directions: tuple[Direction, ...]
    metrics: tuple[Metric, ...]
    max_length: int | None
    source: str

    @property
    def layer_rule(self) -> str:
        """The layer in words, such as `last` or `14 of 24`."""
        return "last" if self.layer is None else f"{self.layer} of {self.layers}"


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            name="xtreme",
            layer=14,
            layers=24,
            search="cosine",
            k=1,
            directions=(EN_XX,),
            metrics=("accuracy",),
            max_length=512,
            source="XTREME scripts/run_tatoeba.sh (specific_layer 13 of the 24 layers' outputs)",
        ),
        Protocol(
            name="jiant",
            layer=14,
            layers=24,
            search="cosine",
            k=1,
            directions=(EN_XX,),
            metrics=("accuracy",),
            max_length=512,
            source="jiant guides/benchmarks/xtreme.md (pooler_type mean, layer 14; @daa5a25)",
        ),
        Protocol(
            name="mteb",
            layer=None,
            layers=None,
            search="cosine",
            k=1,
            directions=(XX_EN,),
            metrics=("f1", "accuracy"),
            max_length=None,
            source="MTEB abstasks/bitext mining (last layer, weighted F1)",
        ),
        Protocol(
            name="both",
            layer=14,
            layers=24,
            search="cosine",
            k=1,
            directions=(BOTH, EN_XX, XX_EN),
            metrics=("accuracy",),
            max_length=512,
            source="LASER and Heffernan et al. 2022 report both directions; layer as in XTREME",
        ),
        Protocol(
            name="xsim",
            layer=None,
            layers=None,
            search="ratio_margin",
            k=RATIO_K,
            directions=(XX_EN,),
            metrics=("xsim_error",),
            max_length=None,
            source="LASER source/xsim.py (margin ratio, k 4; errors by index; @7fb053d)",
        ),
    )
}


def headline_layer(protocol: Protocol, *, asked: int | None, layers: int) -> tuple[int, str]:
    """The layer that a headline figure is read from, and why.

    Args:
        protocol: The protocol.
        asked: The layer that the recipe names, if any.
        layers: Layers of the base.

    Returns:
        Index into `hidden_states` and the reason in words.

    Raises:
        LookupError: The protocol names no layer for a base of this depth, or the layer that was
            asked for is not there; the text says what to write.
    """
    if asked is not None:
        if asked > layers:
            raise LookupError(f"layer {asked} is not there: the base has layers 0 to {layers}")
        return asked, "named in the recipe"
    if protocol.layer is None:
        return layers, f"protocol {protocol.name} reads the last layer"
    if protocol.layers != layers:
        raise LookupError(
            f"protocol {protocol.name} reads hidden_states[{protocol.layer}] of a "
            f"{protocol.layers}-layer base, and this one has {layers}; name the headline's layer, "
            "such as `layer: 4`, and do not choose it by its score"
        )
    return protocol.layer, f"protocol {protocol.name}"
