"""Laws: a resolved recipe loads to an equal one; any text is a recipe or a list of problems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adaptstilts.errors import RecipeError
from adaptstilts.recipe.load import parse, resolved_yaml
from adaptstilts.recipe.recipe import Recipe

# Words that a YAML 1.1 reader, or a careless writer, would turn into something else.
TRAPS = ["no", "yes", "off", "1e-4", "10%", "null", "~", "012", "2024-01-01", "0x1f", "- a", "a: b"]
names = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
texts = st.sampled_from(TRAPS) | st.text(min_size=1, max_size=30)
positive = st.floats(min_value=1e-12, max_value=1e12)
portion = st.floats(min_value=0, max_value=1, exclude_max=True)
targets = st.lists(
    st.sampled_from(["query", "key", "value", "attention_output", "intermediate", "output"]),
    min_size=1,
    unique=True,
)
shares = st.floats(min_value=1e-6, max_value=1)
# What is measured beside a protocol's own, and how a layer is chosen.
measured = {
    "protocol": st.sampled_from(["xtreme", "jiant", "mteb", "both", "xsim"]),
    "metrics": st.sampled_from(["protocol", "all"]),
    "spaces": st.lists(
        st.sampled_from(["centred", "without_top_pcs", "whitened", "averaged"]), unique=True
    ),
    "geometry": st.booleans(),
    "select": st.one_of(
        st.fixed_dictionaries({"on": st.just("held_out"), "bitext": texts}),
        st.fixed_dictionaries({"on": st.sampled_from(["leave_languages_out", "oracle"])}),
    ),
}
codes = st.from_regex(r"[a-z]{2,3}", fullmatch=True).filter(lambda code: code != "en")
places = st.one_of(
    texts,
    st.fixed_dictionaries(
        {"path": texts},
        optional={"columns": st.lists(texts, min_size=2, max_size=2, unique=True)},
    ),
    st.fixed_dictionaries(
        {
            "hub": texts,
            "revision": st.just("0123456789" * 4),
            "columns": st.lists(texts, min_size=2, max_size=2, unique=True),
        },
        optional={"config": texts, "split": texts},
    ),
)
own = st.fixed_dictionaries(
    {"pairs": st.dictionaries(codes.map("{}-en".format), places, min_size=1, max_size=3)},
    optional={"name": names, **measured},
)
lengths = st.one_of(
    st.fixed_dictionaries({"epochs": positive}),
    st.fixed_dictionaries({"steps": st.integers(10, 10**9)}),
)
methods = st.fixed_dictionaries(
    {"kind": st.just("lora")},
    optional={
        "rank": st.integers(1, 1024),
        "alpha": positive,
        "dropout": portion,
        "targets": targets,
    },
)
unseeded = st.builds(
    lambda length, rest: length | rest,
    lengths,
    st.fixed_dictionaries(
        {},
        optional={
            "learning_rate": positive,
            "warmup": portion,
            "rows": st.none() | st.integers(1, 10**6),
        },
    ),
)

trainings = st.builds(
    lambda training, seed: training | {"seed": seed}, unseeded, st.integers(0, 2**32 - 1)
)


@st.composite
def systems(draw: st.DrawFn, adapter: str) -> Any:
    system: Any = adapter
    for factor in draw(st.lists(st.floats(-100, 100), max_size=3)):
        system = {"scale": {"of": system, "by": factor}}
    factors = draw(st.lists(st.integers(-9, 9), max_size=3, unique=True))
    return {"sweep": {"of": system, "by": factors}} if factors else system


def with_layers_below(measure: dict[str, Any]) -> dict[str, Any]:
    """A mean of the layers up to each needs them all."""
    if "averaged" in measure.get("spaces", []) and "layers" in measure:
        return measure | {"layers": list(range(max(measure["layers"]) + 1))}
    return measure


@st.composite
def recipes(draw: st.DrawFn) -> Recipe:
    adapters = draw(st.lists(names.filter(lambda name: name != "none"), max_size=3, unique=True))
    named = {f"s{n}": draw(systems(adapter)) for n, adapter in enumerate(adapters)}
    measures = draw(
        st.lists(
            st.fixed_dictionaries(
                {},
                optional={
                    "systems": st.just(["base"]),
                    "layers": st.lists(st.integers(0, 24), min_size=1, unique=True),
                    "languages": texts | st.lists(texts, min_size=1, unique=True),
                    **measured,
                },
            ).map(with_layers_below),
            min_size=1,
            max_size=3,
        )
    )
    followed = {f"f{n}": adapter for n, adapter in enumerate(adapters)}
    if followed:
        share = st.sampled_from([0.1, 0.2, 0.5, 1.0])
        during = {"systems": list(followed), "during": "training", "every": draw(share)}
        measures.append(during)
    seeds = draw(st.none() | st.lists(st.integers(0, 2**32 - 1), min_size=1, unique=True))
    return Recipe.model_validate(
        {
            "name": draw(names),
            "seeds": seeds,
            "description": draw(st.just("") | texts),
            "base": {"model": draw(texts), "revision": draw(st.none() | texts)},
            "adapters": {
                name: {
                    "task": draw(texts),
                    "method": draw(methods) | {"rank": number + 1},
                    "training": draw(trainings if seeds is None else unseeded),
                }
                for number, name in enumerate(adapters)
            },
            "systems": {"base": "none"} | named | followed,
            "measure": [
                *({"tatoeba": measure} for measure in measures),
                *({"bitext": measure} for measure in draw(st.lists(own, max_size=1))),
            ],
            "report": {"baseline": "base", "margin": draw(st.none() | shares)},
        }
    )


@given(recipes())
@settings(max_examples=40, deadline=None)
def test_resolved_recipe_loads_to_an_equal_one(recipe: Recipe) -> None:
    text = resolved_yaml(recipe)
    again = parse(text, source="resolved.yaml")
    assert again == recipe
    assert resolved_yaml(again) == text


SHIPPED = Path(__file__).resolve().parents[3] / "recipes" / "sst2_tatoeba.yaml"
LINES = [
    line.split(" #")[0]
    for line in SHIPPED.read_text(encoding="utf-8").splitlines()
    if line.strip() and not line.startswith("#")
]
pieces = st.sampled_from(
    [
        "",
        "null",
        "3",
        "-1",
        "1e999",
        "0x",
        "[",
        "]",
        "{}",
        "[[]]",
        "&a",
        "*a",
        "<<: *a",
        "!t x",
        "? a",
        "{scale: {of: sst2, by: 1}}",
        "name: x",
        "none",
        "profiles: {a: {}}",
        "- a",
        "'",
        "kind: lora",
    ]
) | st.text(max_size=6)


@given(
    st.lists(st.tuples(st.integers(0, len(LINES) - 1), st.integers(0, 40), pieces), max_size=4),
    st.lists(
        st.tuples(st.sampled_from(["base", "measure[0]", "systems.x", "a.b"]), pieces), max_size=2
    ),
)
@settings(max_examples=60, deadline=None)
def test_any_text_is_a_recipe_or_a_list_of_problems(
    edits: list[tuple[int, int, str]], overrides: list[tuple[str, str]]
) -> None:
    lines = list(LINES)
    for number, column, piece in edits:
        lines[number] = lines[number][:column] + piece
    problems = []
    try:
        parse(
            "\n".join(lines),
            source="edited.yaml",
            profile="pocket",
            overrides=[f"{key}={value}" for key, value in overrides],
        )
    except RecipeError as error:
        problems = error.problems
    for problem in problems:
        assert (problem.line == 0) == (problem.column == 0)
        assert problem.path
        assert problem.message
