"""Explaining keys, and the JSON Schema behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel

from adaptstilts.recipe.adapter import Adapter, Control, Head, Lora, Stored, Training
from adaptstilts.recipe.base import Base
from adaptstilts.recipe.bucc import Bucc
from adaptstilts.recipe.explain import UnknownKeyError, explain, nearest_key
from adaptstilts.recipe.measure import (
    FileOfPairs,
    HubOfPairs,
    Measure,
    OwnBitext,
    RetrievalSection,
    Select,
    Tatoeba,
)
from adaptstilts.recipe.read import read
from adaptstilts.recipe.recipe import Recipe
from adaptstilts.recipe.references import Reference
from adaptstilts.recipe.report import Report
from adaptstilts.recipe.schema import json_schema
from adaptstilts.recipe.section import Section
from adaptstilts.recipe.system import Scale, ScaleSystem, Sweep, SweepSystem
from adaptstilts.recipe.tree import plain

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = sorted((ROOT / "recipes").rglob("*.yaml"))
PLACES: dict[type[BaseModel], str] = {
    Recipe: "",
    Base: "base.",
    Bucc: "measure.bucc.",
    Reference: "references.",
    Adapter: "adapters.",
    Control: "adapters.",
    Stored: "adapters.",
    Lora: "adapters.method.",
    Head: "adapters.head.",
    Training: "adapters.training.",
    ScaleSystem: "systems.",
    Scale: "systems.scale.",
    SweepSystem: "systems.",
    Sweep: "systems.sweep.",
    Measure: "measure.",
    RetrievalSection: "measure.tatoeba.",
    Tatoeba: "measure.tatoeba.",
    OwnBitext: "measure.bitext.",
    Select: "measure.tatoeba.select.",
    FileOfPairs: "measure.bitext.pairs.",
    HubOfPairs: "measure.bitext.pairs.",
    Report: "report.",
}


def test_every_section_is_looked_at() -> None:
    direct = Section.__subclasses__()
    assert set(PLACES) == {
        *direct,
        *(one for section in direct for one in section.__subclasses__()),
    }


@pytest.mark.parametrize("section", PLACES, ids=lambda section: section.__name__)
def test_every_field_is_explained_in_one_sentence(section: type[BaseModel]) -> None:
    for name, field in section.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
        (entry, *_) = explain(PLACES[section] + (field.alias or name))
        assert entry.description == field.description
        assert entry.type
        if (section, name) != (HubOfPairs, "columns"):  # told as a file's, which may be left out
            assert (entry.default == "(required)") == field.is_required()


def test_explain_lists_every_key_once() -> None:
    keys = [entry.key for entry in explain()]
    expected = {
        place + (field.alias or name)
        for section, place in PLACES.items()
        for name, field in section.model_fields.items()
    }
    # The way to choose a layer is told for both benchmarks.
    expected |= {f"measure.bitext.select.{name}" for name in Select.model_fields}
    assert len(keys) == len(set(keys))
    assert set(keys) == {*expected, "profiles"}
    assert keys[-1] == "profiles"


def test_a_type_is_named_once() -> None:
    (entry, *_) = explain("systems")
    assert entry.type == "mapping of names to text or mapping"


@pytest.mark.parametrize(
    "key",
    ["adapters.method.rank", "adapters.sst2.method.rank", "profiles.pocket.adapters.a.method.rank"],
)
def test_names_may_be_given_or_left_out(key: str) -> None:
    (entry,) = explain(key)
    assert entry.key == "adapters.method.rank"
    assert (entry.type, entry.default) == ("whole number", "8")
    assert entry.allowed == "at least 1, at most 1024"


def test_positions_may_be_given_or_left_out() -> None:
    assert explain("measure[0].tatoeba.every") == explain("measure.tatoeba.every")


def test_unknown_key_is_suggested() -> None:
    with pytest.raises(UnknownKeyError, match=r"did you mean `adapters.method.rank`"):
        explain("adapters.method.rnk")


@pytest.mark.parametrize(
    ("place", "key"),
    [
        ("adapters.sst2.method", "adapters.method"),
        ("adapters.sst2.method.rnk", "adapters.method"),
        ("profiles.pocket.base.model", "base.model"),
        ("recipe", None),
    ],
)
def test_nearest_key(place: str, key: str | None) -> None:
    assert nearest_key(place) == key


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_json_schema_takes_the_shipped_recipes(path: Path) -> None:
    node, problems = read(path.read_text(encoding="utf-8"))
    assert problems == []
    jsonschema.Draft202012Validator(json_schema()).validate(plain(node))


@pytest.mark.parametrize(
    "change",
    [
        {"nmae": "x"},
        {"profiles": {"pocket": {"base": {"modle": "x"}}}},
        {"adapters": {"Bad Name": {}}},
        {"systems": {"a": 3}},
        {"base": {}},
    ],
)
def test_json_schema_refuses_mistakes(change: dict[str, Any]) -> None:
    node, _ = read(SHIPPED[0].read_text(encoding="utf-8"))
    validator = jsonschema.Draft202012Validator(json_schema())
    assert not validator.is_valid(plain(node) | change)


def test_json_schema_is_one() -> None:
    jsonschema.Draft202012Validator.check_schema(json_schema())
