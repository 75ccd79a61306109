"""`key=value` overrides: one setting of a recipe changed from the command line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from adaptstilts.errors import Problem
from adaptstilts.recipe.read import UnreadableError, read_value
from adaptstilts.recipe.tree import KeyPath, Mark, Node, assign, spell

_INDEX = re.compile(r"\[(\d+)\]")
_PART = re.compile(r"[^.\[\]\s=]+")


def apply(root: Node, overrides: Sequence[str]) -> tuple[Node, list[Problem]]:
    """Puts overrides into a tree, in their order.

    Args:
        root: The tree, its profile already merged.
        overrides: Texts such as `adapters.sst2.method.rank=16` or `measure[0].tatoeba.layer=4`;
            the value is YAML, and replaces what is there.

    Returns:
        The tree, and the overrides that could not be put in.
    """
    problems = []
    for text in overrides:
        key, separator, value = text.partition("=")
        path = parse_key(key.strip())
        message = None
        if not separator or not path:
            message = "expected key=value, such as adapters.sst2.method.rank=16"
        elif path[0] == "profiles":
            message = "a profile cannot be overridden; give the key itself, without `profiles`"
        else:
            mark = Mark(0, 0, path, text)
            try:
                root = assign(root, path, read_value(value.strip(), mark))
            except LookupError as error:
                message = str(error.args[0])
            except UnreadableError as error:
                message = error.problems[0].message
        if message is not None:
            place = spell(path) if path else "override"
            problems.append(Problem(0, 0, place, f"{message} (from the override `{text}`)"))
    return root, problems


def parse_key(key: str) -> KeyPath:
    """`measure[0].tatoeba` or `measure.0.tatoeba` → its parts; empty if it is no key."""
    parts: list[str | int] = []
    for part in _INDEX.sub(r".\1", key).split("."):
        if _PART.fullmatch(part) is None:
            return ()
        parts.append(int(part) if part.isdecimal() and part.isascii() else part)
    return tuple(parts)
