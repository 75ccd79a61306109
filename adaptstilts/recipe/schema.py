"""The recipe's JSON Schema: for editors, for `explain`, and for finding what a key may be."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any, TypeAlias

from adaptstilts.recipe.recipe import Recipe
from adaptstilts.recipe.section import NAME_PATTERN
from adaptstilts.recipe.tree import KeyPath

Schema: TypeAlias = dict[str, Any]
_DEFINITIONS = "#/$defs/"


def json_schema() -> Schema:
    """JSON Schema (2020-12) of a recipe file, `profiles` included."""
    schema = copy.deepcopy(recipe_schema())
    parts: Schema = {
        f"Partial{name}": _partial(body)
        for name, body in {**schema["$defs"], "Recipe": schema}.items()
    }
    parts["PartialRecipe"].pop("$defs")
    schema["$defs"] |= parts
    schema["properties"]["profiles"] = {
        "type": "object",
        "description": "Variants of the recipe: what each changes, laid onto the rest.",
        "patternProperties": {NAME_PATTERN: {"$ref": f"{_DEFINITIONS}PartialRecipe"}},
        "additionalProperties": False,
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


@cache
def recipe_schema() -> Schema:
    """JSON Schema of the recipe itself; shared, so do not change it."""
    schema = Recipe.model_json_schema()
    for body in [schema, *schema["$defs"].values()]:
        for field in body["properties"].values():
            if "patternProperties" in field:
                field["additionalProperties"] = False
            if "$ref" in field:
                field.setdefault("description", resolve(schema, field)["description"])
    return schema


def resolve(root: Schema, schema: Schema) -> Schema:
    """The definition behind a `$ref`; the schema itself where there is none."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    definition: Schema = root["$defs"][reference.removeprefix(_DEFINITIONS)]
    return definition


def forms(root: Schema, schema: Schema) -> list[Schema]:
    """The alternatives that a value may take, `$ref`s resolved."""
    schema = resolve(root, schema)
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if alternatives is None:
        return [schema]
    return [form for one in alternatives for form in forms(root, one)]


def below(root: Schema, schema: Schema, part: str | int) -> Schema | None:
    """The schema of a key or an item of a value; None where it can have none."""
    for form in forms(root, schema):
        if isinstance(part, str) and part in form.get("properties", {}):
            found: Schema = form["properties"][part]
            return found
        named = named_values(form)
        if named is not None:
            return named
        if isinstance(part, int) and "items" in form:
            items: Schema = form["items"]
            return items
    return None


def named_values(form: Schema) -> Schema | None:
    """The schema of the values of a mapping with free names; None for a closed mapping."""
    for found in form.get("patternProperties", {}).values():
        values: Schema = found
        return values
    return None


def keys_at(path: KeyPath) -> list[str]:
    """The keys that a mapping at `path` may have; empty where names are free or none may stand."""
    root = recipe_schema()
    schema: Schema | None = root
    for part in path:
        if schema is not None:
            schema = below(root, schema, part)
    if schema is None:
        return []
    return [key for form in forms(root, schema) for key in form.get("properties", {})]


def _partial(schema: Any) -> Any:
    """A copy in which nothing is required, all the way down."""
    if isinstance(schema, list):
        return [_partial(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    # Where nothing is required, a value may have several of the forms.
    copied = {
        "anyOf" if key == "oneOf" else key: _partial(value)
        for key, value in schema.items()
        if not _is_demand(key, value)
    }
    if "$ref" in copied:
        name = copied["$ref"].removeprefix(_DEFINITIONS)
        copied["$ref"] = f"{_DEFINITIONS}Partial{name}"
    return copied


def _is_demand(key: str, value: Any) -> bool:
    """Whether this is `required: [keys]` or `minProperties`, not a field of that name."""
    return (key == "required" and isinstance(value, list)) or key == "minProperties"
