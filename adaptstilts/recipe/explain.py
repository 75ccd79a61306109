"""What each key of a recipe means: its type, default, allowed values and description."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from adaptstilts.recipe.problems import suggestion
from adaptstilts.recipe.schema import (
    Schema,
    below,
    forms,
    json_schema,
    named_values,
    recipe_schema,
    resolve,
)

_TYPES = {
    "integer": "whole number",
    "number": "number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
    "object": "mapping",
    "array": "list",
}
_REQUIRED = "(required)"


class UnknownKeyError(LookupError):
    """A key that no recipe has; the message suggests one that is near."""


@dataclass(frozen=True)
class Entry:
    """One key of a recipe.

    Attributes:
        key: Its place, names and positions left out: `adapters.method.rank`.
        type: What its value is, in words.
        default: Its default as JSON, or `(required)`.
        allowed: The values or the range it may take; empty where the type says all.
        description: One sentence.
    """

    key: str
    type: str
    default: str
    allowed: str
    description: str


def explain(key: str | None = None) -> list[Entry]:
    """Explains a key and all keys below it.

    Args:
        key: Such as `adapters.method.rank`; names and positions may be given
            (`adapters.sst2.method.rank`, `measure[0].tatoeba`) or left out. None explains all.

    Returns:
        The key's own entry first, then those below it, in the recipe's order.

    Raises:
        UnknownKeyError: No recipe has this key.
    """
    profiles = json_schema()["properties"]["profiles"]
    # A key that several forms of a value have is told once, as the first form has it.
    found: dict[str, Entry] = {}
    for entry in _entries(recipe_schema(), "", ()):
        found.setdefault(entry.key, entry)
    entries = [
        *found.values(),
        Entry("profiles", "mapping of names to mapping", "{}", "", profiles["description"]),
    ]
    if key is None:
        return entries
    known = [entry.key for entry in entries]
    short = key if key == "profiles" else nearest_key(key)
    if short is None or short not in {key, spelled_out(key)}:
        raise UnknownKeyError(f"no recipe has the key `{key}`{suggestion(spelled_out(key), known)}")
    return [entry for entry in entries if entry.key == short or entry.key.startswith(f"{short}.")]


def spelled_out(path: str) -> str:
    """A place without the names and positions that only one recipe has, as far as it is known."""
    return ".".join(_walk(path)[0])


def nearest_key(path: str) -> str | None:
    """The longest known key at the start of a place in a recipe; None if there is none."""
    parts, known = _walk(path)
    return ".".join(parts[:known]) or None


def _walk(path: str) -> tuple[list[str], int]:
    """The parts of a place, names left out, and how many of them (from the start) are known."""
    root = recipe_schema()
    written = [part for part in re.split(r"[.\[\]]+", path) if part]
    if written[:1] == ["profiles"]:
        written = written[2:]
    schema: Schema | None = root
    parts: list[str] = []
    known = 0
    for part in written:
        if schema is None:
            parts.append(part)
            continue
        found = below(root, schema, part)
        inner = _inner(root, schema)
        if inner is not None and below(root, inner, part) is not None:
            found = below(root, inner, part)  # the name or the position was left out
        elif inner is not None:
            schema = inner  # a name or a position: it is no part of the key
            continue
        parts.append(part)
        known += found is not None
        schema = found
    return parts, known


def _inner(root: Schema, schema: Schema) -> Schema | None:
    """The schema of the items of a list of mappings, or of a mapping with free names."""
    for form in forms(root, schema):
        named = named_values(form)
        if named is not None:
            return named
        if "items" in form and "properties" in resolve(root, form["items"]):
            return resolve(root, form["items"])
    return None


def _entries(schema: Schema, prefix: str, seen: tuple[str, ...]) -> Iterator[Entry]:
    """The entries of the keys below a value; a form inside itself or its likes is told once."""
    root = recipe_schema()
    shapes = forms(root, schema)
    titles = [form.get("title", "") for form in shapes]
    for form in shapes:
        inner = _inner(root, form)
        if inner is not None:
            yield from _entries(inner, prefix, seen)
        if "properties" not in form or form.get("title", "") in seen:
            continue
        for name, field in form["properties"].items():
            key = f"{prefix}.{name}".removeprefix(".")
            yield _entry(key, field, name in form.get("required", []))
            yield from _entries(field, key, (*seen, *titles))


def _entry(key: str, field: Schema, is_required: bool) -> Entry:
    """The entry of one key."""
    shapes = forms(recipe_schema(), field)
    default = _REQUIRED if is_required else json.dumps(field.get("default"), ensure_ascii=False)
    return Entry(
        key=key,
        type=" or ".join(dict.fromkeys(_type(shape) for shape in shapes)),
        default=default,
        allowed="; ".join(dict.fromkeys(filter(None, (_allowed(shape) for shape in shapes)))),
        description=field["description"],
    )


def _type(shape: Schema) -> str:
    """A type in words: `list of text`."""
    root = recipe_schema()
    if shape.get("pattern", "").endswith("%\\s*$"):
        return "percentage"
    named = named_values(shape)
    if named is not None:
        inner = " or ".join(dict.fromkeys(_type(form) for form in forms(root, named)))
        return f"mapping of names to {inner}"
    if "items" in shape:
        inner = " or ".join(dict.fromkeys(_type(form) for form in forms(root, shape["items"])))
        return f"list of {inner}"
    return _TYPES[shape["type"]]


def _allowed(shape: Schema) -> str:
    """The values or the range: `int8, nf4`, `at least 1, at most 1024`."""
    if "items" in shape:
        allowed = _allowed(resolve(recipe_schema(), shape["items"]))
        return f"each {allowed}" if "minimum" in shape["items"] else allowed
    if "const" in shape:
        return str(shape["const"])
    if "enum" in shape:
        return ", ".join(str(value) for value in shape["enum"])
    bounds = {
        "minimum": "at least",
        "exclusiveMinimum": "more than",
        "maximum": "at most",
        "exclusiveMaximum": "less than",
    }
    return ", ".join(f"{words} {shape[name]}" for name, words in bounds.items() if name in shape)
