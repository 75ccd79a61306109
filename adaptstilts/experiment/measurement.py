"""What one measurement of a recipe asks for, as plain values. No torch here."""

from __future__ import annotations

from collections.abc import Sequence

from adaptstilts.alignment.protocol import PROTOCOLS
from adaptstilts.experiment.stage import Extras
from adaptstilts.recipe.adapter import Control
from adaptstilts.recipe.measure import OwnBitext, Tatoeba
from adaptstilts.recipe.recipe import Recipe


def contrasts_of(recipe: Recipe, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Each measured system that is one adapter, with every measured control of it.

    A control that is the baseline is passed over: every system is compared with that anyway.

    Args:
        recipe: The recipe.
        names: The measured systems.
    """
    systems = {name: recipe.systems[name] for name in names}
    found = []
    for control, expression in systems.items():
        adapter = recipe.adapters.get(expression) if isinstance(expression, str) else None
        if isinstance(adapter, Control) and control != recipe.report.baseline:
            found += [(name, control) for name, one in systems.items() if one == adapter.of]
    return tuple(found)


def shares_of(section: Tatoeba | OwnBitext) -> list[float | None]:
    """The shares of the training at which a measurement is taken; None means when finished."""
    if section.during is None:
        return [None]
    parts = round(1 / section.every)
    return [round(part * section.every, 6) for part in range(parts + 1)]


def extras_of(section: Tatoeba | OwnBitext) -> Extras:
    """What an encoding must give beside each query's nearest neighbour."""
    spaces = tuple(sorted(section.spaces))
    everything = section.metrics == "all" or needs_everything(section)
    return Extras(everything, spaces, section.geometry)


def needs_everything(section: Tatoeba | OwnBitext) -> bool:
    """Whether the protocol itself searches in another way than by cosine alone."""
    return PROTOCOLS[section.protocol].search != "cosine"
