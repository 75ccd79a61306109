"""Planning a measurement by mining: what must be there, what decides a key, what is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from mining_mirror import write_set

from adaptstilts.errors import DataError, RecipeError
from adaptstilts.experiment.plan import Plan, plan
from adaptstilts.experiment.stage import Mine, ScoreMined

RECIPE = """
name: mined
base: {model: pocket}
adapters:
  sst2:
    task: sst2
    method: {kind: lora, rank: 4}
    training: {steps: 4, evaluations: 2, tokens_per_batch: 512}
  same_size: {control: random, of: sst2}
systems: {base: none, sst2: sst2, same_size: same_size}
measure: [{bucc: {protocol: jiant, layer: 4, languages: [de]}}]
report: {baseline: base}
"""
PAIRS = [(f"Satz {n}", f"sentence {n}") for n in range(9)]


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADAPTSTILTS_DATA", raising=False)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A mirror with the German dev set alone."""
    write_set(tmp_path / "mirror", PAIRS, alone=4)
    return tmp_path / "mirror"


def planned(root: Path | None, *overrides: str, text: str = RECIPE) -> Plan:
    folder = Path(root).parent if root is not None else Path.cwd()
    path = folder / "recipe.yaml"
    path.write_text(text, encoding="utf-8")
    changes = [f"measure[0].bucc.{override}" for override in overrides]
    return plan(path, overrides=changes, mirror=root)


def mines(found: Plan) -> dict[str, Mine]:
    return {stage.name: stage for stage in found.stages if isinstance(stage, Mine)}


def score(found: Plan) -> ScoreMined:
    (stage,) = (stage for stage in found.stages if isinstance(stage, ScoreMined))
    return stage


def test_every_system_is_mined_and_then_all_are_scored(root: Path) -> None:
    found = planned(root)
    assert [f"{stage.kind} {stage.name}" for stage in found.stages] == [
        "train sst2",
        "train same_size",
        "mine base",
        "mine sst2",
        "mine same_size",
        "score bucc jiant",
    ]
    stage = score(found)
    assert stage.benchmark == "bucc2018/dev"
    assert stage.chosen == "oracle"
    assert [one.system for one in stage.baselines] == ["base"]
    assert stage.contrasts == (("sst2", "same_size"),)
    assert "best on the scored pairs themselves" in stage.why
    assert any(notice.startswith("data bucc2018: from the mirror") for notice in found.notices)


def test_each_seed_is_mined_and_the_bare_base_once(root: Path) -> None:
    found = planned(root, text=RECIPE.replace("systems:", "seeds: [1, 2]\nsystems:", 1))
    assert [*mines(found)] == [
        *("base", "sst2-seed1", "sst2-seed2", "same_size-seed1", "same_size-seed2")
    ]
    assert [one.seed for one in mines(found).values()] == [None, 1, 2, 1, 2]


def test_keys_follow_from_what_decides_the_candidates(root: Path) -> None:
    def keys(*overrides: str) -> dict[str, str]:
        return {name: one.key for name, one in mines(planned(root, *overrides)).items()}

    same = keys()
    assert keys("systems=[base]") == {"base": same["base"]}
    assert keys("search=faiss") == same
    for change in ("margin=absolute", "layer=3", "search=faiss_approximate"):
        assert not set(keys(change).values()) & set(same.values()), change
    write_set(root, PAIRS, alone=2)
    assert not set(keys().values()) & set(same.values())


def test_the_baseline_s_name_decides_the_scoring_s_key(root: Path) -> None:
    text = RECIPE.replace("{base: none,", "{base: none, bare: none,")
    first, second = (
        score(planned(root, text=text.replace("baseline: base", f"baseline: {name}")))
        for name in ("base", "bare")
    )
    assert [one.key for one in first.baselines] == [one.key for one in second.baselines]
    assert first.key != second.key


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("margin=ratio", "jiant"),
        ("margin=absolute", "jiant-absolute"),
        ("search=faiss", "jiant"),
        ("search=faiss_approximate", "jiant-approximate"),
    ],
)
def test_what_differs_from_the_protocol_stands_in_its_name(
    root: Path, change: str, name: str
) -> None:
    assert score(planned(root, change)).protocol.name == name


def test_a_test_set_is_scored_by_the_dev_set_s_threshold(root: Path) -> None:
    write_set(root, PAIRS, split="test", alone=2)
    found = planned(root, "protocol=xtreme-paper")
    stage = score(found)
    assert (stage.benchmark, stage.chosen) == ("bucc2018/test", "held_out")
    (corpora,) = mines(found)["base"].corpora.values()
    assert {split: one.name for split, one in corpora.items()} == {
        "dev": "bucc2018/de-en/dev",
        "test": "bucc2018/de-en/test",
    }


def test_without_a_test_set_it_is_said_what_can_run(root: Path) -> None:
    with pytest.raises(DataError) as caught:
        planned(root, "protocol=xtreme-paper")
    said = str(caught.value)
    assert "bucc2018/de-en/test: no file" in said
    assert "de-en.test/de.jsonl.gz" in said
    assert "`protocol: jiant`, which needs the dev set alone" in said
    assert "`languages: [de]`: its threshold is the best on the scored pairs themselves" in said


def test_languages_that_have_no_files_are_named(root: Path) -> None:
    with pytest.raises(DataError) as caught:
        planned(root, "languages=all")
    said = str(caught.value)
    for language in ("fr", "ru", "zh"):
        assert f"bucc2018/{language}-en/dev: no file" in said
    assert "bucc2018/de-en" not in said
    assert "write `languages: [de]`" in said


def test_a_set_without_its_gold_is_missing(root: Path) -> None:
    (root / "bucc2018/de-en/gold.jsonl.gz").unlink()
    with pytest.raises(DataError, match=r"bucc2018/de-en/dev: no file .*gold\.jsonl\.gz"):
        planned(root)


def test_without_a_mirror_there_is_nothing_to_mine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as caught:
        planned(None)
    assert "no mirror is named" in str(caught.value)
    assert "jiant`, which" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [("layer=null", "this one has 6 layers"), ("layer=7", "layer 7 is not there")],
)
def test_a_layer_must_be_there(root: Path, change: str, said: str) -> None:
    with pytest.raises(RecipeError) as caught:
        planned(root, change)
    (problem,) = caught.value.problems
    assert problem.path == "measure[0].bucc.layer"
    assert said in problem.message
