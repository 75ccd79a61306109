"""The `adapters` section: what is trained, on which task, for how long; or from where it comes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from adaptstilts.recipe.section import UNIQUE, NoRepeats, Section, ShareOrNone, Text

Target: TypeAlias = Literal["query", "key", "value", "attention_output", "intermediate", "output"]
ControlKind: TypeAlias = Literal["random", "shuffled_labels", "english_mlm", "english_contrastive"]
_RANGE_PATTERN = r"^[1-9][0-9]*-[1-9][0-9]*$"


def _layers_form(value: Any) -> str | None:
    """Tells `all`, a list and a range apart; anything else is a mistake of its own."""
    if value == "all":
        return "<all>"
    if isinstance(value, str):
        return "<range>"
    return "<list>" if isinstance(value, list) else None


def _ascending(text: str) -> str:
    """Refuses a range that runs backwards."""
    first, last = map(int, text.split("-"))
    if first > last:
        raise PydanticCustomError("range", "a range runs from the lower layer to the higher")
    return text


_Layer: TypeAlias = Annotated[int, Field(ge=1)]
_Layers: TypeAlias = Annotated[
    Annotated[Literal["all"], Tag("<all>")]
    | Annotated[str, Field(pattern=_RANGE_PATTERN), AfterValidator(_ascending), Tag("<range>")]
    | Annotated[
        list[_Layer], NoRepeats, Field(min_length=1, json_schema_extra=UNIQUE), Tag("<list>")
    ],
    Discriminator(
        _layers_form,
        custom_error_type="form",
        custom_error_message="expected `all`, a range such as 13-24, or a list such as [1, 2]",
    ),
]


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
    layers: _Layers = Field(
        default="all",
        description="The blocks that get an update, counted from 1 as in `hidden_states`: `all`, a "
        "list, or a range such as 13-24.",
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


class Control(Section):
    """An adapter made like a trained one but for one thing, to see what that thing does."""

    control: ControlKind = Field(
        description="What is different: `random` has no training but weights of the same size, "
        "`shuffled_labels` learns labels that were dealt out anew, `english_mlm` and "
        "`english_contrastive` learn from the same English text without its labels.",
    )
    of: Text = Field(
        description="The trained adapter whose task, method, head and training it shares."
    )


class Stored(Section):
    """An adapter that is trained already."""

    folder: Text = Field(
        alias="from",
        description="The folder that it lies in, relative to the recipe: what a run leaves in "
        "`adapters/<name>`, or a plain PEFT folder of a LoRA.",
    )


def is_stored(value: Any) -> bool:
    """Whether an entry, plain or validated, is an adapter that is trained already."""
    return "from" in value if isinstance(value, dict) else isinstance(value, Stored)


def is_control(value: Any) -> bool:
    """Whether an entry, plain or validated, is written as a control."""
    if isinstance(value, dict):
        return "control" in value or ("of" in value and "task" not in value)
    return isinstance(value, Control)


def _adapter_form(value: Any) -> str:
    """Which form of an adapter this is; decides which errors are worth telling."""
    if is_stored(value):
        return "<stored>"
    return "<control>" if is_control(value) else "<trained>"


AdapterEntry: TypeAlias = Annotated[
    Annotated[Adapter, Tag("<trained>")]
    | Annotated[Control, Tag("<control>")]
    | Annotated[Stored, Tag("<stored>")],
    Discriminator(_adapter_form),
]


@dataclass(frozen=True)
class Resolved:
    """What an entry of `adapters` comes to.

    Attributes:
        adapter: The settings; a control's are those of the adapter that it is a control of.
        control: What kind of control it is; None for an adapter that is simply trained.
        of: The adapter that it is a control of; None for one that is simply trained.
    """

    adapter: Adapter
    control: ControlKind | None = None
    of: str | None = None


def resolved(adapters: Mapping[str, AdapterEntry]) -> dict[str, Resolved]:
    """The settings of every adapter that is made, controls after what they are controls of.

    Args:
        adapters: The section of a checked recipe, so that each `of` is there and is no control.
    """
    trained = {name: one for name, one in adapters.items() if isinstance(one, Adapter)}
    found = {name: Resolved(adapter) for name, adapter in trained.items()}
    for name, one in adapters.items():
        if isinstance(one, Control):
            found[name] = Resolved(trained[one.of], one.control, one.of)
    return found


def numbered_layers(layers: str | list[int]) -> list[int] | None:
    """The layers that `method.layers` means, ascending; None for all of them."""
    if isinstance(layers, list):
        return sorted(layers)
    if layers == "all":
        return None
    first, last = map(int, layers.split("-"))
    return list(range(first, last + 1))
