"""What pydantic found → problems that a person can mend: place, reason, suggestion."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from adaptstilts.errors import Problem
from adaptstilts.recipe.schema import below, forms, keys_at, recipe_schema
from adaptstilts.recipe.section import NAME_PATTERN
from adaptstilts.recipe.tree import KeyPath, Node, nearest, spell

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "string_type": "text",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
}
_BOUNDS = {
    "greater_than": ("more than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than": ("less than", "lt"),
    "less_than_equal": ("at most", "le"),
}


@dataclass(frozen=True)
class Finding:
    """A mistake at a place in the tree, before its line is looked up.

    Attributes:
        path: The value that is wrong, or the mapping with a wrong or missing key.
        message: What is wrong and what would be right.
        key: The wrong key inside the mapping at `path`; its place is then the problem's.
        is_about_key: Whether the place to show is the key at the end of `path`, not its value.
    """

    path: KeyPath
    message: str
    key: str | None = None
    is_about_key: bool = False


def from_validation(error: ValidationError, tree: Any) -> list[Finding]:
    """Everything that pydantic found, a misspelt and so missing key told once.

    Args:
        error: What validating `tree` raised.
        tree: The plain tree (dicts, lists, scalars) that was validated.

    Returns:
        Findings in pydantic's order.
    """
    missing: dict[KeyPath, list[str]] = {}
    unknown: list[KeyPath] = []
    findings = []
    for detail in error.errors(include_url=False, include_context=True):
        path = _without_tags(detail["loc"], tree)
        if detail["type"] == "missing":
            missing.setdefault(path[:-1], []).append(str(path[-1]))
        elif detail["type"] == "extra_forbidden":
            unknown.append(path)
        elif path[-1:] == ("[key]",):
            findings.append(Finding(path[:-1], _not_a_name(path[-2]), is_about_key=True))
        else:
            findings.append(Finding(path, _reason(detail)))
    findings += [_unknown_key(path, missing.get(path[:-1], []), tree) for path in unknown]
    for path, keys in missing.items():
        for key in keys:
            message = f"the key `{key}` is missing{_purpose((*path, key))}"
            findings.append(Finding(path, message, is_about_key=True))
    return findings


def placed(findings: Iterable[Finding], root: Node) -> list[Problem]:
    """Looks up where each finding stands: in the file, in a profile, or in an override."""
    problems = []
    for finding in findings:
        node = nearest(root, finding.path)
        mark = node.key_at if finding.is_about_key else node.at
        path = mark.path
        if finding.key is not None:
            mark = nearest(root, (*finding.path, finding.key)).key_at
            path = mark.path[:-1]
        message = finding.message
        if mark.override is not None:
            path = finding.path
            message += f" (from the override `{mark.override}`)"
        problems.append(Problem(mark.line, mark.column, spell(path), message))
    return problems


def suggestion(word: str, known: Iterable[str]) -> str:
    """`; did you mean `adapter`?` where a known word is near, else nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean `{near[0]}`?" if near else ""


def unknown_name(word: str, what: str, known: Iterable[str]) -> str:
    """`no system is called `bas`; did you mean `base`?`, or the list of what there is."""
    names = list(known)
    near = suggestion(word, names)
    if near or not names:
        return f"no {what} is called `{word}`{near}"
    return f"no {what} is called `{word}`; there are {', '.join(names)}"


def _without_tags(place: tuple[str | int, ...], tree: Any) -> KeyPath:
    """Takes out what pydantic adds for a union: our `<form>`s, and a `kind` that is no key."""
    path: list[str | int] = []
    value = tree
    for index, part in enumerate(place):
        is_last = index + 1 == len(place)
        if isinstance(part, str) and part.startswith("<") and not _has(value, part):
            continue
        if isinstance(value, Mapping) and value.get("kind") == part and not is_last:
            continue
        path.append(part)
        value = value[part] if _has(value, part) else None
    return tuple(path)


def _has(value: Any, part: str | int) -> bool:
    """Whether a key or an index is there."""
    if isinstance(value, Mapping):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and part < len(value)


def _unknown_key(path: KeyPath, missing: list[str], tree: Any) -> Finding:
    """An unknown key; takes the missing key that was meant off the list."""
    container, key = path[:-1], str(path[-1])
    value = tree
    for part in container:
        value = value[part]
    known = keys_at(container)
    if key in known:  # it belongs to another form of the same thing
        others = " and ".join(f"`{name}`" for name in value if name in known and name != key)
        return Finding(container, f"`{key}` cannot stand beside {others}", key=key)
    still_free = [name for name in known if name not in value]
    near = suggestion(key, missing) or suggestion(key, still_free) or suggestion(key, known)
    for name in missing:
        if near == f"; did you mean `{name}`?":
            missing.remove(name)
            break
    homes = [name for name in known if key in keys_at((*container, name))]
    if homes:
        near = f"; it belongs inside `{homes[0]}`"
    elif not near and known:
        near = f"; there are {', '.join(known)}"
    return Finding(container, f"unknown key `{key}`{near}", key=key)


def _purpose(path: KeyPath) -> str:
    """The description of a key, in brackets."""
    root = recipe_schema()
    schema = root
    for part in path:
        found = below(root, schema, part)
        if found is None:
            return ""
        schema = found
    description = str(schema.get("description") or forms(root, schema)[0].get("description", ""))
    return f" ({description[0].lower()}{description[1:].rstrip('.')})" if description else ""


def _reason(detail: ErrorDetails) -> str:
    """What is wrong with one value."""
    kind, given, context = detail["type"], detail["input"], detail.get("ctx", {})
    if kind in _EXPECTED:
        hint = "; put it in quotes" if kind == "string_type" and _is_quotable(given) else ""
        return f"expected {_EXPECTED[kind]}, got {_shown(given)}{hint}"
    if kind in _BOUNDS:
        words, bound = _BOUNDS[kind]
        return f"must be {words} {context[bound]}, got {_number(given)}"
    if kind == "literal_error":
        known = str(context["expected"]).replace(" or ", ", ").replace("'", "").split(", ")
        near = suggestion(given, known) if isinstance(given, str) else ""
        written = given if isinstance(given, str) else _shown(given)
        return f"`{written}` is not one of {', '.join(known)}{near}"
    if kind == "string_pattern_mismatch" and context.get("pattern") == NAME_PATTERN:
        return _not_a_name(given)
    if kind == "string_too_short":
        return "must not be empty"
    if kind == "too_short":
        return f"needs at least {context['min_length']} entry"
    if kind == "finite_number":
        return f"must be a finite number, got {_number(given)}"
    return detail["msg"]


def _not_a_name(given: Any) -> str:
    """Why a word cannot be a name."""
    return (
        f"`{given}` cannot be a name: use small letters, digits and `_`, with a letter at the start"
    )


def _is_quotable(given: Any) -> bool:
    """Whether quotes would make text of this value."""
    return given is not None and not isinstance(given, dict | list)


def _shown(given: Any) -> str:
    """A wrong value in words."""
    if given is None:
        return "nothing"
    if isinstance(given, bool):
        return str(given).lower()
    if isinstance(given, str):
        return f'the text "{given if len(given) <= 60 else given[:57] + "..."}"'
    if isinstance(given, dict):
        return "a mapping"
    return "a list" if isinstance(given, list) else f"the number {_number(given)}"


def _number(given: Any) -> str:
    """A number as written; one with too many digits to print is only called so."""
    if isinstance(given, int) and abs(given) >= 10**40:
        return "one of more than 40 digits"
    return str(given)
