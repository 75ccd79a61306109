"""The `measure` section: what is measured, on which systems, languages and layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import ConfigDict, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from adaptstilts.recipe.bucc import Bucc
from adaptstilts.recipe.section import NAME_PATTERN, UNIQUE, NoRepeats, Section, Share, Text

PAIR_PATTERN = r"^[a-z]{2,3}-[a-z]{2,3}$"

Space: TypeAlias = Literal["centred", "without_top_pcs", "whitened", "averaged"]


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
_TwoTexts = Field(min_length=2, max_length=2, json_schema_extra=UNIQUE)
_Columns: TypeAlias = Annotated[list[Text], NoRepeats, _TwoTexts] | None


class Select(Section):
    """How the headline's layer is chosen, where it is not named in advance."""

    layer: Annotated[
        _All | _Layers, _either(_all_or_list, "`all` or a list of layers, such as [3, 4, 5]")
    ] = Field(default="all", description="The layers to choose from.")
    on: Literal["held_out", "leave_languages_out", "oracle"] = Field(
        description="`held_out`: by the baseline's score on another bitext; `leave_languages_out`: "
        "each language's layer by the baseline's score on all other languages; `oracle`: by the "
        "scored sentences themselves, which every table then says.",
    )
    bitext: Text | None = Field(
        default=None,
        description="With `held_out`: the other bitext; a folder of `<language>-en.tsv` or "
        "`.jsonl` files (`.gz` too), or `pocket`, the bundled one.",
    )


class RetrievalSection(Section):
    """What all measurements of retrieval share."""

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
    select: Select | None = Field(
        default=None, description="Chooses the headline's layer; not beside `layer`."
    )
    metrics: Literal["protocol", "all"] = Field(
        default="protocol",
        description="`all` adds MRR, ratio margin, CSLS, strong alignment and the cosine gap.",
    )
    spaces: Annotated[list[Space], NoRepeats] = Field(
        default=[],
        json_schema_extra=UNIQUE,
        description="What is done to the vectors without training, as further rows.",
    )
    geometry: bool = Field(
        default=False,
        description="Measures the space itself: anisotropy, hubs, CKA, a probe for the language.",
    )
    during: Literal["training"] | None = Field(
        default=None,
        description="`training` measures the adapters' snapshots, to see how alignment moves.",
    )
    every: Share = Field(
        default=0.1,
        description="With `during`: the share of the training between two measurements.",
    )


class Tatoeba(RetrievalSection):
    """Retrieval of translations between English and other languages."""

    languages: Annotated[
        Annotated[Text, Tag("<set>")] | _Texts,
        _either(_text_or_list, "a named set such as xtreme36, or a list such as [de, fr]"),
    ] = Field(default="xtreme36", description="A named set of languages, or a list of codes.")


class FileOfPairs(Section):
    """A file with two columns of sentences that translate each other."""

    path: Text = Field(
        description="A `.tsv` or `.jsonl` file, or either with `.gz`; relative to the recipe."
    )
    columns: _Columns = Field(
        default=None,
        description="The two columns, in the order of the pair's languages; `null`, for a file: "
        "the only two.",
    )


class HubOfPairs(Section):
    """A table on the hub with two columns of sentences that translate each other."""

    hub: Text = Field(description="The dataset's repository, such as `user/name`.")
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] = Field(
        description="Its full commit, so that the rows can never change."
    )
    config: Text | None = Field(default=None, description="Its configuration; `null`: the only.")
    split: Text = Field(default="test", description="Its split.")
    columns: Annotated[list[Text], NoRepeats] = Field(
        min_length=2,
        max_length=2,
        json_schema_extra=UNIQUE,
        description="The two columns, in the order of the pair's languages; `null`, for a file: "
        "the only two.",
    )


def _pairs_form(value: Any) -> str | None:
    """Which form a pair's place has."""
    if isinstance(value, str):
        return "<path>"
    if isinstance(value, HubOfPairs) or (isinstance(value, dict) and "hub" in value):
        return "<hub>"
    return "<file>" if isinstance(value, dict | FileOfPairs) else None


Pairs: TypeAlias = Annotated[
    Annotated[Text, Tag("<path>")]
    | Annotated[FileOfPairs, Tag("<file>")]
    | Annotated[HubOfPairs, Tag("<hub>")],
    _either(_pairs_form, "a path, {path: …, columns: […]} or {hub: …, revision: …, columns: […]}"),
]


class OwnBitext(RetrievalSection):
    """Retrieval of translations in sentences of your own, in any pair of languages."""

    name: Annotated[str, Field(pattern=NAME_PATTERN)] = Field(
        default="bitext", description="What tables and figures call it."
    )
    pairs: dict[Annotated[str, Field(pattern=PAIR_PATTERN)], Pairs] = Field(
        min_length=1,
        description="The sentences of each pair of languages, such as `sw-en: my/sw-en.tsv`; with "
        "English it comes second.",
    )


class Measure(Section):
    """One measurement: a mapping with exactly one key, the benchmark."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    tatoeba: Tatoeba | None = Field(
        default=None, description="Retrieval of translations on Tatoeba."
    )
    bitext: OwnBitext | None = Field(
        default=None, description="Retrieval of translations in sentences of your own."
    )
    bucc: Bucc | None = Field(
        default=None, description="Mining of translations on BUCC 2018; needs its files."
    )

    @model_validator(mode="after")
    def _is_one(self) -> Measure:
        """Refuses an entry that measures nothing, or several things."""
        if sum(getattr(self, key) is not None for key in Measure.model_fields) != 1:
            raise PydanticCustomError(
                "one_key", "expected exactly one of `tatoeba`, `bitext` and `bucc`"
            )
        return self

    @property
    def key(self) -> str:
        """The benchmark's key."""
        return next(key for key in Measure.model_fields if getattr(self, key) is not None)

    @property
    def section(self) -> Tatoeba | OwnBitext | Bucc:
        """What is measured."""
        found: Tatoeba | OwnBitext | Bucc = getattr(self, self.key)
        return found

    @property
    def retrieval(self) -> Tatoeba | OwnBitext:
        """What is measured, where that is retrieval."""
        found = self.tatoeba or self.bitext
        if found is None:
            raise RuntimeError("no measurement of retrieval; this is a bug in adaptstilts")
        return found
