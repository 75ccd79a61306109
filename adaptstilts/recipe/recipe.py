"""The whole recipe: what is trained, what is compared, what is measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from adaptstilts.recipe.adapter import AdapterEntry
from adaptstilts.recipe.base import Base
from adaptstilts.recipe.measure import Measure
from adaptstilts.recipe.references import Reference
from adaptstilts.recipe.report import Report
from adaptstilts.recipe.section import UNIQUE, Name, NoRepeats, Section, Seed
from adaptstilts.recipe.system import System, SystemEntry, expanded


class Recipe(Section):
    """An experiment: base, adapters, systems, measurements."""

    name: Name = Field(description="A short name; the run's folder is called after it.")
    description: str = Field(default="", description="What the experiment asks, in a sentence.")
    base: Base = Field(description="The frozen pretrained encoder.")
    adapters: dict[Name, AdapterEntry] = Field(
        default={},
        description="What is trained, by name, and controls of it; a system must use each.",
    )
    seeds: Annotated[list[Seed], NoRepeats] | None = Field(
        default=None,
        min_length=1,
        json_schema_extra=UNIQUE,
        description="Trains every adapter once with each of these seeds, in place of "
        "`training.seed`, and measures every system with each.",
    )
    systems: dict[Name, SystemEntry] = Field(
        min_length=1,
        description="What is compared, by name: `none` (the bare base), the name of an adapter, "
        "{scale: {of: …, by: …}} or {sweep: {of: …, by: […]}}.",
    )
    references: dict[Name, Reference] = Field(
        default={},
        description="Other sentence encoders, as rows beside the systems; never adapted.",
    )
    measure: list[Measure] = Field(min_length=1, description="What is measured on the systems.")
    report: Report = Field(description="What the report puts first.")


def without_sweeps(recipe: Recipe) -> Recipe:
    """The recipe with every sweep written out as the systems that it stands for."""
    groups = expanded(recipe.systems)
    systems: dict[str, SystemEntry] = {
        name: system for group in groups.values() for name, system in group.items()
    }
    measure = [_with_systems(entry, groups) for entry in recipe.measure]
    return recipe.model_copy(update={"systems": systems, "measure": measure})


def _with_systems(measure: Measure, groups: Mapping[str, Mapping[str, System]]) -> Measure:
    """A measurement whose list of systems names those that sweeps stand for."""
    section = measure.section
    if section.systems == "all":
        return measure
    listed = [name for group in section.systems for name in groups[group]]
    return measure.model_copy(update={measure.key: section.model_copy(update={"systems": listed})})
