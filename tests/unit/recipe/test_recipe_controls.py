"""Controls in a recipe: what they are of, what they share, what is refused; and chosen layers."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from adaptstilts.errors import RecipeError
from adaptstilts.recipe.adapter import Adapter, Control, numbered_layers, resolved
from adaptstilts.recipe.load import parse, resolved_yaml
from adaptstilts.recipe.read import read
from adaptstilts.recipe.schema import json_schema
from adaptstilts.recipe.tree import plain

TEXT = """\
name: trial
base: {model: pocket}
adapters:
  dice: {control: random, of: sst2}
  mlm: {control: english_mlm, of: sst2}
  sst2:
    task: sst2
    method: {kind: lora}
    training: {steps: 100}
systems:
  base: none
  sst2: sst2
  dice: dice
  mlm: {scale: {of: mlm, by: 0.5}}
  gaps: mlm
measure:
  - tatoeba: {systems: [base, sst2]}
  - tatoeba: {systems: [sst2, gaps], during: training, every: 20%}
report: {baseline: base}
"""


def test_a_control_has_all_that_it_is_a_control_of_has_and_stands_after_it() -> None:
    recipe = parse(TEXT, source="trial.yaml")
    assert isinstance(recipe.adapters["dice"], Control)
    found = resolved(recipe.adapters)
    assert list(found) == ["sst2", "dice", "mlm"]
    trained = recipe.adapters["sst2"]
    assert isinstance(trained, Adapter)
    assert all(entry.adapter is trained for entry in found.values())
    assert [(entry.control, entry.of) for entry in found.values()] == [
        (None, None),
        ("random", "sst2"),
        ("english_mlm", "sst2"),
    ]


def test_it_is_written_out_and_read_again() -> None:
    recipe = parse(TEXT, source="trial.yaml")
    assert parse(resolved_yaml(recipe), source="resolved.yaml") == recipe


# The `§` in the new text marks the place that the problem must have.
@pytest.mark.parametrize(
    ("old", "new", "path", "message"),
    [
        ("random, of: sst2", "random, of: §sst", "adapters.dice.of", "did you mean `sst2`?"),
        ("random, of: sst2", "random, of: §mlm", "adapters.dice.of", "`mlm` is a control itself"),
        ("random, of: sst2", "random, of: §dice", "adapters.dice.of", "a control itself; name"),
        (
            "dice: {control: random, of: sst2}",
            "§dice: {control: random}",
            "adapters.dice",
            "`of` is mi",
        ),
        (
            "dice: {control: random, of",
            "§dice: {of",
            "adapters.dice",
            "the key `control` is missing",
        ),
        ("control: random", "§contrl: random", "adapters.dice", "did you mean `control`?"),
        ("control: random", "control: §rnd", "adapters.dice.control", "is not one of random, sh"),
        (
            "random, of: sst2",
            "random, of: sst2, §training: {steps: 3}",
            "adapters.dice",
            "`training` cannot stand beside `control` and `of`",
        ),
        ("  dice: {control: random", "  §gaps: {control: english_mlm", "adapters.gaps", ""),
        ("[sst2, gaps]", "[sst2, §dice]", "measure[1].tatoeba.systems[1]", "no training to follow"),
        ("20%", "§15%", "measure[1].tatoeba.every", "15% does not divide"),
        ("kind: lora", "kind: lora, layers: §x", "adapters.sst2.method.layers", "match pattern"),
        ("kind: lora", "kind: lora, layers: §5-2", "adapters.sst2.method.layers", "lower layer"),
        ("kind: lora", "kind: lora, layers: §3", "adapters.sst2.method.layers", "a range such as"),
        (
            "kind: lora",
            "kind: lora, layers: [1, §0]",
            "adapters.sst2.method.layers[1]",
            "at least 1, got 0",
        ),
        ("kind: lora", "kind: lora, layers: §[2, 2]", "adapters.sst2.method.layers", "twice"),
    ],
)
def test_what_does_not_fit(old: str, new: str, path: str, message: str) -> None:
    assert TEXT.count(old) == 1
    marked = TEXT.replace(old, new)
    before = marked[: marked.index("§")]
    place = (before.count("\n") + 1, len(before) - before.rfind("\n"), path)
    with pytest.raises(RecipeError) as caught:
        parse(marked.replace("§", ""), source="trial.yaml")
    found = {(p.line, p.column, p.path): p.message for p in caught.value.problems}
    assert message in found[place]


def test_an_unused_control_is_told_of() -> None:
    with pytest.raises(RecipeError, match="no system uses this adapter"):
        parse(TEXT.replace("  dice: dice\n", ""), source="trial.yaml")


def test_two_equal_controls_are_one() -> None:
    text = TEXT.replace("adapters:\n", "adapters:\n  more: {control: random, of: sst2}\n")
    text = text.replace("systems:\n", "systems:\n  more: more\n", 1)
    with pytest.raises(RecipeError) as caught:
        parse(text, source="trial.yaml")
    (problem,) = caught.value.problems
    assert problem.message == "`dice` is the same as `more`; one of them is enough"


@pytest.mark.parametrize(
    "entry",
    [
        {"control": "random"},
        {"of": "sst2"},
        {"control": "dice", "of": "sst2"},
        {"control": "random", "of": "sst2", "training": {"steps": 1}},
        {"task": "sst2", "method": {"kind": "lora", "layers": "1-b"}, "training": {}},
        {"task": "sst2", "method": {"kind": "lora", "layers": [0]}, "training": {}},
    ],
)
def test_the_json_schema_takes_controls_and_refuses_mistakes(entry: dict[str, Any]) -> None:
    validator = jsonschema.Draft202012Validator(json_schema())
    node, _ = read(TEXT)
    tree = plain(node)
    validator.validate(tree | {"profiles": {"a": {"adapters": {"sst2": {}, "dice": {}}}}})
    assert not validator.is_valid(tree | {"adapters": tree["adapters"] | {"bad": entry}})


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("all", None), ("[3, 1]", [1, 3]), ("2-5", [2, 3, 4, 5]), ("4-4", [4])],
)
def test_layers_are_all_a_list_or_a_range(text: str, numbers: list[int] | None) -> None:
    recipe = parse(TEXT.replace("kind: lora", f"kind: lora, layers: {text}"), source="trial.yaml")
    trained = recipe.adapters["sst2"]
    assert isinstance(trained, Adapter)
    assert numbered_layers(trained.method.layers) == numbers
