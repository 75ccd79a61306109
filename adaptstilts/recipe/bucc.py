"""The `bucc` measurement: translations mined from comparable corpora."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Discriminator, Field, Tag

from adaptstilts.recipe.section import UNIQUE, NoRepeats, Section, Text

BuccLanguage: TypeAlias = Literal["de", "fr", "ru", "zh"]


def _all_or_list(value: Any) -> str | None:
    """Tells `all` from a list; anything else is a mistake of its own."""
    if value == "all":
        return "<all>"
    return "<list>" if isinstance(value, list) else None


def _either(expected: str) -> Discriminator:
    """A choice between `all` and a list, with one message for a value that is neither."""
    return Discriminator(
        _all_or_list, custom_error_type="form", custom_error_message=f"expected {expected}"
    )


_UniqueList = Field(min_length=1, json_schema_extra=UNIQUE)
_All: TypeAlias = Annotated[Literal["all"], Tag("<all>")]
_Texts: TypeAlias = Annotated[list[Text], NoRepeats, _UniqueList, Tag("<list>")]
_Languages: TypeAlias = Annotated[list[BuccLanguage], NoRepeats, _UniqueList, Tag("<list>")]


class Bucc(Section):
    """Translations hidden among the sentences of comparable corpora, to be mined."""

    systems: Annotated[_All | _Texts, _either("`all` or a list of systems, such as [base]")] = (
        Field(default="all", description="The systems to measure.")
    )
    protocol: Literal["xtreme-paper", "xtreme-head", "jiant"] = Field(
        default="xtreme-paper",
        description="The exact way to mine and count; `jiant` chooses its threshold on the scored "
        "pairs themselves (an oracle), the others on the dev set, and then score the test set.",
    )
    layer: Annotated[int, Field(ge=0)] | None = Field(
        default=None,
        description="The layer that is mined (0 is the embeddings); `null` takes the protocol's "
        "own.",
    )
    languages: Annotated[_All | _Languages, _either("`all` or a list such as [de, zh]")] = Field(
        default="all", description="The languages; each must have its files."
    )
    margin: Literal["ratio", "distance", "absolute"] = Field(
        default="ratio",
        description="What a pair's score is; all protocols take `ratio`, and any other is told in "
        "the protocol's name.",
    )
    search: Literal["numpy", "faiss", "faiss_approximate"] = Field(
        default="numpy",
        description="Who searches; `faiss` finds the same faster, `faiss_approximate` may miss "
        "neighbours, which is told in the protocol's name.",
    )
