"""The `systems` section: the named compositions that are measured and compared."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import Discriminator, Field, Tag

from adaptstilts.recipe.section import Section, Text

NO_ADAPTER = "none"


class Scale(Section):
    """A system whose adapter's update is multiplied by a number."""

    of: System = Field(description="What is scaled: an adapter, or another scaled system.")
    by: float = Field(description="The factor: 0.5 halves the update, -1 negates it.")


class ScaleSystem(Section):
    """The mapping `{scale: {of: …, by: …}}`."""

    scale: Scale = Field(description="Multiplies an adapter's update by a number.")


def _form(value: Any) -> str | None:
    """Which form of a system this is; decides which errors are worth telling."""
    if isinstance(value, str):
        return "<name>"
    return "<scale>" if isinstance(value, dict | ScaleSystem) else None


System: TypeAlias = Annotated[
    Annotated[Text, Tag("<name>")] | Annotated[ScaleSystem, Tag("<scale>")],
    Discriminator(
        _form,
        custom_error_type="system_form",
        custom_error_message="expected `none`, the name of an adapter, or {scale: {of: …, by: …}}",
    ),
]

Scale.model_rebuild()
ScaleSystem.model_rebuild()


def adapter_of(system: System) -> str | None:
    """The one adapter that a system runs on; None for the bare base."""
    while isinstance(system, ScaleSystem):
        system = system.scale.of
    return None if system == NO_ADAPTER else system
