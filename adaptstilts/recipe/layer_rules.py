"""What a measurement may ask of its layers: how the headline's is chosen, which a space needs."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from adaptstilts.recipe.measure import OwnBitext, Select, Tatoeba
from adaptstilts.recipe.problems import Finding
from adaptstilts.recipe.tree import KeyPath

AVERAGED = "averaged"


def layers_fit(section: Tatoeba | OwnBitext, here: KeyPath) -> Iterator[Finding]:
    """The named layer is measured, and a mean of layers has every layer below.

    Args:
        section: What is measured.
        here: Its place.
    """
    layers = section.layers
    if layers == "all":
        return
    if section.layer is not None and section.layer not in layers:
        yield Finding((*here, "layer"), f"layer {section.layer} is not among `layers`")
    if AVERAGED in section.spaces and sorted(layers) != list(range(len(layers))):
        message = (
            f"`{AVERAGED}` is the mean of a layer and all below it, and `layers` leaves some out; "
            f"write `layers: all`, or every layer from 0 to {max(layers)}"
        )
        yield Finding((*here, "spaces", section.spaces.index(AVERAGED)), message)


def selection_fits(
    section: Tatoeba | OwnBitext,
    select: Select,
    here: KeyPath,
    *,
    systems: Collection[str],
    baseline: str | None,
) -> Iterator[Finding]:
    """A choice of the layer fits what is measured, and says by what it is made.

    Args:
        section: What is measured.
        select: How the layer is chosen.
        here: The choice's place.
        systems: The recipe's systems.
        baseline: The one whose scores choose, where the recipe names it.
    """
    if section.layer is not None:
        yield Finding(here, "give `layer` or `select`, not both", is_about_key=True)
    if section.during is not None:
        message = "a layer is chosen for finished systems; take `select` out of a measurement "
        yield Finding(here, message + "that has `during`", is_about_key=True)
    if (select.on == "held_out") != (select.bitext is not None):
        word = "needs" if select.on == "held_out" else "takes no"
        yield Finding(here, f"`on: {select.on}` {word} `bitext`", is_about_key=True)
    if isinstance(select.layer, list) and isinstance(section.layers, list):
        for place, layer in enumerate(select.layer):
            if layer not in section.layers:
                yield Finding((*here, "layer", place), f"layer {layer} is not among `layers`")
    names = systems if section.systems == "all" else section.systems
    if baseline is not None and baseline not in names:
        message = f"the baseline `{baseline}` decides the layer, so it must be measured here"
        yield Finding(here, message, is_about_key=True)
