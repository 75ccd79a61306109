"""The `measure` section: what is measured, on which systems, languages and layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag

from adaptstilts.recipe.section import UNIQUE, NoRepeats, Section, Share, Text


def _all_or_list(value: Any) -> str | None:
    """Tells `all` from a list; anything else is a mistake of its own."""
    if value == "all":
        return "<all>"
    return "<list>" if isinstance(value, list) else None


def _text_or_list(value: Any) -> str | None:
    """Tells the name of a set from a list of members."""
    if isinstance(value, str):
        return "<set>"
    return "<list>" if isinstance(value, list) else None


def _either(form: Callable[[Any], str | None], expected: str) -> Discriminator:
    """A choice between two forms, with one message for a value that is neither."""
    return Discriminator(
        form, custom_error_type="form", custom_error_message=f"expected {expected}"
    )


_UniqueList = Field(min_length=1, json_schema_extra=UNIQUE)
_All: TypeAlias = Annotated[Literal["all"], Tag("<all>")]
_Texts: TypeAlias = Annotated[list[Text], NoRepeats, _UniqueList, Tag("<list>")]
_Layer: TypeAlias = Annotated[int, Field(ge=0)]
_Layers: TypeAlias = Annotated[list[_Layer], NoRepeats, _UniqueList, Tag("<list>")]


class Tatoeba(Section):
    """Retrieval of translations between English and other languages."""

    systems: Annotated[
        _All | _Texts, _either(_all_or_list, "`all` or a list of systems, such as [base]")
    ] = Field(default="all", description="The systems to measure.")
    protocol: Literal["xtreme", "jiant", "mteb", "both", "xsim"] = Field(
        default="xtreme",
        description="The exact way to score: layer, pooling, direction and metric.",
    )
    layer: _Layer | None = Field(
        default=None,
        description="The headline's layer (0 is the embeddings); `null` takes the protocol's own.",
    )
    layers: Annotated[
        _All | _Layers, _either(_all_or_list, "`all` or a list of layers, such as [0, 7]")
    ] = Field(default="all", description="The layers to score.")
    languages: Annotated[
        Annotated[Text, Tag("<set>")] | _Texts,
        _either(_text_or_list, "a named set such as xtreme36, or a list such as [de, fr]"),
    ] = Field(default="xtreme36", description="A named set of languages, or a list of codes.")
    during: Literal["training"] | None = Field(
        default=None,
        description="`training` measures the adapters' snapshots, to see how alignment moves.",
    )
    every: Share = Field(
        default=0.1,
        description="With `during`: the share of the training between two measurements.",
    )


class Measure(Section):
    """One measurement: a mapping with exactly one key, the benchmark."""

    tatoeba: Tatoeba = Field(description="Retrieval of translations on Tatoeba.")
