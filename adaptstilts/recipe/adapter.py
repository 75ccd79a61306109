"""The `adapters` section: what is trained, on which task, and for how long."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from adaptstilts.recipe.section import UNIQUE, NoRepeats, Section, ShareOrNone, Text

Target: TypeAlias = Literal["query", "key", "value", "attention_output", "intermediate", "output"]


class Lora(Section):
    """A low-rank update of chosen linear layers (Hu et al. 2021, arXiv 2106.09685)."""

    kind: Literal["lora"] = Field(description="The kind of adapter.")
    rank: int = Field(default=8, ge=1, le=1024, description="Rank of the update.")
    alpha: float = Field(
        default=16.0, gt=0, description="Strength: the update is multiplied by alpha / rank."
    )
    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="Dropout on the adapter's input while it is trained."
    )
    targets: Annotated[list[Target], NoRepeats] = Field(
        default=["query", "value"],
        min_length=1,
        json_schema_extra=UNIQUE,
        description="The linear layers of each block that get an update.",
    )


# One kind so far. A second one makes this `Annotated[Lora | Other, Field(discriminator="kind")]`;
# `problems.py` already takes the tag out of the error's place.
Method: TypeAlias = Lora


class Head(Section):
    """The task's output layer, stored beside the adapter."""

    pooling: Literal["first", "mean"] = Field(
        default="first",
        description="The sentence vector: the first position, or the mean over the sentence.",
    )
    dropout: float = Field(
        default=0.1, ge=0, lt=1, description="Dropout on the head's input while it is trained."
    )


class Training(Section):
    """How an adapter is trained; give exactly one of `epochs` and `steps`."""

    epochs: float | None = Field(
        default=None, gt=0, description="Passes over the training rows; this or `steps`."
    )
    steps: int | None = Field(
        default=None, ge=1, description="Optimizer steps in all; this or `epochs`."
    )
    learning_rate: float = Field(
        default=3e-4, gt=0, description="Peak learning rate, reached after the warmup."
    )
    tokens_per_batch: int = Field(
        default=4096, ge=1, description="Most tokens in one batch, padding counted."
    )
    accumulation: int = Field(
        default=1, ge=1, description="Batches that are added up for one optimizer step."
    )
    warmup: ShareOrNone = Field(
        default=0.06, description="Share of the steps over which the learning rate rises; 0: none."
    )
    weight_decay: float = Field(default=0.01, ge=0, description="Decoupled weight decay (AdamW).")
    clip: float = Field(
        default=1.0, gt=0, description="Longest gradient; longer ones are scaled down to it."
    )
    max_length: int = Field(
        default=128, ge=4, le=512, description="Most tokens in a row; the rest is cut off."
    )
    rows: int | None = Field(
        default=None, ge=1, description="Trains on a sample of so many rows; `null` takes all."
    )
    evaluations: int = Field(
        default=10,
        ge=1,
        description="Scores the dev rows so many times, evenly spaced, and keeps a snapshot each.",
    )
    seed: int = Field(
        default=1, ge=0, lt=2**32, description="Seed of the weights, the order and the dropout."
    )


class Adapter(Section):
    """Weights that are added to the base and trained on one task."""

    task: Text = Field(description="The task that the adapter is trained on, such as `sst2`.")
    method: Method = Field(description="The kind of adapter and its size.")
    head: Head = Field(default=Head(), description="The output layer on top of the base.")
    training: Training = Field(description="How long, how fast and in which batches it is trained.")
