"""The `report` section: what the systems are compared with."""

from __future__ import annotations

from pydantic import Field

from adaptstilts.recipe.section import Section, Share, Text


class Report(Section):
    """What the report puts first."""

    baseline: Text = Field(description="The system that all others are compared with.")
    margin: Share | None = Field(
        default=None,
        description="The smallest change that would matter, such as 1% (one point of accuracy); "
        "with it, no change can be shown, by two one-sided tests.",
    )
