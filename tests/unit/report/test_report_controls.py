from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from full_sample import CONTROLS
from hypothesis import assume, given
from hypothesis import strategies as st

from adaptstilts.experiment.train_stage import KEEP_LAST
from adaptstilts.record.scores import Effect
from adaptstilts.report import caption, controls, roles
from adaptstilts.report.controls import contrasts, relate
from adaptstilts.report.headline import headline_sentences, numbers
from adaptstilts.report.load import Run, read_run
from adaptstilts.report.verdict import judge

points = st.integers(-400, 400).map(lambda value: value / 10_000)


def effect(value: float, half: float = 0.005, **changes: object) -> Effect:
    """A made-up macro effect with a symmetric interval."""
    made = Effect(
        system="sst2",
        seed=1,
        seeds=1,
        benchmark="tatoeba",
        protocol="xtreme",
        language="macro",
        direction="en-xx",
        space="as_is",
        layer=7,
        chosen=None,
        metric="accuracy",
        value=value,
        n=1000,
        low=value - half,
        high=value + half,
        trained_share=None,
        baseline="base",
        low90=value - 0.84 * half,
        high90=value + 0.84 * half,
        detectable=1.43 * half,
        p=None,
        p_holm=None,
        h=None,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("own", "other", "relation"),
    [
        (-0.03, 0.0, controls.MORE),
        (-0.03, -0.01, controls.MORE),
        (0.03, 0.01, controls.MORE),
        (-0.01, -0.03, controls.LESS),
        (0.0, -0.03, controls.LESS),
        (-0.03, 0.02, controls.OTHER_WAY),
        (0.03, -0.02, controls.OTHER_WAY),
        (-0.03, -0.029, controls.NOT_TOLD_APART),
        (0.004, -0.004, controls.DIFFERENT),
    ],
)
def test_how_a_system_stands_to_its_control(own: float, other: float, relation: str) -> None:
    assert relate(effect(own), effect(other), effect(own - other), None) == relation
    assert relate(effect(-own), effect(-other), effect(other - own), None) == relation


def test_alike_needs_a_margin_and_a_narrow_interval() -> None:
    own, other = effect(-0.03), effect(-0.029)
    assert relate(own, other, effect(-0.001), 0.01) == controls.ALIKE
    assert relate(own, other, effect(-0.001), 0.004) == controls.NOT_TOLD_APART
    assert relate(own, other, None, 0.01) == controls.UNKNOWN


@given(own=points, other=points, half=st.integers(1, 200).map(lambda value: value / 10_000))
def test_more_is_claimed_only_of_what_moves_further(own: float, other: float, half: float) -> None:
    found = relate(effect(own, half), effect(other, half), effect(own - other, half), None)
    if found == controls.MORE:
        assert abs(own) > abs(other) or own * other < 0
        assert abs(own) > half
        assert abs(own - other) > half
    if found == controls.LESS:
        assert abs(other) > half
        assert abs(own - other) > half
    assert (found == controls.NOT_TOLD_APART) == (abs(own - other) <= half + 1e-12) or abs(
        abs(own - other) - half
    ) < 1e-9


@given(value=points, half=st.integers(1, 300).map(lambda value: value / 10_000), margin=points)
def test_the_verdict_needs_both_ends_within_the_margin(
    value: float, half: float, margin: float
) -> None:
    assume(margin > 0)
    made = effect(value, half)
    is_small = made.low90 > -margin and made.high90 < margin
    said = judge(made, margin).said
    assert ("shown by two one-sided tests at 5 %" in said) == is_small
    is_real = made.low > 0 or made.high < 0
    assert said.startswith(("enhances", "degrades")) == is_real
    assert ("4 times in 5" in said) == (not is_real and not is_small)


@pytest.mark.parametrize(("value", "word"), [(0.03, "degrades"), (-0.03, "enhances")])
def test_of_an_error_rate_less_is_better(value: float, word: str) -> None:
    assert judge(effect(value, metric="xsim_error"), None).word == word


def test_the_table_says_at_which_step_each_stands_and_which_norm_is_equal(full_run: Run) -> None:
    last = {name for name, kind in controls.KINDS.items() if "last step" in kind.what}
    assert last == set(KEEP_LAST)
    assert "the checkpoint that the dev rows chose" in controls.KINDS["english_mlm"].what
    assert "Frobenius" in controls.KINDS["random"].what
    assert "spectral norm" in controls.KINDS["random"].what
    said = caption.controls(full_run)
    assert "stands at the checkpoint that its dev rows chose" in said
    for name in KEEP_LAST:
        assert name in said


def test_the_recipe_tells_controls(full_run: Run) -> None:
    assert roles.declared_controls(full_run.adapters) == {
        "random": roles.Declared("random", "sst2"),
        "shuffled": roles.Declared("shuffled_labels", "sst2"),
        "mlm": roles.Declared("english_mlm", "sst2"),
        "contrastive": roles.Declared("english_contrastive", "sst2"),
    }
    alone = tuple(row for row in full_run.effects if row.baseline == "base")
    assert roles.controls_of(replace(full_run, effects=alone)) == {"sst2": list(CONTROLS)}


def test_effects_tell_controls_where_the_recipe_does_not(full_run: Run) -> None:
    silent = replace(full_run, adapters={})
    assert roles.controls_of(silent) == {"sst2": list(CONTROLS)}
    assert {row.kind.name for found in contrasts(silent) for row in found.comparisons} == {
        "another system"
    }


def test_entries_that_are_no_controls_are_left_alone() -> None:
    entries = {"a": {"task": "sst2"}, "b": "text", "c": {"control": "random"}, "d": None}
    assert roles.declared_controls(entries) == {}


def test_parts_of_systems(full_run: Run) -> None:
    assert roles.studied(full_run) == ["sst2"]
    assert roles.control_systems(full_run) == list(CONTROLS)
    assert roles.drawn(full_run) == ["base", "sst2", *CONTROLS]
    assert roles.sweeps(full_run) == {
        "sst2": {"scaled_minus_1": -1.0, "scaled_0_5": 0.5, "sst2": 1.0, "scaled_1_5": 1.5}
    }
    assert list(roles.trainings(full_run, "sst2")) == ["sst2-seed1", "sst2-seed2", "sst2-seed3"]


def test_a_sweep_alone_is_what_is_studied(full_run: Run) -> None:
    systems = {
        name: value for name, value in full_run.systems.items() if name.startswith(("b", "scaled"))
    }
    run = replace(full_run, systems=systems)
    assert roles.studied(run) == ["scaled_minus_1", "scaled_0_5", "scaled_1_5"]


def test_one_scaled_system_is_no_sweep(make_run: Callable[..., Path]) -> None:
    run = read_run(make_run())
    assert roles.sweeps(run) == {}
    assert roles.studied(run) == ["sst2", "sst2_negated"]


def test_every_control_is_beside_its_system(full_run: Run) -> None:
    (found,) = contrasts(full_run)
    assert found.system == "sst2"
    own = {
        (row.system, row.baseline): row
        for row in full_run.effects
        if (row.language, row.layer, row.seed, row.space, row.metric, row.trained_share)
        == ("macro", 7, None, "as_is", "accuracy", None)
    }
    assert [row.control for row in found.comparisons] == list(CONTROLS)
    for row in found.comparisons:
        assert row.effect == own[row.control, "base"]
        assert row.difference == own["sst2", row.control]
        assert row.effect.value + row.difference.value == pytest.approx(own["sst2", "base"].value)
    assert [row.relation for row in found.comparisons] == ["more", "more", "alike", "the other way"]
    assert found.comparisons[1].sentence == (
        "moves alignment more than training on shuffled labels: −2.0 points further (−2.4 to −1.5)"
    )
    assert found.summary == (
        "sst2 moves alignment more than 2 of its 3 controls (random and shuffled); this is not "
        "shown for mlm. The positive control contrastive moves it (+3.7 points), so this "
        "measurement can see a change."
    )


def test_the_headline_speaks_of_the_studied_system_and_its_controls(full_run: Run) -> None:
    sentences = headline_sentences(full_run)
    assert len(sentences) == 2
    assert sentences[0].startswith("SST-2 training changes Tatoeba accuracy at layer 7")
    assert "12 languages, 9,907 sentence pairs, 3 seeds): degrades." in sentences[0]
    assert sentences[1] == contrasts(full_run)[0].summary


def test_json_has_controls_seeds_and_margin(full_run: Run) -> None:
    found = numbers(full_run)
    assert found["margin"] == 0.01
    assert set(found["effects"]) == {name for name in full_run.systems if name != "base"}  # type: ignore[call-overload]
    assert set(found["effects"]["sst2"]["by_seed"]) == {"1", "2", "3"}  # type: ignore[index]
    beside = found["controls"]["sst2"]["controls"]  # type: ignore[index]
    assert {name: row["relation"] for name, row in beside.items()} == {
        "random": "more",
        "shuffled": "more",
        "mlm": "alike",
        "contrastive": "the other way",
    }


def test_an_unfinished_run_compares_nothing(full_run: Run) -> None:
    running = full_run.record.model_copy(update={"status": "running"})
    run = replace(full_run, record=running)
    assert numbers(run)["controls"] == {}
    (sentence,) = headline_sentences(run)
    assert "No result is claimed" in sentence


def test_some_collapsed_seeds_are_named(full_run: Run) -> None:
    records = {
        name: record.model_copy(update={"is_collapsed": name == "sst2-seed2"})
        for name, record in full_run.record.adapters.items()
    }
    run = replace(full_run, record=full_run.record.model_copy(update={"adapters": records}))
    assert roles.collapses(run, "sst2") == ([2], False)
    assert "With seed 2 its adapter's training collapsed" in headline_sentences(run)[0]
    assert numbers(run)["effects"]["sst2"]["is_collapsed"] is False  # type: ignore[index]


def test_a_control_that_collapsed_voids_nothing(full_run: Run) -> None:
    records = {
        name: record.model_copy(update={"is_collapsed": True, "control": "shuffled_labels"})
        for name, record in full_run.record.adapters.items()
        if name.startswith("shuffled")
    }
    kept = full_run.record.adapters | records
    run = replace(full_run, record=full_run.record.model_copy(update={"adapters": kept}))
    assert roles.collapses(run, "shuffled") == ([], False)
    assert numbers(run)["effects"]["shuffled"]["is_collapsed"] is False  # type: ignore[index]
