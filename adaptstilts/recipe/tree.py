"""A recipe as a tree of nodes that know where they stand; merging keeps those places."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]
Scalar: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True)
class Mark:
    """Where something was written.

    Attributes:
        line: Line in the file, counted from 1; 0 for an override.
        column: Column, counted from 1; 0 for an override.
        path: The place as it was written, so it starts with `profiles` for a profile's part.
        override: The override's own text, where it came from one.
    """

    line: int
    column: int
    path: KeyPath
    override: str | None = None


@dataclass(frozen=True)
class Node:
    """One value of the tree.

    Attributes:
        value: Its children by key, its items, or a scalar.
        at: Where the value starts.
        key_at: Where its key stands; the same as `at` for an item of a list and for the root.
    """

    value: dict[str, Node] | list[Node] | Scalar
    at: Mark
    key_at: Mark


def plain(node: Node) -> Any:
    """The tree without its places: dicts, lists and scalars."""
    if isinstance(node.value, dict):
        return {key: plain(child) for key, child in node.value.items()}
    if isinstance(node.value, list):
        return [plain(child) for child in node.value]
    return node.value


def child(node: Node, part: str | int) -> Node | None:
    """The value under a key or an index; None where there is none."""
    if isinstance(node.value, dict) and isinstance(part, str):
        return node.value.get(part)
    if isinstance(node.value, list) and isinstance(part, int):
        return node.value[part] if 0 <= part < len(node.value) else None
    return None


def nearest(node: Node, path: KeyPath) -> Node:
    """The node at `path`, or the last one on the way to it."""
    for part in path:
        found = child(node, part)
        if found is None:
            break
        node = found
    return node


def merge(under: Node, over: Node) -> Node:
    """Lays one tree onto another: mappings key by key, everything else is replaced."""
    if not (isinstance(under.value, dict) and isinstance(over.value, dict)):
        return over
    merged = dict(under.value)
    for key, node in over.value.items():
        merged[key] = merge(merged[key], node) if key in merged else node
    return replace(under, value=merged)


def without(node: Node, key: str) -> Node:
    """The mapping without one of its keys."""
    assert isinstance(node.value, dict)  # noqa: S101 - the caller has looked
    return replace(node, value={name: kid for name, kid in node.value.items() if name != key})


def assign(node: Node, path: KeyPath, value: Node) -> Node:
    """The tree with one value put in, and with the mappings that lead to it.

    Raises:
        LookupError: The path leads through a scalar, or past the end of a list.
    """
    if not path:
        return value
    part, rest = path[0], path[1:]
    if isinstance(node.value, list):
        if not isinstance(part, int):
            raise LookupError(f"`{part}` should be a position in a list, such as 0")
        if part >= len(node.value):
            raise LookupError(f"there are {len(node.value)} items, counted from 0; {part} is none")
        items = list(node.value)
        items[part] = assign(items[part], rest, value)
        return replace(node, value=items)
    if node.value is not None and not isinstance(node.value, dict):
        raise LookupError(f"there is no `{part}` inside a single value")
    key = str(part)
    children = node.value or {}
    inner = children.get(key) or Node(None, value.at, value.key_at)
    return replace(node, value={**children, key: assign(inner, rest, value)})


def spell(path: KeyPath) -> str:
    """`adapters.sst2.method.targets[0]`; `recipe` for the whole."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}"
    return text.removeprefix(".") or "recipe"
