from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from adaptstilts.record.scores import Effect, read_effects, read_scores
from adaptstilts.report.expression import describe, scaled
from adaptstilts.report.finding import findings
from adaptstilts.report.headline import extremes, headline_sentences, numbers, question
from adaptstilts.report.load import read_run
from adaptstilts.report.verdict import DEGRADES, ENHANCES, NO_DIFFERENCE, verdict

MakeRun = Callable[..., Path]


def macro(folder: Path, system: str) -> Effect:
    """The headline row, found without the code under test: the full set has 4,340 pairs."""
    rows = [
        row
        for row in read_effects(folder / "effects.parquet")
        if (row.system, row.language, row.layer, row.direction, row.n, row.trained_share)
        == (system, "macro", 4, "both", 4340, None)
    ]
    assert len(rows) == 1
    return rows[0]


def test_a_harmful_effect_degrades(make_run: MakeRun) -> None:
    folder = make_run(effect=-0.031, half_width=0.005)
    assert macro(folder, "sst2").value == pytest.approx(-0.031)
    assert headline_sentences(read_run(folder))[0] == (
        "SST-2 training changes Tatoeba accuracy at layer 4 (both directions) by −3.1 points "
        "(95 % interval −3.6 to −2.6; 6 languages, 4,340 sentence pairs, seed 1): degrades."
    )


def test_a_helpful_effect_enhances(make_run: MakeRun) -> None:
    sentences = headline_sentences(read_run(make_run(effect=0.02, half_width=0.004)))
    assert sentences[0] == (
        "SST-2 training changes Tatoeba accuracy at layer 4 (both directions) by +2.0 points "
        "(95 % interval +1.6 to +2.4; 6 languages, 4,340 sentence pairs, seed 1): enhances."
    )


def test_no_effect_is_not_called_no_effect(make_run: MakeRun) -> None:
    sentences = headline_sentences(read_run(make_run(effect=0.001, half_width=0.005)))
    assert sentences[0] == (
        "SST-2 training changes Tatoeba accuracy at layer 4 (both directions) by +0.1 points "
        "(95 % interval −0.4 to +0.6; 6 languages, 4,340 sentence pairs, seed 1): "
        "no difference that this test could see "
        "(4 times in 5 it finds a change of 0.71 points or more)."
    )


def test_a_system_that_is_no_lone_adapter_is_named_with_its_expression(make_run: MakeRun) -> None:
    assert headline_sentences(read_run(make_run()))[1].startswith(
        "System sst2_negated (−1 × sst2) changes Tatoeba accuracy"
    )


@pytest.mark.parametrize(
    ("low", "high", "word"),
    [
        (0.001, 0.01, ENHANCES),
        (-0.01, -0.001, DEGRADES),
        (-0.01, 0.01, NO_DIFFERENCE),
        (0.0, 0.01, NO_DIFFERENCE),
        (-0.01, 0.0, NO_DIFFERENCE),
        (0.0, 0.0, NO_DIFFERENCE),
        (math.nan, math.nan, "no interval was computed, so nothing is claimed"),
    ],
)
def test_the_verdict_follows_the_interval_alone(low: float, high: float, word: str) -> None:
    assert verdict(low, high) == word


def test_a_margin_turns_no_difference_into_no_change(make_run: MakeRun) -> None:
    run = read_run(make_run(effect=0.001, half_width=0.005, margin=0.01))
    assert run.margin == 0.01
    assert headline_sentences(run)[0].endswith(
        "no change larger than 1 point (shown by two one-sided tests at 5 %)."
    )
    assert numbers(run)["effects"]["sst2"]["is_within_margin"] is True  # type: ignore[index]


def test_a_real_effect_within_the_margin_is_called_both(make_run: MakeRun) -> None:
    run = read_run(make_run(effect=-0.003, half_width=0.002, margin=0.01))
    assert headline_sentences(run)[0].endswith(
        "degrades, yet by less than 1 point (shown by two one-sided tests at 5 %)."
    )


def test_a_margin_that_is_not_kept_is_not_ruled_out(make_run: MakeRun) -> None:
    run = read_run(make_run(effect=0.001, half_width=0.03, margin=0.005))
    assert headline_sentences(run)[0].endswith(
        "no difference that this test could see (4 times in 5 it finds a change of 4.3 points or "
        "more; one of 0.5 points is not ruled out)."
    )


def test_rows_of_the_smaller_set_never_make_the_headline(make_run: MakeRun) -> None:
    run = read_run(make_run())
    smaller = [row for row in run.scores if row.language == "macro" and row.n == 2999]
    assert smaller, "the sample must hold rows over fewer languages"
    assert {found.effect.n for found in findings(run)} == {4340}
    assert {found.languages for found in findings(run)} == {6}


def test_the_order_of_rows_does_not_matter(make_run: MakeRun) -> None:
    run = read_run(make_run())
    turned = replace(run, scores=run.scores[::-1], effects=run.effects[::-1])
    assert numbers(turned) == numbers(run)


def test_pocket_stand_ins_are_named_as_such(make_run: MakeRun) -> None:
    run = read_run(
        make_run(profile="pocket", benchmark="pocket/bitext", task="pocket/sentiment", effect=0.02)
    )
    sentence = headline_sentences(run)[0]
    assert sentence.startswith("Pocket sentiment training changes pocket bitext accuracy")
    assert "SST-2" not in sentence + question(run)
    assert "Tatoeba" not in sentence + question(run)
    assert "the bundled pocket encoder" in question(run)


def test_a_stand_in_without_a_score_has_its_own_name_still(make_run: MakeRun) -> None:
    run = read_run(make_run(profile="pocket", benchmark="pocket/bitext", task="pocket/sentiment"))
    data = [
        row.model_copy(update={"table": table})
        for row, table in zip(
            run.record.data, ["pocket/sentiment/en/train", "pocket/bitext/de-en"], strict=True
        )
    ]
    unscored = replace(
        run,
        record=run.record.model_copy(update={"data": data}),
        scores=tuple(row for row in run.scores if row.layer is not None),
    )
    assert headline_sentences(unscored)[0].startswith("Pocket sentiment training changes")


def test_a_collapsed_adapter_voids_all_systems_made_of_it(make_run: MakeRun) -> None:
    run = read_run(make_run(is_collapsed=True))
    assert all("collapsed to one class" in sentence for sentence in headline_sentences(run))
    assert all(effect["is_collapsed"] for effect in numbers(run)["effects"].values())  # type: ignore[attr-defined]


def test_a_failed_run_claims_nothing(make_run: MakeRun) -> None:
    run = read_run(make_run(status="failed", error="the disk is full"))
    assert headline_sentences(run) == [
        "This run failed after 1 h 42 min: the disk is full. No result is claimed."
    ]


def test_a_running_run_claims_nothing_and_says_how_to_go_on(make_run: MakeRun) -> None:
    (sentence,) = headline_sentences(read_run(make_run(status="running")))
    assert "has not finished: it was started at 2026-11-22T10:00:00Z" in sentence
    assert "Run the same recipe again" in sentence


def test_tables_of_an_unfinished_run_give_no_verdict(make_run: MakeRun) -> None:
    finished = read_run(make_run())
    failed = replace(
        finished, record=finished.record.model_copy(update={"status": "failed", "error": "x"})
    )
    assert headline_sentences(failed) == [
        "This run failed after 1 h 42 min: x. No result is claimed."
    ]
    assert [row["verdict"] for row in numbers(failed)["effects"].values()] == [None, None]  # type: ignore[attr-defined]


def test_extremes_are_the_lowest_and_highest_language(make_run: MakeRun) -> None:
    folder = make_run()
    ends = extremes(read_run(folder), "sst2")
    assert ends is not None
    values = {
        row.language: row.value
        for row in read_effects(folder / "effects.parquet")
        if (row.system, row.layer, row.direction, row.trained_share) == ("sst2", 4, "both", None)
        and row.language != "macro"
    }
    assert ends[0].language == min(values, key=values.__getitem__) == "de"
    assert ends[1].language == max(values, key=values.__getitem__) == "tr"


def test_numbers_are_those_of_the_tables_and_valid_json(make_run: MakeRun) -> None:
    folder = make_run()
    found = json.loads(json.dumps(numbers(read_run(folder)), allow_nan=False))
    effect = macro(folder, "sst2")
    assert found["effects"]["sst2"] == {
        "baseline": "base",
        "value": effect.value,
        "low": effect.low,
        "high": effect.high,
        "low90": effect.low90,
        "high90": effect.high90,
        "detectable": effect.detectable,
        "n": 4340,
        "seed": 1,
        "seeds": 1,
        "languages": 6,
        "verdict": "degrades",
        "conclusion": "degrades",
        "is_within_margin": None,
        "is_control": False,
        "is_collapsed": False,
        "by_seed": {"1": {"value": effect.value, "low": effect.low, "high": effect.high}},
    }
    assert found["controls"] == {}
    assert found["margin"] is None
    assert found["chosen"] is None
    base = next(
        row
        for row in read_scores(folder / "scores.parquet")
        if (row.system, row.language, row.layer, row.direction, row.n)
        == ("base", "macro", 4, "both", 4340)
    )
    assert found["systems"]["base"]["value"] == base.value
    assert found["tasks"][0]["value"] == pytest.approx(809 / 872)


def test_missing_intervals_are_null_in_json(make_run: MakeRun) -> None:
    run = read_run(make_run())
    bare = tuple(replace(row, low=math.nan, high=math.nan) for row in run.effects)
    found = json.loads(json.dumps(numbers(replace(run, effects=bare)), allow_nan=False))
    assert found["effects"]["sst2"]["low"] is None
    assert "nothing is claimed" in found["sentences"][0]
    assert "95 % interval" not in found["sentences"][0]


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("none", "the bare base"),
        (None, "the bare base"),
        ("sst2", "sst2"),
        ({"scale": {"of": "sst2", "by": -1}}, "−1 × sst2"),
        ({"scale": {"of": "sst2", "by": 0.5}}, "0.5 × sst2"),
        ({"scale": {"of": {"scale": {"of": "a", "by": 2}}, "by": 0.5}}, "0.5 × (2 × a)"),
    ],
)
def test_expressions_in_words(expression: object, words: str) -> None:
    assert describe(expression) == words


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("none", None),
        ("sst2", ("sst2", 1.0)),
        ({"scale": {"of": "sst2", "by": -1}}, ("sst2", -1.0)),
        ({"scale": {"of": {"scale": {"of": "a", "by": 2}}, "by": 0.5}}, ("a", 1.0)),
        ({"scale": {"of": "none", "by": 2}}, None),
        ({"stack": ["a", "b"]}, None),
        ({"scale": {"of": "a", "by": "x"}}, None),
        (None, None),
    ],
)
def test_factors_of_nested_scales_multiply(
    expression: object, found: tuple[str, float] | None
) -> None:
    assert scaled(expression) == found
