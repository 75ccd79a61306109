"""Seeds, sweeps, chosen layers and own bitexts in a recipe: what they mean, what is refused."""

from __future__ import annotations

import pytest

from adaptstilts.errors import RecipeError
from adaptstilts.recipe.load import parse, resolved_yaml
from adaptstilts.recipe.measure import FileOfPairs, HubOfPairs
from adaptstilts.recipe.recipe import Recipe, without_sweeps
from adaptstilts.recipe.system import Scale, ScaleSystem, adapter_of, expanded

TEXT = """\
name: trial
base: {model: pocket}
seeds: [1, 2]
adapters:
  sst2:
    task: sst2
    method: {kind: lora}
    training: {steps: 100}
systems:
  base: none
  sst2: sst2
  strength: {sweep: {of: sst2, by: [-1, 0.5, 2]}}
measure:
  - tatoeba: {systems: [base, strength], layers: [3, 4], select: {on: oracle}}
  - bitext:
      name: news
      systems: [base, sst2]
      layer: 4
      pairs:
        sw-en: my/sw-en.tsv
        yo-en: {path: my/yo.jsonl, columns: [yoruba, english]}
report: {baseline: base, margin: 1%}
"""


def read(text: str) -> Recipe:
    return parse(text, source="trial.yaml")


def test_a_sweep_stands_for_a_scale_for_each_factor() -> None:
    recipe = without_sweeps(read(TEXT))
    assert list(recipe.systems) == [
        "base",
        "sst2",
        "strength_minus_1",
        "strength_0_5",
        "strength_2",
    ]
    assert recipe.systems["strength_0_5"] == ScaleSystem(scale=Scale(of="sst2", by=0.5))
    assert [adapter_of(one) for one in recipe.systems.values()] == [None, *["sst2"] * 4]
    first, second = (measure.retrieval for measure in recipe.measure)
    assert first.systems == ["base", "strength_minus_1", "strength_0_5", "strength_2"]
    assert second.systems == ["base", "sst2"]
    # Written out it is a recipe of its own, and nothing is left to write out.
    again = read(resolved_yaml(recipe))
    assert again == recipe
    assert without_sweeps(again) == again


def test_names_of_factors_are_names_and_differ() -> None:
    by = "[-1, 1, -0.25, 0.25, 0.1, 0.10000001, 1e-7, -1e20, 0, 12.5]"
    recipe = read(TEXT.replace("[-1, 0.5, 2]", by))
    (names,) = (list(g) for name, g in expanded(recipe.systems).items() if name == "strength")
    assert len(set(names)) == 10
    assert names[2:4] == ["strength_minus_0_25", "strength_0_25"]
    read(resolved_yaml(without_sweeps(recipe)))  # every name is one that a recipe may have


def test_a_scaled_system_can_be_swept() -> None:
    text = TEXT.replace("of: sst2, by: [", "of: {scale: {of: sst2, by: 2}}, by: [")
    found = without_sweeps(read(text)).systems["strength_2"]
    assert isinstance(found, ScaleSystem)
    assert isinstance(found.scale.of, ScaleSystem)
    assert adapter_of(found) == "sst2"


def test_places_of_pairs_have_three_forms() -> None:
    commit = "0" * 40
    text = TEXT.replace(
        "        sw-en: my/sw-en.tsv\n",
        "        sw-en: my/sw-en.tsv\n"
        f"        de-en: {{hub: user/name, revision: '{commit}', columns: [de, en]}}\n",
    )
    section = read(text).measure[1].retrieval
    path, hub, file = section.pairs.values()
    assert path == "my/sw-en.tsv"
    assert hub == HubOfPairs(hub="user/name", revision=commit, columns=["de", "en"])
    assert file == FileOfPairs(path="my/yo.jsonl", columns=["yoruba", "english"])


def test_the_margin_may_be_a_percentage() -> None:
    assert read(TEXT).report.margin == 0.01


# The `§` in the new text marks the place that the problem must have.
@pytest.mark.parametrize(
    ("old", "new", "path", "message"),
    [
        ("seeds: [1, 2]", "seeds: §[1, 1]", "seeds", "twice"),
        ("seeds: [1, 2]", "seeds: §[]", "seeds", "at least 1 entry"),
        (
            "steps: 100",
            "steps: 100, §seed: 3",
            "adapters.sst2.training.seed",
            "`seeds` for all adapters, or `training.seed` for each, not both",
        ),
        ("of: sst2, by: [", "of: §sst1, by: [", "systems.strength.sweep.of", "mean `sst2`?"),
        ("of: sst2, by: [", "of: §none, by: [", "systems.strength.sweep.of", "nothing in it"),
        ("[-1, 0.5, 2]", "§[]", "systems.strength.sweep.by", "at least 1 entry"),
        (
            "  sst2: sst2\n  strength:",
            "  strength_2: sst2\n  §strength:",
            "systems.strength",
            "which is taken; rename one",
        ),
        ("[base, strength]", "[base, §strengt]", "measure[0].tatoeba.systems[1]", "`strength`?"),
        ("[base, strength]", "[sst2]", "measure[0].tatoeba.select", "must be measured here"),
        ("select:", "layer: 4, §select:", "measure[0].tatoeba.select", "not both"),
        ("on: oracle", "on: held_out", "measure[0].tatoeba.select", "needs `bitext`"),
        ("on: oracle", "on: oracle, bitext: x", "measure[0].tatoeba.select", "takes no `bitext`"),
        ("on: oracle", "on: §oracel", "measure[0].tatoeba.select.on", "mean `oracle`?"),
        (
            "on: oracle",
            "on: oracle, layer: [4, §5]",
            "measure[0].tatoeba.select.layer[1]",
            "layer 5 is not among `layers`",
        ),
        ("sw-en: my", "§sw-sw: my", "measure[1].bitext.pairs.sw-sw", "a pair is of two languages"),
        ("sw-en: my", "§en-sw: my", "measure[1].bitext.pairs.en-sw", "write `sw-en`"),
        ("sw-en: my", "sw-fr: my", "measure[1].bitext.pairs", "make two measurements"),
        ("name: news", "name: §News", "measure[1].bitext.name", "cannot be a name"),
        ("name: news", "name: §tatoeba", "measure[1].bitext.name", "the benchmark's name"),
        (
            "[yoruba, english]",
            "§[yoruba]",
            "measure[1].bitext.pairs.yo-en.columns",
            "at least 2",
        ),
        ("baseline: base", "baseline: §strength", "report.baseline", "`strength` is a sweep"),
        ("margin: 1%", "margin: §0", "report.margin", "more than 0"),
    ],
)
def test_what_does_not_fit(old: str, new: str, path: str, message: str) -> None:
    assert TEXT.count(old) == 1
    marked = TEXT.replace(old, new)
    with pytest.raises(RecipeError) as caught:
        read(marked.replace("§", ""))
    told = [problem for problem in caught.value.problems if message in problem.message]
    assert [problem.path for problem in told][:1] == [path], caught.value.problems
    if "§" in marked:
        before = marked[: marked.index("§")]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        assert (told[0].line, told[0].column) == (line, column)


@pytest.mark.parametrize("layers", ["[1, 2]", "[0, 2]", "[3]", "[0, 1, 3]"])
def test_a_mean_of_all_layers_below_needs_them_all(layers: str) -> None:
    for form in ("[averaged]", "[centred, averaged]"):
        text = TEXT.replace("layers: [3, 4]", f"layers: {layers}, spaces: {form}")
        with pytest.raises(RecipeError) as caught:
            read(text)
        (problem,) = caught.value.problems
        place = form.count(",")
        assert problem.path == f"measure[0].tatoeba.spaces[{place}]"
        assert f"from 0 to {layers[-2]}" in problem.message
    assert read(TEXT.replace("[3, 4]", f"{layers}, spaces: [centred]"))


@pytest.mark.parametrize("layers", ["all", "[0, 1, 2]", "[2, 0, 1]", "[0]"])
def test_a_mean_of_all_layers_below_has_them_all(layers: str) -> None:
    text = TEXT.replace("layers: [3, 4]", f"layers: {layers}, spaces: [averaged]")
    assert read(text).measure[0].retrieval.spaces == ["averaged"]


def test_a_layer_is_not_chosen_during_training() -> None:
    text = TEXT.replace(
        "report:",
        "  - tatoeba: {systems: [sst2], layers: [4], during: training, select: {on: oracle}}\n"
        "report:",
    )
    with pytest.raises(RecipeError, match="take `select` out of a measurement that has `during`"):
        read(text)


def test_a_name_stands_for_one_bitext() -> None:
    other = "  - bitext: {name: §, layer: 4, systems: [base], pairs: {sw-en: other.tsv}}\nreport:"
    assert read(TEXT.replace("report:", other.replace("§", "novels"))).measure[2]
    with pytest.raises(RecipeError) as caught:
        read(TEXT.replace("report:", other.replace("§", "news")))
    (problem,) = caught.value.problems
    assert (problem.path, problem.line) == ("measure[2].bitext", 22)
    assert "name of other pairs already" in problem.message


def test_a_measurement_is_of_one_benchmark() -> None:
    text = TEXT.replace("report:", "  - tatoeba: {}\n    bitext: {pairs: {sw-en: x.tsv}}\nreport:")
    with pytest.raises(RecipeError, match="exactly one of `tatoeba`, `bitext` and `bucc`"):
        read(text)
