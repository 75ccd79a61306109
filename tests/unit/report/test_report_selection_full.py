from __future__ import annotations

from dataclasses import replace

import pytest
from full_sample import CONTROLS, GROUPS, SEEDS, SHARES, SIZES

from adaptstilts.record.scores import Effect, Score
from adaptstilts.report import selection
from adaptstilts.report.load import Run


def test_the_row_over_all_seeds_leads(full_run: Run) -> None:
    effects = selection.headline_effects(full_run)
    assert {(row.seed, row.seeds) for row in effects.values()} == {(None, 3)}
    assert {row.baseline for row in effects.values()} == {"base"}
    assert {row.layer for row in effects.values()} == {7}
    base = selection.headline_scores(full_run)["base"]
    assert (base.seed, base.seeds, base.space, base.n) == (None, 0, "as_is", sum(SIZES.values()))


def test_a_system_with_one_seed_has_its_only_row(full_run: Run) -> None:
    alone = tuple(row for row in full_run.effects if row.seed == 2)
    rows = selection.headline_effects(replace(full_run, effects=alone))
    assert {(row.seed, row.seeds) for row in rows.values()} == {(2, 1)}


def test_the_order_of_rows_decides_nothing(full_run: Run) -> None:
    turned = replace(full_run, scores=full_run.scores[::-1], effects=full_run.effects[::-1])
    assert selection.headline_effects(turned) == selection.headline_effects(full_run)
    assert selection.dynamics(turned) == selection.dynamics(full_run)
    assert selection.language_effects(turned, "sst2") == selection.language_effects(
        full_run, "sst2"
    )


def test_effects_against_a_control_are_given_on_request_alone(full_run: Run) -> None:
    for control in CONTROLS:
        found = selection.headline_effects(full_run, against=control)
        assert {name: row.baseline for name, row in found.items()} == {"sst2": control}


def test_groups_and_means_are_no_languages(full_run: Run) -> None:
    assert set(selection.language_scores(full_run, "sst2")) == set(SIZES)
    assert set(selection.language_effects(full_run, "sst2")) == set(SIZES)
    assert selection.strata(full_run) == ["macro", "micro", *GROUPS]
    group = selection.headline_effects(full_run, "script=Cyrl")["sst2"]
    assert group.n == sum(SIZES[code] for code in GROUPS["script=Cyrl"])


def test_every_language_has_a_test_for_each_seed(full_run: Run) -> None:
    tests = selection.language_tests(full_run, "sst2")
    assert set(tests) == set(SIZES)
    for code, found in tests.items():
        assert list(found) == list(SEEDS)
        assert {row.language for row in found.values()} == {code}
        assert all(row.p is not None and row.p_holm is not None for row in found.values())


def test_geometry_is_no_task(full_run: Run) -> None:
    rows = selection.task_scores(full_run)
    assert [(row.system, row.seed, row.benchmark) for row in rows] == [
        ("sst2", seed, "sst2") for seed in SEEDS
    ]


@pytest.mark.parametrize("chosen", ["oracle", "held_out", "leave_languages_out"])
def test_a_chosen_layer_is_read_from_its_own_rows(chosen_runs: dict[str, Run], chosen: str) -> None:
    run = chosen_runs[chosen]
    layer = None if chosen == "leave_languages_out" else 2
    rows: list[Score | Effect] = [
        *selection.headline_scores(run).values(),
        *selection.headline_effects(run).values(),
        *selection.language_effects(run, "sst2").values(),
        *selection.seed_effects(run, "sst2").values(),
    ]
    assert {(row.chosen, row.layer) for row in rows} == {(chosen, layer)}
    assert selection.shown_layer(run) == 2
    curve = selection.layer_effects(run, "sst2")
    assert [(row.layer, row.chosen) for row in curve] == [(layer, None) for layer in range(4)]
    assert len(selection.task_scores(run)) == len(SEEDS)


def test_seeds_stand_alone_beside_their_mean(full_run: Run) -> None:
    effects = selection.seed_effects(full_run, "sst2")
    assert {seed: (row.seed, row.seeds) for seed, row in effects.items()} == {
        seed: (seed, 1) for seed in SEEDS
    }
    mean = sum(row.value for row in effects.values()) / len(SEEDS)
    assert selection.headline_effects(full_run)["sst2"].value == pytest.approx(mean)


def test_dynamics_are_over_all_seeds_and_each(full_run: Run) -> None:
    rows = selection.dynamics(full_run)["sst2"][7]
    assert [row.trained_share for row in rows] == list(SHARES)
    assert {(row.seed, row.seeds) for row in rows} == {(None, 3)}
    each = selection.dynamics_seeds(full_run, "sst2", 7)
    assert list(each) == list(SEEDS)
    for place, row in enumerate(rows):
        mean = sum(found[place].value for found in each.values()) / len(SEEDS)
        assert row.value == pytest.approx(mean)
    paired = selection.dynamics_effects(full_run, "sst2")[7]
    assert [row.trained_share for row in paired] == list(SHARES)
    assert {row.baseline for row in paired} == {"base"}
