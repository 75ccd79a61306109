"""The `profiles` of a recipe file: variants that are laid onto the rest."""

from __future__ import annotations

import re

from adaptstilts.errors import Problem
from adaptstilts.recipe.section import NAME_PATTERN
from adaptstilts.recipe.tree import Mark, Node, spell

PLAIN = "full"


def profile_nodes(root: Node) -> tuple[dict[str, Node], list[Problem]]:
    """The profiles by name, and what is wrong with the section itself.

    Args:
        root: The tree of the whole file.

    Returns:
        The profiles that are mappings with a fit name; the problems of the others.
    """
    assert isinstance(root.value, dict)  # noqa: S101 - `read` refuses anything else
    section = root.value.get("profiles")
    if section is None:
        return {}, []
    if not isinstance(section.value, dict):
        return {}, [_problem(section.at, "expected a mapping of names to what each changes")]
    nodes, problems = {}, []
    for name, node in section.value.items():
        if name == PLAIN:
            message = f"`{PLAIN}` is the recipe without a profile; choose another name"
            problems.append(_problem(node.key_at, message))
        elif re.search(NAME_PATTERN, name) is None:
            message = f"`{name}` cannot be a name: use small letters, digits and `_`"
            problems.append(_problem(node.key_at, message))
        elif not isinstance(node.value, dict):
            problems.append(_problem(node.at, "expected a mapping of what this profile changes"))
        elif "profiles" in node.value:
            message = "a profile cannot have profiles of its own"
            problems.append(_problem(node.value["profiles"].key_at, message))
        else:
            nodes[name] = node
    return nodes, problems


def _problem(mark: Mark, message: str) -> Problem:
    """A problem at a mark."""
    return Problem(mark.line, mark.column, spell(mark.path), message)
