"""Reference encoders and mined translations stand beside the headline, never in it."""

from __future__ import annotations

from dataclasses import replace

from adaptstilts.record.scores import MACRO, REFERENCE, Effect, Score
from adaptstilts.report import beside, page
from adaptstilts.report.load import Run
from adaptstilts.report.selection import headline_scores


def _with_more(run: Run) -> Run:
    """The run with a reference encoder and with translations mined by base and sst2."""
    headline = run.record.headline
    assert headline is not None
    model = next(
        row
        for row in run.scores
        if row.language == MACRO and row.metric == headline.metric and row.space == "as_is"
    )
    plain = {"seed": None, "seeds": 0, "trained_share": None}
    reference = replace(
        model,
        **plain,
        system="<labse>",
        space=REFERENCE,
        layer=None,
        direction=headline.direction,
        value=0.9,
        low=0.88,
        high=0.92,
    )
    mined = [
        replace(
            model,
            **plain,
            system=system,
            benchmark="bucc2018/dev",
            protocol="jiant",
            language="zh",
            direction=None,
            chosen="oracle",
            metric=metric,
            value=value,
            n=257,
        )
        for system, shift in (("base", 0.0), ("sst2", -0.2))
        for metric, value in (("f1", 0.7 + shift), ("precision", 0.8), ("recall", 0.6))
    ]
    row = next(one for one in mined if (one.system, one.metric) == ("sst2", "f1"))
    effect = Effect(
        **{**vars(row), "value": -0.2, "low": -0.25, "high": -0.15},
        baseline="base",
        low90=-0.24,
        high90=-0.16,
        detectable=0.05,
        p=None,
        p_holm=None,
        h=None,
    )
    scores: tuple[Score, ...] = (*run.scores, reference, *mined)
    return replace(run, scores=scores, effects=(*run.effects, effect))


def test_nothing_stands_beside_a_run_without_them(full_run: Run) -> None:
    assert beside.references(full_run) == []
    assert beside.mined(full_run) == []
    assert 'id="beside"' not in page.html(full_run)


def test_references_and_mined_translations_have_tables_of_their_own(full_run: Run) -> None:
    run = _with_more(full_run)
    (row,) = beside.references(run)
    assert (row["name"], row["value"]) == ("<labse>", "90.0")
    base, sst2 = beside.mined(run)
    assert (base["system"], base["f1"], base["effect"]) == ("base", "70.0", "baseline")
    assert (sst2["f1"], sst2["precision"], sst2["recall"]) == ("50.0", "80.0", "60.0")
    assert sst2["effect"] == "−20.0"
    assert sst2["threshold"].startswith("oracle")
    text = page.html(run)
    assert "&lt;labse&gt;" in text
    assert "BUCC 2018 dev, Chinese" in text


def test_they_change_no_headline(full_run: Run) -> None:
    assert headline_scores(_with_more(full_run)) == headline_scores(full_run)
