"""From a recipe file to a checked recipe: profile, overrides, and every mistake at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from adaptstilts.errors import Problem, RecipeError
from adaptstilts.recipe import override
from adaptstilts.recipe.cross_check import cross_check
from adaptstilts.recipe.names import Names
from adaptstilts.recipe.problems import from_validation, placed, unknown_name
from adaptstilts.recipe.profile import PLAIN, profile_nodes
from adaptstilts.recipe.read import UnreadableError, read
from adaptstilts.recipe.recipe import Recipe
from adaptstilts.recipe.tree import Node, merge, plain, without
from adaptstilts.recipe.write import resolved_yaml

__all__ = ["check", "load", "parse", "profiles", "resolved_yaml"]


def load(
    path: Path,
    *,
    profile: str | None = None,
    overrides: Sequence[str] = (),
    names: Names | None = None,
) -> Recipe:
    """Reads and checks a recipe.

    Args:
        path: The YAML file.
        profile: Name of one of its profiles, laid onto the rest; None or `full`: the rest alone.
        overrides: `key=value` texts such as `adapters.sst2.method.rank=16`, applied last.
        names: The tasks and languages that there are; None leaves their names unchecked.

    Returns:
        The recipe, everything in it resolved.

    Raises:
        RecipeError: All that is wrong with it, each with its place; also a file that is not there.
    """
    text = _text(path)
    return parse(text, source=str(path), profile=profile, overrides=overrides, names=names)


def parse(
    text: str,
    *,
    source: str,
    profile: str | None = None,
    overrides: Sequence[str] = (),
    names: Names | None = None,
) -> Recipe:
    """Reads and checks a recipe's text; `source` is what errors call it.

    Raises:
        RecipeError: All that is wrong with it, each with its place.
    """
    root, profiles, problems = _read(text, source)
    if profile is not None and profile != PLAIN:
        if profile not in profiles:
            message = unknown_name(profile, "profile", [PLAIN, *profiles])
            raise RecipeError(source, [*problems, Problem(0, 0, "profiles", message)])
        root = merge(root, profiles[profile])
    recipe, found = _build(root, overrides, names)
    if recipe is None or problems or found:
        raise RecipeError(source, _once([*problems, *found]))
    return recipe


def check(path: Path, *, overrides: Sequence[str] = (), names: Names | None = None) -> None:
    """Checks a recipe as it stands and with every one of its profiles.

    Raises:
        RecipeError: All that is wrong with any of them, told once.
    """
    source = str(path)
    root, profiles, problems = _read(_text(path), source)
    for tree in [root, *(merge(root, node) for node in profiles.values())]:
        problems += _build(tree, overrides, names)[1]
    if problems:
        raise RecipeError(source, _once(problems))


def profiles(path: Path) -> list[str]:
    """The names of a recipe's profiles, in the file's order.

    Raises:
        RecipeError: The file cannot be read, or its profiles are not mappings.
    """
    _, nodes, problems = _read(_text(path), str(path))
    if problems:
        raise RecipeError(str(path), _once(problems))
    return list(nodes)


def _text(path: Path) -> str:
    """The file's text; what keeps it from being read becomes a problem."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        message = "there is no such file"
        raise RecipeError(str(path), [Problem(0, 0, "recipe", message)]) from error
    except UnicodeDecodeError as error:
        message = f"the file is not UTF-8 text (byte {error.start})"
        raise RecipeError(str(path), [Problem(0, 0, "recipe", message)]) from error
    except OSError as error:
        message = f"the file cannot be read: {error.strerror}"
        raise RecipeError(str(path), [Problem(0, 0, "recipe", message)]) from error


def _read(text: str, source: str) -> tuple[Node, dict[str, Node], list[Problem]]:
    """The tree without its profiles, the profiles, and what is wrong so far."""
    try:
        root, problems = read(text)
    except UnreadableError as error:
        raise RecipeError(source, error.problems) from error
    nodes, found = profile_nodes(root)
    return without(root, "profiles"), nodes, [*problems, *found]


def _build(
    root: Node, overrides: Sequence[str], names: Names | None
) -> tuple[Recipe | None, list[Problem]]:
    """Applies overrides and validates; the recipe is None if it has mistakes."""
    root, problems = override.apply(root, overrides)
    tree: dict[str, Any] = plain(root)
    recipe = None
    try:
        recipe = Recipe.model_validate(tree)
    except ValidationError as error:
        problems += placed(from_validation(error, tree), root)
    problems += placed(cross_check(tree, names), root)
    return recipe, problems


def _once(problems: Sequence[Problem]) -> list[Problem]:
    """Each problem once, in the file's order."""
    return sorted(set(problems))
