"""A plan is settled before anything is done: sources, languages, layers, stages and their keys."""

from __future__ import annotations

import gzip
import json
import tempfile
from pathlib import Path

import pytest
import torch

from adaptstilts.base.load import random_encoder
from adaptstilts.base.shape import XLM_R_LARGE
from adaptstilts.errors import DataError, MachineError, RecipeError
from adaptstilts.experiment.budget import estimate, lora_parameters
from adaptstilts.experiment.execute import execute
from adaptstilts.experiment.plan import Plan, plan
from adaptstilts.experiment.stage import Align, Score, Train
from adaptstilts.recipe.load import load
from adaptstilts.record.run import read

ROOT = Path(__file__).resolve().parents[3]
SMOKE = ROOT / "recipes" / "smoke" / "sst2_tatoeba.yaml"
HEADLINE = ROOT / "recipes" / "sst2_tatoeba.yaml"


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADAPTSTILTS_DATA", raising=False)


def write_table(root: Path, name: str, rows: list[dict[str, object]]) -> None:
    path = root / f"{name}.jsonl.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def a_pair(language: str) -> dict[str, object]:
    return {
        "source_sentence": f"sentence in {language}",
        "target_sentence": "sentence",
        "source_lang": language,
        "target_lang": "eng",
    }


def sources(stage: Align | Score) -> set[str]:
    return {located.source.name for located in stage.bitexts.values()}


def test_stages_come_after_what_they_need() -> None:
    planned = plan(SMOKE)
    assert [f"{stage.kind} {stage.name}" for stage in planned.stages] == [
        "train sst2",
        "align base",
        "align sst2",
        "align sst2_negated",
        "score both",
        "align sst2@50%",
        "align sst2@100%",
        "score during training",
    ]


def test_keys_follow_from_what_decides_a_result_and_nothing_else() -> None:
    def keys(*overrides: str) -> dict[str, str]:
        planned = plan(SMOKE, overrides=overrides)
        return {f"{stage.kind} {stage.name}": stage.key for stage in planned.stages}

    same = keys()
    assert keys() == same
    assert keys("name=other") == same
    assert keys("base.trim_vocabulary=false") == same
    changed = keys("base.quantization=none")
    assert all(changed[name] != same[name] for name in same)
    slower = keys("adapters.sst2.training.learning_rate=1e-4")
    assert slower["align base"] == same["align base"]
    assert slower["train sst2"] != same["train sst2"]
    assert slower["align sst2"] != same["align sst2"]


def test_without_a_mirror_the_stand_ins_are_used_and_called_by_their_own_name() -> None:
    planned = plan(HEADLINE, profile="pocket")
    scores = [stage for stage in planned.stages if isinstance(stage, Score)]
    assert {stage.benchmark for stage in scores} == {"pocket/bitext"}
    (training,) = (stage for stage in planned.stages if isinstance(stage, Train))
    assert training.test.name == "pocket/sentiment/en/validation"
    assert training.test.dataset == "pocket/sentiment"
    assert any("stand-in" in notice for notice in planned.notices)
    assert not any("languages of" in notice for notice in planned.notices)
    wider = plan(HEADLINE, profile="pocket", overrides=["measure.0.tatoeba.languages=xtreme36"])
    assert any("19 of the 36 languages of xtreme36" in notice for notice in wider.notices)


def test_a_mirror_with_some_languages_is_never_filled_up_with_stand_ins(tmp_path: Path) -> None:
    for language in ("deu", "fin"):
        write_table(tmp_path, f"tatoeba/tatoeba.{language}-eng", [a_pair(language)])
    overrides = ["measure.0.tatoeba.languages=pocket", "measure.1.tatoeba.languages=[de]"]
    planned = plan(SMOKE, overrides=overrides, mirror=tmp_path)
    scores = [stage for stage in planned.stages if isinstance(stage, Score)]
    assert [list(stage.bitexts) for stage in scores] == [["de", "fi"], ["de"]]
    assert {name for stage in scores for name in sources(stage)} == {"mirror"}
    assert {stage.benchmark for stage in scores} == {"tatoeba"}
    assert any("2 of the 20 languages" in notice for notice in planned.notices)
    # The training rows are not in this mirror, neither of the two tables is taken from it.
    (training,) = (stage for stage in planned.stages if isinstance(stage, Train))
    assert {training.train.source.name, training.test.source.name} == {"pocket"}


def test_a_language_that_the_recipe_lists_must_be_there() -> None:
    with pytest.raises(DataError, match=r"tatoeba/sw-en"):
        plan(SMOKE, overrides=["measure.0.tatoeba.languages=[de, sw]"])


def test_a_language_that_nobody_knows_is_a_mistake_in_the_recipe() -> None:
    with pytest.raises(RecipeError) as caught:
        plan(SMOKE, overrides=["measure.0.tatoeba.languages=[de, german]"])
    (problem,) = caught.value.problems
    assert "german" in problem.message


def test_names_of_tasks_are_checked_with_all_else(tmp_path: Path) -> None:
    text = SMOKE.read_text().replace("task: sst2", "task: sst3").replace("rank: 4", "rank: four")
    recipe = tmp_path / "bad.yaml"
    recipe.write_text(text)
    with pytest.raises(RecipeError) as caught:
        plan(recipe)
    messages = [problem.message for problem in caught.value.problems]
    assert any("did you mean `sst2`" in message for message in messages)
    assert any("whole number" in message for message in messages)
    assert all(problem.line > 0 for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("measure.0.tatoeba.layer=7", "layers 0 to 6"),
        ("measure.0.tatoeba.layer=null", "name the headline's layer"),
        ("measure.0.tatoeba.layers=[4, 9]", "layers 0 to 6"),
    ],
)
def test_layers_must_be_there(override: str, words: str) -> None:
    with pytest.raises(RecipeError) as caught:
        plan(SMOKE, overrides=[override])
    assert words in caught.value.problems[0].message


def test_the_full_profile_is_planned_anywhere_and_fails_where_it_cannot_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    planned = plan(HEADLINE, profile="full")
    assert planned.recipe.base.device == "cuda"
    with pytest.raises(MachineError, match="needs a CUDA GPU"):
        execute(planned, tmp_path / "run")
    assert read(tmp_path / "run" / "record.json").status == "failed"


def test_the_pocket_profile_of_a_recipe_that_is_pocket_is_the_recipe() -> None:
    assert plan(SMOKE, profile="pocket").recipe == plan(SMOKE).recipe


def test_the_order_of_languages_changes_nothing() -> None:
    one, other = (
        plan(SMOKE, overrides=[f"measure.0.tatoeba.languages={languages}"]).stages
        for languages in ("[de, fr]", "[fr, de]")
    )
    assert one == other


def test_two_measurements_that_differ_in_the_headline_are_two() -> None:
    text = SMOKE.read_text().replace(
        "measure:\n", "measure:\n  - tatoeba: {protocol: both, layer: 3, languages: [de, fr]}\n"
    )
    names = [stage.name for stage in parsed_plan(text).stages if isinstance(stage, Score)]
    assert names == ["both", "both", "during training"]


def parsed_plan(text: str) -> Plan:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "recipe.yaml"
        path.write_text(text)
        return plan(path)


@pytest.mark.parametrize("every", ["60%", "30%"])
def test_measurements_during_training_reach_its_end(every: str) -> None:
    overrides = [
        "adapters.sst2.training.evaluations=10",
        f"measure.1.tatoeba.every={every}",
    ]
    with pytest.raises(RecipeError) as caught:
        plan(SMOKE, overrides=overrides)
    assert "equal parts" in caught.value.problems[0].message


def test_twin_adapters_are_refused() -> None:
    text = SMOKE.read_text()
    section = text[text.index("  sst2:\n") : text.index("systems:")]
    text = text.replace("systems:", section.replace("sst2:\n", "twin:\n", 1) + "systems:", 1)
    text = text.replace("  sst2: sst2\n", "  sst2: sst2\n  twin: twin\n", 1)
    with pytest.raises(RecipeError) as caught:
        parsed_plan(text)
    assert "same as `sst2`" in caught.value.problems[0].message


def test_an_unknown_profile_says_which_there_are() -> None:
    with pytest.raises(RecipeError) as caught:
        plan(HEADLINE, profile="poket")
    assert "pocket" in caught.value.problems[0].message


def test_a_base_from_the_hub_must_be_pinned() -> None:
    with pytest.raises(DataError, match=r"base\.revision"):
        plan(HEADLINE, profile="full", overrides=["base.revision=main", "base.device=cpu"])


def test_parameters_are_those_of_the_published_shapes() -> None:
    with torch.device("meta"):
        encoder = random_encoder(XLM_R_LARGE)
    assert XLM_R_LARGE.parameters == sum(p.numel() for p in encoder.parameters())
    # Rank 8 on query and value of 24 layers: 24 x 2 x 8 x (1024 + 1024).
    adapter = load(HEADLINE).adapters["sst2"]
    assert lora_parameters(XLM_R_LARGE, adapter) == 786_432


def test_the_estimate_knows_the_quantization() -> None:
    sizes = {
        kind: estimate(plan(SMOKE, overrides=[f"base.quantization={kind}"]))
        for kind in ("none", "int8", "nf4")
    }
    held = [size.base_bytes for size in sizes.values() if size is not None]
    assert held == sorted(held, reverse=True)
    assert len(set(held)) == 3


def test_an_override_need_only_fit_the_profile_that_is_taken() -> None:
    # The full recipe trains for epochs, its pocket profile for steps.
    planned = plan(HEADLINE, overrides=["adapters.sst2.training.steps=50"])
    assert planned.choice.profile == "pocket"
    assert planned.recipe.adapters["sst2"].training.steps == 50
