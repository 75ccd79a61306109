"""Reading recipes: YAML 1.2, profiles, overrides, and what the models take."""

from __future__ import annotations

from pathlib import Path

import pytest

from adaptstilts.errors import RecipeError
from adaptstilts.recipe.load import check, load, parse, profiles
from adaptstilts.recipe.measure import Tatoeba
from adaptstilts.recipe.recipe import Recipe
from adaptstilts.recipe.system import adapter_of

ROOT = Path(__file__).resolve().parents[3]
SHIPPED = sorted((ROOT / "recipes").rglob("*.yaml"))

TEXT = """\
name: trial
base: {model: pocket, revision: abc}
adapters:
  sst2:
    task: sst2
    method: {kind: lora, targets: [query, value]}
    training: {epochs: 3, learning_rate: 1e-4, warmup: 10%}
systems:
  base: none
  sst2: sst2
  half_back: {scale: {of: {scale: {of: sst2, by: -1}}, by: 0.5}}
measure:
  - tatoeba: {languages: [sw, no, th]}
  - tatoeba: {systems: [sst2], during: training, every: 20%}
report: {baseline: base}
profiles:
  small:
    base: {revision: null}
    adapters:
      sst2:
        method: {targets: [output]}
        training: {epochs: null, steps: 50}
    measure:
      - tatoeba: {languages: pocket}
"""


def test_there_are_shipped_recipes() -> None:
    assert len(SHIPPED) >= 2


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.relative_to(ROOT)))
def test_shipped_recipe_has_no_problem(path: Path) -> None:
    check(path)
    for profile in [None, "full", *profiles(path)]:
        assert load(path, profile=profile).name.isidentifier()


def test_yaml_1_2_scalars() -> None:
    recipe = parse(TEXT, source="trial.yaml")
    training = recipe.adapters["sst2"].training
    assert training.learning_rate == 0.0001
    assert training.warmup == 0.1
    assert recipe.measure[0].tatoeba.languages == ["sw", "no", "th"]
    assert recipe.measure[1].tatoeba.every == 0.2


def test_defaults_are_those_of_the_design() -> None:
    recipe = parse(TEXT, source="trial.yaml")
    assert recipe.base.quantization == "int8"
    assert recipe.base.trim_vocabulary
    assert recipe.adapters["sst2"].method.rank == 8
    assert recipe.adapters["sst2"].head.pooling == "first"
    assert recipe.adapters["sst2"].training.evaluations == 10
    assert Tatoeba() == Tatoeba(
        systems="all", protocol="xtreme", layer=None, layers="all", languages="xtreme36", every=0.1
    )


def test_scale_of_a_scale_runs_on_one_adapter() -> None:
    recipe = parse(TEXT, source="trial.yaml")
    assert [adapter_of(system) for system in recipe.systems.values()] == [None, "sst2", "sst2"]


def test_profile_merges_mappings_and_replaces_the_rest() -> None:
    recipe = parse(TEXT, source="trial.yaml", profile="small")
    adapter = recipe.adapters["sst2"]
    assert recipe.base.model == "pocket"
    assert recipe.base.revision is None
    assert adapter.method.targets == ["output"]
    assert (adapter.training.epochs, adapter.training.steps) == (None, 50)
    assert adapter.training.learning_rate == 0.0001
    assert len(recipe.measure) == 1


def test_full_is_the_recipe_without_a_profile() -> None:
    assert parse(TEXT, source="a", profile="full") == parse(TEXT, source="a")


def test_unknown_profile_is_suggested() -> None:
    with pytest.raises(RecipeError, match="no profile is called `smal`; did you mean `small`"):
        parse(TEXT, source="trial.yaml", profile="smal")


@pytest.mark.parametrize(
    ("override", "place", "value"),
    [
        ("adapters.sst2.method.rank=16", "adapters.sst2.method.rank", 16),
        ("adapters.sst2.head.pooling=mean", "adapters.sst2.head.pooling", "mean"),
        ("measure[0].tatoeba.layer=4", "measure.0.tatoeba.layer", 4),
        ("measure.0.tatoeba.languages=[no]", "measure.0.tatoeba.languages", ["no"]),
        ("base.revision=", "base.revision", None),
        ("adapters.sst2.training.warmup = 5%", "adapters.sst2.training.warmup", 0.05),
        ("description=a = b", "description", "a = b"),
    ],
)
def test_override(override: str, place: str, value: object) -> None:
    found: object = parse(TEXT, source="trial.yaml", overrides=[override]).model_dump()
    for part in place.split("."):
        found = found[int(part)] if isinstance(found, list) else found[part]  # type: ignore[index]
    assert found == value


def test_overrides_come_after_the_profile_and_in_order() -> None:
    overrides = ["adapters.sst2.training.steps=70", "adapters.sst2.training.steps=60"]
    recipe = parse(TEXT, source="trial.yaml", profile="small", overrides=overrides)
    assert recipe.adapters["sst2"].training.steps == 60


def test_anchors_and_merge_keys() -> None:
    text = TEXT.replace("training: {epochs: 3", "training: &t {epochs: 3").replace(
        "systems:\n",
        "  other:\n    task: sst2\n    method: {kind: lora}\n"
        "    training: {<<: *t, seed: 2}\nsystems:\n  other: other\n",
        1,
    )
    recipe = parse(text, source="trial.yaml")
    assert recipe.adapters["other"].training == recipe.adapters["sst2"].training.model_copy(
        update={"seed": 2}
    )


def test_an_anchor_may_be_used_again() -> None:
    text = TEXT.replace("{kind: lora, ", "&t {kind: lora, ").replace("{epochs: 3", "&t {epochs: 3")
    assert parse(text, source="trial.yaml") == parse(TEXT, source="trial.yaml")


def test_load_reads_a_file_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "trial.yaml"
    path.write_text(TEXT, encoding="utf-8-sig")
    assert isinstance(load(path), Recipe)
    assert profiles(path) == ["small"]


def test_recipe_is_frozen() -> None:
    recipe = parse(TEXT, source="trial.yaml")
    with pytest.raises(ValueError, match="frozen"):
        recipe.name = "other"  # type: ignore[misc]
