"""What seeds, sweeps, controls, chosen layers and own sentences make of a plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from adaptstilts.errors import DataError, RecipeError
from adaptstilts.experiment import workbench
from adaptstilts.experiment.budget import estimate
from adaptstilts.experiment.held_out import require_other_pairs
from adaptstilts.experiment.plan import Plan, plan
from adaptstilts.experiment.score_stage import score as carry_out
from adaptstilts.experiment.stage import Align, Extras, Score, Train
from adaptstilts.experiment.watch import Silence

SMOKE = Path(__file__).resolve().parents[3] / "recipes" / "smoke" / "alignment.yaml"
TATOEBA, OWN = "measure.0.tatoeba", "measure.1.bitext"
ONE_SYSTEM = ["systems.strength=sst2"]


@pytest.fixture(autouse=True)
def no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ADAPTSTILTS_DATA", raising=False)


def scores(planned: Plan) -> list[Score]:
    return [stage for stage in planned.stages if isinstance(stage, Score)]


def trainings(planned: Plan) -> dict[str, Train]:
    return {stage.name: stage for stage in planned.stages if isinstance(stage, Train)}


def test_a_seed_is_a_training_and_an_encoding_of_every_system_and_the_base_is_one() -> None:
    planned = plan(SMOKE)
    found = trainings(planned)
    assert {name: stage.adapter.training.seed for name, stage in found.items()} == {
        "sst2-seed1": 1,
        "same_size-seed1": 1,
        "sst2-seed2": 2,
        "same_size-seed2": 2,
    }
    assert found["same_size-seed2"].of_key == found["sst2-seed2"].key
    assert len({stage.key for stage in found.values()}) == 4
    first, second = scores(planned)
    assert [align.name for align in first.aligns] == [
        "base",
        *(
            f"{system}-seed{seed}"
            for system in ("sst2", "same_size", "strength_minus_1", "strength_2")
            for seed in (1, 2)
        ),
    ]
    assert [align.name for align in second.aligns] == ["base", "sst2-seed1", "sst2-seed2"]
    for align in first.aligns:
        assert align.seed == (None if align.system == "base" else int(align.name[-1]))
        for update in align.updates:
            assert update.key == found[f"{update.adapter}-seed{align.seed}"].key
    assert [align.name for align in first.baselines] == ["base"]
    # Stages stand in the plan once, each after what it needs.
    keys = [stage.key for stage in planned.stages]
    assert len(keys) == len(set(keys))
    for align in (*first.aligns, *second.aligns):
        assert all(keys.index(u.key) < keys.index(align.key) for u in align.updates)
        assert keys.index(align.key) < keys.index(first.key) or align in second.aligns


def test_a_trained_baseline_has_a_stage_for_each_seed() -> None:
    first, *_ = scores(plan(SMOKE, overrides=["report.baseline=sst2"]))
    assert [align.name for align in first.baselines] == ["sst2-seed1", "sst2-seed2"]


def test_seeds_share_their_trainings_with_recipes_of_fewer() -> None:
    alone = trainings(plan(SMOKE, overrides=["seeds=[2]"]))
    both = trainings(plan(SMOKE))
    assert {name: stage.key for name, stage in alone.items()} == {
        name: stage.key for name, stage in both.items() if stage.adapter.training.seed == 2
    }


def test_seeds_do_not_change_an_adapter_s_size_or_memory() -> None:
    budget = estimate(plan(SMOKE))
    assert budget is not None
    assert set(budget.adapter_parameters) == {"sst2", "same_size"}
    assert set(budget.training_bytes) == {"sst2"}, "a random adapter is not trained"


def test_a_sweep_is_a_system_for_each_factor() -> None:
    planned = plan(SMOKE)
    assert [*planned.recipe.systems] == [
        "base",
        "sst2",
        "same_size",
        "strength_minus_1",
        "strength_2",
    ]
    weights = {
        align.system: [update.weight for update in align.updates]
        for align in scores(planned)[0].aligns
    }
    assert weights["strength_minus_1"] == [-1.0]
    assert weights["strength_2"] == [2.0]


def test_a_control_is_compared_with_what_it_is_a_control_of() -> None:
    first, second = scores(plan(SMOKE))
    assert first.contrasts == (("sst2", "same_size"),)
    assert second.contrasts == ()  # the control is not measured there
    twice = scores(plan(SMOKE, overrides=ONE_SYSTEM))[0]
    assert twice.contrasts == (("sst2", "same_size"), ("strength", "same_size"))


def test_a_control_that_is_the_baseline_is_compared_with_once() -> None:
    first, _ = scores(plan(SMOKE, overrides=["report.baseline=same_size", f"{OWN}.systems=all"]))
    assert first.contrasts == ()
    assert {align.system for align in first.baselines} == {"same_size"}


def test_the_lowest_layer_that_an_adapter_changes_is_known() -> None:
    lowest = {align.system: align.first_layer for align in scores(plan(SMOKE))[0].aligns}
    assert lowest == {
        "base": 7,
        "sst2": 4,
        "same_size": 4,
        "strength_minus_1": 4,
        "strength_2": 4,
    }
    everywhere = plan(SMOKE, overrides=["adapters.sst2.method.layers=all"])
    assert {a.first_layer for a in scores(everywhere)[0].aligns if a.system != "base"} == {1}


def test_leaving_languages_out_needs_no_further_encoding_and_held_out_does() -> None:
    planned = plan(SMOKE)
    first, second = scores(planned)
    assert first.selection is not None
    assert second.selection is not None
    assert (first.selection.on, first.selection.aligns) == ("leave_languages_out", ())
    assert (first.headline, second.headline) == (None, None)
    (held_out,) = second.selection.aligns
    assert second.selection.layers == held_out.layers == (4, 6)
    assert {code: one.name for code, one in held_out.bitexts.items()} == {
        "de": "pocket/bitext/de-en",
        "fr": "pocket/bitext/fr-en",
    }
    assert held_out.key in {stage.key for stage in planned.stages}
    assert any("chosen on 2 languages" in notice for notice in planned.notices)
    seeded = scores(plan(SMOKE, overrides=["report.baseline=sst2"]))[1].selection
    assert seeded is not None
    assert [align.name for align in seeded.aligns] == ["sst2-seed1", "sst2-seed2"]


def test_held_out_sentences_of_a_folder_have_english_second_whichever_file_there_is(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "held"
    folder.mkdir()
    (folder / "de-en.tsv").write_text("Ja.\tYes.\n")
    (folder / "en-fr.jsonl").write_text('{"a": "Yes.", "b": "Oui."}\n')
    planned = plan(SMOKE, overrides=[f"{OWN}.select.bitext={folder}"])
    selection = scores(planned)[1].selection
    assert selection is not None
    read = {
        code: [*one.source.read(one.table).columns.values()]
        for code, one in selection.aligns[0].bitexts.items()
    }
    assert read == {"de": [["Ja."], ["Yes."]], "fr": [["Oui."], ["Yes."]]}
    (folder / "en-fr.jsonl").unlink()
    fewer = plan(SMOKE, overrides=[f"{OWN}.select.bitext={folder}"])
    assert any("it has none of fr" in notice for notice in fewer.notices)
    (folder / "de-en.tsv").unlink()
    for place, words in ((folder, "no sentences in any of de fr"), (tmp_path / "x", "no folder")):
        with pytest.raises(DataError, match=words):
            plan(SMOKE, overrides=[f"{OWN}.select.bitext={place}"])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("de-en.tsv", "1\tJa.\tYes.\n2\tNein.\tNo.\n"),
        ("en-de.tsv", "Yes.\tJa.\t1\n"),
        ("de-en.tsv", "Ja.\n"),
        ("de-en.jsonl", '{"id": "1", "de": "Ja.", "en": "Yes."}\n'),
    ],
)
def test_a_held_out_file_has_two_columns(name: str, text: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=rf"{name}: [13] columns? where .* two"):
        plan(SMOKE, overrides=[f"{OWN}.select.bitext={tmp_path}"])


def refused(*overrides: str) -> tuple[str, str]:
    """Where planning finds the one mistake, and what it says."""
    with pytest.raises(RecipeError) as caught:
        plan(SMOKE, overrides=overrides)
    (problem,) = caught.value.problems
    return problem.path, problem.message


def test_a_layer_is_not_chosen_on_the_very_table_that_is_scored(tmp_path: Path) -> None:
    where, said = refused(f"{TATOEBA}.select={{on: held_out, bitext: pocket}}")
    assert where == "measure[0].tatoeba.select.bitext"
    assert "the scored one in de, fr, tr" in said
    (tmp_path / "de-en.tsv").write_bytes((SMOKE.parent / "words" / "de-en.tsv").read_bytes())
    where, said = refused(f"{OWN}.select.bitext={tmp_path}")
    assert where == "measure[1].bitext.select.bitext"
    assert "the scored one in de;" in said


def test_a_layer_is_not_chosen_on_pairs_that_are_scored_in_whatever_file(tmp_path: Path) -> None:
    lines = (SMOKE.parent / "words" / "de-en.tsv").read_text().splitlines()
    german, english = lines[0].split("\t")
    # English alone may recur; a pair may not, in either order of the columns.
    (tmp_path / "en-de.tsv").write_text(f"{english}\t{german}\n{english}\tGanz anders.\n")
    stage = scores(plan(SMOKE, overrides=[f"{OWN}.select.bitext={tmp_path}"]))[1]
    with pytest.raises(DataError, match=r"words: .*scored too \(1 of 2 in de\)"):
        carry_out(stage, Silence())
    (tmp_path / "en-de.tsv").write_text(f"{english}\tGanz anders.\n")
    require_other_pairs(scores(plan(SMOKE, overrides=[f"{OWN}.select.bitext={tmp_path}"]))[1])


@pytest.mark.parametrize(
    ("overrides", "layer"),
    [
        ([f"{TATOEBA}.select=null", f"{TATOEBA}.protocol=mteb", f"{TATOEBA}.layers=[3, 4]"], 6),
        ([f"{OWN}.select=null", f"{OWN}.protocol=xsim", f"{OWN}.layers=[4]"], 6),
    ],
)
def test_the_protocol_s_own_layer_is_among_those_that_are_measured(
    overrides: list[str], layer: int
) -> None:
    where, said = refused(*overrides)
    assert where == f"measure[{overrides[0][8]}].{overrides[0][10:].split('.')[0]}.layers"
    assert f"layer {layer}" in said
    assert "add it to `layers`" in said
    named = plan(SMOKE, overrides=[*overrides, overrides[0].replace("select=null", "layer=4")])
    assert 4 in [one.headline.layer for one in scores(named) if one.headline is not None]


@pytest.mark.parametrize(
    ("override", "where"),
    [
        (f"{TATOEBA}.languages=[de]", "measure[0].tatoeba.select.on"),
        (
            f"{OWN}={{layers: [4, 6], pairs: {{de-en: words/de-en.tsv}}, "
            "select: {on: leave_languages_out}}",
            "measure[1].bitext.select.on",
        ),
    ],
)
def test_one_language_is_no_other_languages(override: str, where: str) -> None:
    found, said = refused(override)
    assert found == where
    assert "two or more languages" in said


@pytest.mark.parametrize(
    ("space", "pairs"), [("centred", 1), ("whitened", 1), ("without_top_pcs", 2)]
)
def test_a_space_of_too_few_pairs_is_refused_before_the_base_is_loaded(
    space: str, pairs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = (SMOKE.parent / "words" / "de-en.tsv").read_text().splitlines(keepends=True)
    (tmp_path / "few.tsv").write_text("".join(lines[:pairs]))
    path = tmp_path / "few.tsv"
    overrides = [f"{OWN}.pairs.de-en={path}", f"{OWN}.spaces=[{space}]", f"{OWN}.select=null"]
    planned = plan(SMOKE, overrides=[*overrides, f"{OWN}.layer=4"])

    def load(*_: object, **__: object) -> None:
        pytest.fail("the base was loaded")

    monkeypatch.setattr(workbench, "load_base", load)
    with pytest.raises(DataError, match=rf"de: {pairs} sentence pairs? .*`{space}`"):
        workbench.open_workbench(planned, scores(planned)[1].aligns, Silence())


def test_own_sentences_lie_beside_the_recipe(tmp_path: Path) -> None:
    second = scores(plan(SMOKE))[1]
    assert (second.benchmark, list(second.bitexts)) == ("words", ["de", "fr"])
    assert second.bitexts["de"].source.where(second.bitexts["de"].table) == str(
        SMOKE.parent / "words" / "de-en.tsv"
    )
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(SMOKE.read_text())
    with pytest.raises(DataError, match=r"words/de-en: no file .*paths go from the recipe's"):
        plan(recipe)


def test_a_pair_without_english_is_called_by_both_languages() -> None:
    second = scores(plan(SMOKE, overrides=[f"{OWN}.pairs={{fr-de: words/de-en.tsv}}", *HEADLINE]))
    assert list(second[1].bitexts) == ["fr-de"]


HEADLINE = [f"{OWN}.select=null", f"{OWN}.layer=4"]


def keys(*overrides: str) -> tuple[dict[str, str], dict[str, str]]:
    """Of the first measurement: the encodings' keys by name, and the scoring's."""
    first = scores(plan(SMOKE, overrides=overrides))[0]
    return {align.name: align.key for align in first.aligns}, {"score": first.key}


@pytest.mark.parametrize(
    "override",
    [
        f"{TATOEBA}.metrics=protocol",
        f"{TATOEBA}.spaces=[centred]",
        f"{TATOEBA}.spaces=[]",
        f"{TATOEBA}.geometry=false",
        f"{TATOEBA}.layers=[4, 5]",
    ],
)
def test_what_is_measured_decides_the_encoding_s_key(override: str) -> None:
    aligns, score = keys()
    others, other_score = keys(override)
    assert set(aligns) == set(others)
    assert all(aligns[name] != others[name] for name in aligns)
    assert score != other_score


@pytest.mark.parametrize(
    "override",
    [
        f"{TATOEBA}.select.on=oracle",
        f"{TATOEBA}.select.layer=[4]",
        f"{TATOEBA}.protocol=mteb",
        "report.baseline=sst2",
    ],
)
def test_how_it_is_scored_decides_the_scoring_s_key_alone(override: str) -> None:
    aligns, score = keys()
    others, other_score = keys(override)
    assert aligns == others
    assert score != other_score


def test_neither_the_order_of_spaces_nor_the_margin_decides_a_key() -> None:
    assert keys() == keys(f"{TATOEBA}.spaces=[without_top_pcs, centred]", "report.margin=2%")


def test_a_search_by_margin_is_done_where_the_protocol_counts_it() -> None:
    planned = plan(SMOKE, overrides=[f"{OWN}.protocol=xsim", f"{TATOEBA}.metrics=protocol"])
    first, second = scores(planned)
    assert second.selection is not None
    for align in (*second.aligns, *second.selection.aligns):
        assert align.extras == Extras(everything=True, spaces=(), geometry=False)
    assert not second.everything  # further metrics were not asked for
    assert {align.extras.everything for align in first.aligns} == {False}


def test_sentences_of_one_name_and_different_content_are_different_stages(tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.mkdir()
    for name in ("de-en.tsv", "fr-en.jsonl"):
        (words / name).write_bytes((SMOKE.parent / "words" / name).read_bytes())
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(SMOKE.read_text())
    same = [align.key for align in scores(plan(SMOKE))[1].aligns]
    assert [align.key for align in scores(plan(recipe))[1].aligns] == same
    with (words / "de-en.tsv").open("a") as file:
        file.write("Ende.\tEnd.\n")
    assert [align.key for align in scores(plan(recipe))[1].aligns] != same


def test_all_encodings_of_a_measurement_are_of_its_sentences() -> None:
    for score in scores(plan(SMOKE)):
        assert all(isinstance(align, Align) for align in score.aligns)
        assert {tuple(align.bitexts) for align in score.aligns} == {tuple(score.bitexts)}
