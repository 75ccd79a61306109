"""Named, exact ways to score retrieval: layer, direction, metric. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Direction = Literal["en-xx", "xx-en", "both"]
Metric = Literal["accuracy", "f1"]

EN_XX: Direction = "en-xx"
XX_EN: Direction = "xx-en"
BOTH: Direction = "both"


@dataclass(frozen=True)
class Protocol:
    """How a published benchmark scores retrieval; all pool by the mean and search by cosine.

    Attributes:
        name: As a recipe writes it.
        layer: Index into `hidden_states` for an encoder of `layers` layers; None where the
            protocol reads the last layer of any encoder.
        layers: The encoder that `layer` was meant for.
        directions: Who asks: `en-xx` means English queries over foreign candidates. The first is
            the headline's.
        metrics: The first is the headline's.
        source: Where it is defined.
    """

    name: str
    layer: int | None
    layers: int | None
    directions: tuple[Direction, ...]
    metrics: tuple[Metric, ...]
    source: str


PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            name="xtreme",
            layer=14,
            layers=24,
            directions=(EN_XX,),
            metrics=("accuracy",),
            source="XTREME scripts/run_tatoeba.sh (specific_layer 13 of the 24 layers' outputs)",
        ),
        Protocol(
            name="jiant",
            layer=14,
            layers=24,
            directions=(EN_XX,),
            metrics=("accuracy",),
            source="jiant guides/benchmarks/xtreme.md (pooler_type mean, layer 14; @daa5a25)",
        ),
        Protocol(
            name="mteb",
            layer=None,
            layers=None,
            directions=(XX_EN,),
            metrics=("f1", "accuracy"),
            source="MTEB abstasks/bitext mining (last layer, weighted F1)",
        ),
        Protocol(
            name="both",
            layer=14,
            layers=24,
            directions=(BOTH, EN_XX, XX_EN),
            metrics=("accuracy",),
            source="LASER and Heffernan et al. 2022 report both directions; layer as in XTREME",
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
