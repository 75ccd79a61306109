"""Which profile a run takes, and the recipe under it. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from adaptstilts.base.identity import POCKET
from adaptstilts.data.source import Profile, mirror_root
from adaptstilts.experiment.machine import Choice, choose_profile
from adaptstilts.recipe.load import load, profiles
from adaptstilts.recipe.recipe import Recipe
from adaptstilts.record.run import HardwareRecord
from adaptstilts.task.registry import NAMES


def choose(
    path: Path,
    profile: str,
    overrides: Sequence[str],
    mirror: Path | None,
    machine: HardwareRecord,
) -> tuple[Choice, Recipe]:
    """The profile and the recipe under it; a profile that was asked for is taken as it is.

    Args:
        path: The recipe's file.
        profile: `auto`, `full`, or a profile of the recipe.
        overrides: `key=value` texts that change the recipe.
        mirror: Folder of a data mirror; None takes `$ADAPTSTILTS_DATA`.
        machine: The machine, by which `auto` decides.

    Raises:
        RecipeError: The recipe has mistakes; all are named.
        DataError: The mirror is not a folder.
        MachineError: This machine fits none of the recipe's profiles.
    """
    if profile == POCKET and POCKET not in profiles(path):
        recipe = load(path, overrides=overrides, names=NAMES)
        if recipe.base.model == POCKET:
            return Choice("pocket", None, "the recipe itself uses the pocket base"), recipe
    if profile != "auto":
        recipe = load(path, profile=profile, overrides=overrides, names=NAMES)
        kind: Profile = "pocket" if recipe.base.model == POCKET else "full"
        return Choice(kind, profile, f"asked for by --profile {profile}"), recipe
    # Only the base decides the profile, and an override may fit the chosen profile alone.
    about_base = [text for text in overrides if text.startswith("base.")]
    base = load(path, overrides=about_base, names=NAMES).base
    choice = choose_profile(
        offered=profiles(path),
        base=base.model,
        revision=base.revision,
        has_mirror=mirror_root(mirror) is not None,
        hardware=machine,
    )
    return choice, load(path, profile=choice.layer, overrides=overrides, names=NAMES)
