"""The `base` section: the frozen encoder, and how it is held in memory."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from adaptstilts.recipe.section import Section, Text


class Base(Section):
    """The frozen pretrained encoder."""

    model: Text = Field(
        description="An XLM-R-shaped encoder: a hub name, a folder, or `pocket`, the bundled one."
    )
    revision: Text | None = Field(
        default=None,
        description="Commit of the model on the hub; pin it, or the result may change under you.",
    )
    quantization: Literal["int8", "llm_int8", "nf4", "none"] = Field(
        default="int8",
        description="How the frozen weights are stored: `int8` is row-wise and weight-only, "
        "`llm_int8` and `nf4` are bitsandbytes' own, `none` keeps them as they are.",
    )
    compute: Literal["auto", "fp32", "bf16"] = Field(
        default="auto",
        description="Number format of the arithmetic; `auto` takes what the device does best.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto", description="Where to compute; `auto` takes a GPU where there is one."
    )
    trim_vocabulary: bool = Field(
        default=True,
        description="Loads only the embedding rows that the data uses; outputs stay the same.",
    )
