"""The `report` section: what the systems are compared with."""

from __future__ import annotations

from pydantic import Field

from adaptstilts.recipe.section import Section, Text


class Report(Section):
    """What the report puts first."""

    baseline: Text = Field(description="The system that all others are compared with.")
