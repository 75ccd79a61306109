"""Names that meet those of the systems: what `bucc` lists, and what `references` are called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from adaptstilts.recipe.problems import Finding, unknown_name
from adaptstilts.recipe.system import SystemEntry, expanded


def outside_systems(
    tree: Mapping[str, Any], systems: Mapping[str, SystemEntry | None]
) -> Iterator[Finding]:
    """Systems that a `bucc` measurement lists and nobody declares; references called as systems,
    or measured by nothing.

    Args:
        tree: The plain tree of a recipe; parts may be wrong or missing.
        systems: The declared systems; None for one that has mistakes of its own.

    Yields:
        What does not fit.
    """
    measure = tree.get("measure")
    for index, entry in enumerate(measure if isinstance(measure, list) else []):
        bucc = entry.get("bucc") if isinstance(entry, dict) else None
        listed = bucc.get("systems") if isinstance(bucc, dict) else None
        for place, name in enumerate(listed if isinstance(listed, list) else []):
            if isinstance(name, str) and name and name not in systems:
                message = unknown_name(name, "system", systems)
                yield Finding(("measure", index, "bucc", "systems", place), message)
    sound = {name: system for name, system in systems.items() if system is not None}
    taken = {*systems, *(name for group in expanded(sound).values() for name in group)}
    references = tree.get("references")
    if not isinstance(references, dict):
        return
    if references and isinstance(measure, list) and not any(map(_takes_references, measure)):
        message = "nothing measures them: `tatoeba` and `bitext` do, without `during`"
        yield Finding(("references",), message, is_about_key=True)
    for name in references:
        if name in taken:
            message = f"a system is called `{name}` too; tables would mix them up, so rename one"
            yield Finding(("references", name), message, is_about_key=True)


def _takes_references(entry: Any) -> bool:
    """Whether a measurement also measures reference encoders; one with mistakes may."""
    if not isinstance(entry, dict):
        return True
    sections = [entry[key] for key in ("tatoeba", "bitext") if key in entry]
    return any(not isinstance(one, dict) or one.get("during") is None for one in sections)
