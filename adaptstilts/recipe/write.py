"""A checked recipe → YAML that any reader, of YAML 1.1 or 1.2, takes for the same recipe."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from adaptstilts.recipe.recipe import Recipe

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_NOT_TEXT = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"}


def resolved_yaml(recipe: Recipe) -> str:
    """The recipe as YAML with every default written out; loads to an equal recipe."""
    tree = recipe.model_dump(by_alias=True)
    tree["measure"] = [
        {name: section for name, section in entry.items() if section is not None}
        for entry in tree["measure"]
    ]
    for entry in tree["measure"]:
        for section in entry.values():
            if section.get("during", "") is None:
                del section["every"]  # it means nothing there, and is refused there
    if tree["seeds"] is not None:
        for adapter in tree["adapters"].values():
            if "training" in adapter:
                del adapter["training"]["seed"]  # `seeds` stands in its place
    return as_yaml(tree)


def as_yaml(tree: dict[str, Any]) -> str:
    """A plain tree as YAML.

    Args:
        tree: Mappings, lists (of mappings or of single values) and single values.
    """
    return "\n".join(_mapping(tree)) + "\n"


def _mapping(tree: dict[str, Any]) -> Iterator[str]:
    """The lines of a block mapping; lists of single values stay on their line."""
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield f"{_scalar(key)}:"
            yield from (f"  {line}" for line in _mapping(value))
        elif isinstance(value, list) and any(isinstance(item, dict) for item in value):
            yield f"{_scalar(key)}:"
            for item in value:
                first, *rest = _mapping(item)
                yield f"  - {first}"
                yield from (f"    {line}" for line in rest)
        else:
            yield f"{_scalar(key)}: {_inline(value)}"


def _inline(value: Any) -> str:
    """A value on one line."""
    if isinstance(value, list):
        return f"[{', '.join(_scalar(item) for item in value)}]"
    return "{}" if value == {} else _scalar(value)


def _scalar(value: Any) -> str:
    """A single value; text is quoted wherever a reader could take it for something else."""
    if not isinstance(value, str):
        return json.dumps(value)
    if _PLAIN.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in quoted)
