"""The `references` section: other people's sentence encoders, as rows beside the studied base."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from adaptstilts.recipe.section import Section, Text


class Reference(Section):
    """An encoder that is measured as it is: nothing is trained on it or added to it."""

    encoder: Text = Field(
        description="A sentence-transformers model (a folder, relative to the recipe, or a hub "
        "name), or `module:attribute` of an installed package, whose code is then run."
    )
    revision: Annotated[str, Field(pattern=r"^[0-9a-f]{40}$")] | None = Field(
        default=None, description="Commit of a model from the hub, which must have one."
    )
    prefix: str = Field(
        default="", description="Put before every sentence, where the encoder was trained with it."
    )
