"""YAML 1.2 text → a tree with places; finds syntax errors, repeated keys and stray tags.

The text is only composed, not constructed: ruamel gives nodes with marks and 1.2 tags (`no` is
text, `1e-4` a number), and the few scalar types that a recipe needs are made here.
"""

from __future__ import annotations

import re
from dataclasses import replace

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode
from ruamel.yaml.nodes import Node as YamlNode

from adaptstilts.errors import Problem
from adaptstilts.recipe.tree import KeyPath, Mark, Node, Scalar, spell

_MOST_NODES = 100_000
_DEEPEST = 60
_TAG = "tag:yaml.org,2002:"
_DIRECTIVE = re.compile(r"^%YAML\s+(?!1\.2\b).*$", re.MULTILINE)


class UnreadableError(Exception):
    """Text that is no tree; holds what is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(problem.message for problem in problems))


def read(text: str) -> tuple[Node, list[Problem]]:
    """Reads a recipe's text.

    Args:
        text: The whole file.

    Returns:
        The tree, and the mistakes that leave a tree to go on with (repeated keys, tags, odd keys).

    Raises:
        UnreadableError: The text is no YAML, or is no mapping.
    """
    directive = _DIRECTIVE.search(text)
    if directive is not None:
        line = text.count("\n", 0, directive.start()) + 1
        message = f"recipes are YAML 1.2; take out the line `{directive.group().strip()}`"
        raise UnreadableError([Problem(line, 1, "recipe", message)])
    composed = _compose(text)
    if composed is None:
        raise UnreadableError(
            [Problem(1, 1, "recipe", "the file is empty; it needs at least a `name`")]
        )
    if not isinstance(composed, MappingNode):
        place = composed.start_mark
        message = "expected a mapping, such as `name: my_experiment`"
        raise UnreadableError([Problem(place.line + 1, place.column + 1, "recipe", message)])
    problems: list[Problem] = []
    node = _Reader(problems).node(composed, ())
    return node, problems


def read_value(text: str, mark: Mark) -> Node:
    """Reads the value of an override; every place in it is `mark`.

    Raises:
        UnreadableError: The text is no YAML value.
    """
    composed = _compose(text)
    if composed is None:
        return Node(None, mark, mark)
    problems: list[Problem] = []
    node = _Reader(problems, mark).node(composed, mark.path)
    if problems:
        raise UnreadableError(problems)
    return replace(node, key_at=mark)


def _compose(text: str) -> YamlNode | None:
    """The node graph of one document."""
    yaml = YAML(typ="safe", pure=True)
    yaml.composer.warn_double_anchors = False  # YAML allows it; the last one before an alias counts
    try:
        composed: YamlNode | None = yaml.compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        message = f"this is no YAML: {error.problem or error.context}"
        if error.problem and error.context:
            start = error.context_mark
            message += f", {error.context}"
            message += f" that starts in line {start.line + 1}" if start is not None else ""
        raise UnreadableError([Problem(line, column, "recipe", message)]) from error
    except YAMLError as error:
        message = f"this is no YAML: {str(error).splitlines()[0]}"
        raise UnreadableError([Problem(1, 1, "recipe", message)]) from error
    except (RecursionError, ValueError) as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else str(error)
        raise UnreadableError([Problem(1, 1, "recipe", f"this is no YAML: {reason}")]) from error
    return composed


class _Reader:
    """Turns composed YAML into nodes; collects problems as it goes."""

    def __init__(self, problems: list[Problem], fixed: Mark | None = None) -> None:
        self.problems = problems
        self.fixed = fixed
        self.count = 0
        self.open: set[int] = set()

    def mark(self, yaml: YamlNode, path: KeyPath) -> Mark:
        """Where a YAML node starts; the override's own mark inside an override."""
        if self.fixed is not None:
            return replace(self.fixed, path=path)
        return Mark(yaml.start_mark.line + 1, yaml.start_mark.column + 1, path)

    def complain(self, yaml: YamlNode, path: KeyPath, message: str) -> None:
        """Notes a problem at a YAML node."""
        mark = self.mark(yaml, path)
        self.problems.append(Problem(mark.line, mark.column, spell(path), message))

    def node(self, yaml: YamlNode, path: KeyPath, key_at: Mark | None = None) -> Node:
        """One value with everything under it."""
        at = self.mark(yaml, path)
        key_at = key_at or at
        self.count += 1
        if self.count > _MOST_NODES or len(self.open) > _DEEPEST:
            raise UnreadableError(
                [
                    Problem(
                        at.line,
                        at.column,
                        spell(path),
                        "the recipe is too large, or nested too deep",
                    )
                ]
            )
        if isinstance(yaml, ScalarNode):
            return Node(self.scalar(yaml, path), at, key_at)
        if id(yaml) in self.open:
            message = "an alias (`*`) stands inside the value that it repeats"
            raise UnreadableError([Problem(key_at.line, key_at.column, spell(path), message)])
        self.open.add(id(yaml))
        value: dict[str, Node] | list[Node]
        if isinstance(yaml, MappingNode):
            value = self.mapping(yaml, path)
        else:
            value = [self.node(item, (*path, index)) for index, item in enumerate(yaml.value)]
        self.open.discard(id(yaml))
        return Node(value, at, key_at)

    def mapping(self, yaml: MappingNode, path: KeyPath) -> dict[str, Node]:
        """The keys of a mapping in their order; `<<` brings in keys that are not given here."""
        own: dict[str, Node] = {}
        brought: dict[str, Node] = {}
        for key, value in yaml.value:
            if not isinstance(key, ScalarNode):
                self.complain(key, path, "a key is a single word, not a list or a mapping")
            elif key.tag == f"{_TAG}merge":
                many = value.value if value.id == "sequence" else [value]
                for one in many:
                    if isinstance(one, MappingNode):
                        brought = {**self.node(one, path).value, **brought}  # type: ignore[dict-item]
                    else:
                        self.complain(one, path, "`<<` takes a mapping, such as `<<: *name`")
            elif key.value in own:
                first = own[key.value].key_at
                where = f" (first in line {first.line})" if first.line else ""
                self.complain(key, path, f"the key `{key.value}` stands here twice{where}")
            else:
                inner = (*path, key.value)
                own[key.value] = self.node(value, inner, self.mark(key, inner))
        return {**brought, **own}

    def scalar(self, yaml: ScalarNode, path: KeyPath) -> Scalar:
        """A scalar by its YAML 1.2 type; dates stay text."""
        kind = str(yaml.tag).removeprefix(_TAG)
        text = str(yaml.value)
        try:
            if kind == "null":
                return None
            if kind == "bool":
                return text.lower() == "true"
            if kind == "int":
                return _whole_number(text)
            if kind == "float":
                return float(text.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
        except ValueError:
            self.complain(yaml, path, f"`{text[:40]}` is no number")
            return text
        if kind not in {"str", "timestamp"}:
            self.complain(yaml, path, f"a recipe has no tags; take out `{yaml.tag}`")
        return text


def _whole_number(text: str) -> int:
    """A YAML 1.2 whole number: decimal (leading zeros mean nothing), `0x…` or `0o…`."""
    digits = text.replace("_", "").lower()
    body = digits.lstrip("+-")
    if body.startswith(("0x", "0o", "0b")):
        number = int(body, 0)
        return -number if digits.startswith("-") else number
    return int(digits)
