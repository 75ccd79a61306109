"""Named, exact ways to mine BUCC: layer, pooling, margin, threshold, repeats. No torch here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal

from adaptstilts.metric.mining import Margin, Retrieval

Repeats = Literal["text", "drop", "every"]
"""How a text that has several identifiers is counted: once, not at all, or under each of them."""


@dataclass(frozen=True)
class MiningProtocol:
    """How a published benchmark mines and scores; all search by cosine.

    Attributes:
        name: As a recipe writes it.
        layer: Index into `hidden_states` (0 is the embeddings) by the encoder's number of layers;
            an encoder of another depth has none.
        pooling: `mean` over all tokens with `<s>` and `</s>`, or `cls`, the state of `<s>`.
        max_length: Most tokens of a sentence.
        k: Size of a neighbourhood.
        margin: Kind of margin.
        retrieval: Which pairs become candidates.
        repeats: `text` counts pairs of distinct texts, so that any identifier of an equal text is
            right; `drop` takes candidates with a repeated text out and leaves gold as it is;
            `every` predicts all identifiers of a pair's texts.
        threshold_from: `dev`: the best on the dev set's gold, applied to the test set; `scored`:
            the best on the very gold that is scored, which makes the figure an oracle's.
        source: Where it is defined.
    """

    name: str
    layer: Mapping[int, int]
    pooling: Literal["mean", "cls"]
    max_length: int
    k: int
    margin: Margin
    retrieval: Retrieval
    repeats: Repeats
    threshold_from: Literal["dev", "scored"]
    source: str

    @property
    def is_oracle(self) -> bool:
        """Whether the threshold is chosen on the gold that is scored."""
        return self.threshold_from == "scored"


# `--specific_layer 7` counts among the last 12 outputs, since the script never passes its NLAYER=24
# on: hidden_states[20] of XLM-R Large, and hidden_states[8] of a 12-layer encoder such as mBERT.
_XTREME_LAYER: Final = MappingProxyType({12: 8, 24: 20})

MINING_PROTOCOLS: Final[Mapping[str, MiningProtocol]] = MappingProxyType(
    {
        protocol.name: protocol
        for protocol in (
            MiningProtocol(
                name="xtreme-paper",
                layer=_XTREME_LAYER,
                pooling="mean",
                max_length=512,
                k=4,
                margin="ratio",
                retrieval="max",
                repeats="drop",
                threshold_from="dev",
                source="XTREME scripts/run_bucc2018.sh; third_party/evaluate_retrieval.py, which "
                "ignored --pool_type until 287a7b7 (2021-10-07); third_party/utils_retrieve.py",
            ),
            MiningProtocol(
                name="xtreme-head",
                layer=_XTREME_LAYER,
                pooling="cls",
                max_length=512,
                k=4,
                margin="ratio",
                retrieval="max",
                repeats="drop",
                threshold_from="dev",
                source="XTREME scripts/run_bucc2018.sh (--pool_type cls, --specific_layer 7) as it "
                "is meant; as it stands it stops at an undefined threshold (issues #60, #69)",
            ),
            MiningProtocol(
                name="jiant",
                layer=MappingProxyType({24: 14}),
                pooling="mean",
                max_length=512,
                k=4,
                margin="ratio",
                retrieval="max",
                repeats="every",
                threshold_from="scored",
                source="jiant guides/benchmarks/xtreme.md (pooler_type mean, layer 14; @daa5a25); "
                "jiant/tasks/lib/bucc2018.py; jiant/tasks/evaluate/core.py",
            ),
        )
    }
)


def mining_layer(protocol: MiningProtocol, *, asked: int | None, layers: int) -> tuple[int, str]:
    """The layer that is mined, and why.

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
        if not 0 <= asked <= layers:
            raise LookupError(f"layer {asked} is not there: the base has layers 0 to {layers}")
        return asked, "named in the recipe"
    if layers not in protocol.layer:
        named = " and ".join(
            f"hidden_states[{index}] of a {depth}-layer base"
            for depth, index in protocol.layer.items()
        )
        raise LookupError(
            f"protocol {protocol.name} reads {named}, and this one has {layers} layers; name the "
            "layer, such as `layer: 4`, and do not choose it by its score"
        )
    return protocol.layer[layers], f"protocol {protocol.name}"
