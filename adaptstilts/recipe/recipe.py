"""The whole recipe: what is trained, what is compared, what is measured."""

from __future__ import annotations

from pydantic import Field

from adaptstilts.recipe.adapter import AdapterEntry
from adaptstilts.recipe.base import Base
from adaptstilts.recipe.measure import Measure
from adaptstilts.recipe.report import Report
from adaptstilts.recipe.section import Name, Section
from adaptstilts.recipe.system import System


class Recipe(Section):
    """An experiment: base, adapters, systems, measurements."""

    name: Name = Field(description="A short name; the run's folder is called after it.")
    description: str = Field(default="", description="What the experiment asks, in a sentence.")
    base: Base = Field(description="The frozen pretrained encoder.")
    adapters: dict[Name, AdapterEntry] = Field(
        default={},
        description="What is trained, by name, and controls of it; a system must use each.",
    )
    systems: dict[Name, System] = Field(
        min_length=1,
        description="What is compared, by name: `none` (the bare base), the name of an adapter, "
        "or {scale: {of: …, by: …}}.",
    )
    measure: list[Measure] = Field(min_length=1, description="What is measured on the systems.")
    report: Report = Field(description="What the report puts first.")
