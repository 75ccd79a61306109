"""The dimensions of an encoder, known without loading it and without torch."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Shape:
    """Dimensions of an XLM-R-shaped encoder.

    Attributes:
        layers: Transformer layers.
        width: Hidden size.
        heads: Attention heads in a layer.
        intermediate: Width of the feed-forward layer.
        pieces: Vocabulary size.
        positions: Rows of the position table (two more than the longest input).
    """

    layers: int
    width: int
    heads: int
    intermediate: int
    pieces: int
    positions: int

    @property
    def linear_parameters(self) -> int:
        """Weights of the linear layers, without biases: what quantization touches."""
        return self.layers * (4 * self.width**2 + 2 * self.width * self.intermediate)

    @property
    def parameters(self) -> int:
        """All parameters of the encoder without a pooler."""
        layer_rest = 4 * self.width + self.intermediate + self.width + 4 * self.width
        tables = (self.pieces + self.positions + 1) * self.width + 2 * self.width
        return self.linear_parameters + self.layers * layer_rest + tables


# The released sizes of XLM-R (Conneau et al. 2020, table 5; config.json of the hub repositories).
XLM_R_LARGE = Shape(24, 1024, 16, 4096, 250_002, 514)
XLM_R_BASE = Shape(12, 768, 12, 3072, 250_002, 514)
KNOWN_SHAPES = {
    "FacebookAI/xlm-roberta-large": XLM_R_LARGE,
    "xlm-roberta-large": XLM_R_LARGE,
    "FacebookAI/xlm-roberta-base": XLM_R_BASE,
    "xlm-roberta-base": XLM_R_BASE,
}


def read_shape(config: Path) -> Shape:
    """Dimensions from a transformers `config.json`."""
    values = json.loads(config.read_text(encoding="utf-8"))
    return Shape(
        layers=values["num_hidden_layers"],
        width=values["hidden_size"],
        heads=values["num_attention_heads"],
        intermediate=values["intermediate_size"],
        pieces=values["vocab_size"],
        positions=values["max_position_embeddings"],
    )
