from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from adaptstilts.report.load import read_run
from adaptstilts.report.selection import dynamics, language_effects, layer_scores, task_scores

MakeRun = Callable[..., Path]


def test_dynamics_set_only_rows_over_the_same_sentences_together(make_run: MakeRun) -> None:
    curves = dynamics(read_run(make_run()))
    assert list(curves) == ["sst2"]
    assert list(curves["sst2"]) == list(range(7))
    rows = curves["sst2"][4]
    assert [row.trained_share for row in rows] == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert {row.n for row in rows} == {2999}
    assert {row.system for row in rows} == {"sst2"}


def test_a_run_without_them_has_no_dynamics(make_run: MakeRun) -> None:
    assert dynamics(read_run(make_run(has_dynamics=False))) == {}


def test_a_layer_curve_has_one_row_a_layer_over_all_languages(make_run: MakeRun) -> None:
    rows = layer_scores(read_run(make_run()), "sst2")
    assert [row.layer for row in rows] == list(range(7))
    assert {(row.n, row.direction, row.trained_share) for row in rows} == {(4340, "both", None)}


def test_languages_are_those_of_the_finished_system(make_run: MakeRun) -> None:
    found = language_effects(read_run(make_run()), "sst2")
    assert set(found) == {"de", "fr", "tr", "ka", "sw", "jv"}
    assert {row.trained_share for row in found.values()} == {None}


def test_task_scores_are_the_rows_without_a_layer(make_run: MakeRun) -> None:
    (row,) = task_scores(read_run(make_run()))
    assert (row.system, row.benchmark, row.n) == ("sst2", "sst2", 872)
