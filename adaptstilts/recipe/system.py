"""The `systems` section: the named compositions that are measured and compared."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

from pydantic import Discriminator, Field, Tag

from adaptstilts.recipe.section import UNIQUE, NoRepeats, Section, Text

NO_ADAPTER = "none"


class Scale(Section):
    """A system whose adapter's update is multiplied by a number."""

    of: System = Field(description="What is scaled: an adapter, or another scaled system.")
    by: float = Field(description="The factor: 0.5 halves the update, -1 negates it.")


class ScaleSystem(Section):
    """The mapping `{scale: {of: …, by: …}}`."""

    scale: Scale = Field(description="Multiplies an adapter's update by a number.")


class Sweep(Section):
    """Several systems at once: an adapter's update multiplied by each of some numbers."""

    of: System = Field(description="What is scaled, as in `scale`.")
    by: Annotated[list[float], NoRepeats] = Field(
        min_length=1,
        json_schema_extra=UNIQUE,
        description="The factors, such as [-1, -0.5, 0.5, 1.5]; each becomes a system that is "
        "named after its factor.",
    )


class SweepSystem(Section):
    """The mapping `{sweep: {of: …, by: […]}}`."""

    sweep: Sweep = Field(description="Multiplies an adapter's update by each of some numbers.")


def _form(value: Any) -> str | None:
    """Which form of a system this is; decides which errors are worth telling."""
    if isinstance(value, str):
        return "<name>"
    return "<scale>" if isinstance(value, dict | ScaleSystem) else None


def _entry_form(value: Any) -> str | None:
    """Which form an entry of `systems` has."""
    is_sweep = isinstance(value, SweepSystem) or (isinstance(value, dict) and "sweep" in value)
    return "<sweep>" if is_sweep else _form(value)


System: TypeAlias = Annotated[
    Annotated[Text, Tag("<name>")] | Annotated[ScaleSystem, Tag("<scale>")],
    Discriminator(
        _form,
        custom_error_type="system_form",
        custom_error_message="expected `none`, the name of an adapter, or {scale: {of: …, by: …}}",
    ),
]
SystemEntry: TypeAlias = Annotated[
    Annotated[Text, Tag("<name>")]
    | Annotated[ScaleSystem, Tag("<scale>")]
    | Annotated[SweepSystem, Tag("<sweep>")],
    Discriminator(
        _entry_form,
        custom_error_type="system_form",
        custom_error_message="expected `none`, the name of an adapter, {scale: {of: …, by: …}} or "
        "{sweep: {of: …, by: […]}}",
    ),
]

Scale.model_rebuild()
ScaleSystem.model_rebuild()
Sweep.model_rebuild()
SweepSystem.model_rebuild()


def adapter_of(system: SystemEntry) -> str | None:
    """The one adapter that a system runs on; None for the bare base."""
    inner: System = system.sweep.of if isinstance(system, SweepSystem) else system
    while isinstance(inner, ScaleSystem):
        inner = inner.scale.of
    return None if inner == NO_ADAPTER else inner


def expanded(systems: Mapping[str, SystemEntry]) -> dict[str, dict[str, System]]:
    """What each entry of `systems` stands for: one system by its own name, or a sweep's several.

    Args:
        systems: The recipe's section.

    Returns:
        For each entry its systems by name; the factor −0.5 of `sweep` is `sweep_minus_0_5`.
    """
    found: dict[str, dict[str, System]] = {}
    for name, entry in systems.items():
        if isinstance(entry, SweepSystem):
            found[name] = {
                f"{name}_{_factor(by)}": ScaleSystem(scale=Scale(of=entry.sweep.of, by=by))
                for by in entry.sweep.by
            }
        else:
            found[name] = {name: entry}
    return found


def _factor(by: float) -> str:
    """A factor as a part of a name: all of its digits, so that near factors have two names."""
    digits = repr(abs(by)).removesuffix(".0").replace("+", "")
    return ("minus_" if by < 0 else "") + digits.replace(".", "_").replace("-", "_")
