from __future__ import annotations

import io
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from full_sample import CONTROLS, GROUPS, METRICS, SEEDS, SHARES, SIZES, SPACES
from parsed_page import Parsed
from rich.console import Console

from adaptstilts.record.scores import read_effects, read_scores
from adaptstilts.report import detail, diagnostics, number
from adaptstilts.report.forest import dose_steps
from adaptstilts.report.heat_map import changes, heat_map
from adaptstilts.report.load import Run, read_run
from adaptstilts.report.page import html
from adaptstilts.report.spaces import space_curves, views
from adaptstilts.report.table import render

MakeRun = Callable[..., Path]
ORACLE = "oracle: the layer was chosen on the scored sentences"


@pytest.fixture(scope="module")
def page(full_run: Run) -> Parsed:
    return Parsed(html(full_run))


def test_the_question_of_controls_stands_first(page: Parsed) -> None:
    headings = re.findall(
        r"More than its controls\?|The update, scaled|What was run|Layer by layer|"
        r"Language by language|During training|Other ways to look|Provenance",
        page.text,
    )
    assert headings == [
        "More than its controls?",
        "The update, scaled",
        "What was run",
        "Layer by layer",
        "Language by language",
        "During training",
        "Other ways to look",
        "Provenance",
    ]


def test_a_plain_run_has_none_of_these(make_run: MakeRun) -> None:
    text = Parsed(html(read_run(make_run()))).text
    for heading in (
        "More than its controls?",
        "The update, scaled",
        "Seed by seed",
        "Groups of languages",
        "with tests",
        "Other ways to look",
        "smallest that would matter",
        "oracle",
    ):
        assert heading not in text


def test_every_figure_has_its_words(page: Parsed) -> None:
    labels = [attributes["aria-label"] or "" for tag, attributes in page.tags if tag == "svg"]
    starts = [
        "Difference to base of systems and their controls",
        "Difference to base by the factor on sst2",
        "Macro accuracy by layer: base",
        "Difference to base by layer",
        "Difference of sst2 to base by language",
        "sst2 during its training",
        "Change of sst2 from its start",
        "Macro accuracy of base by layer: as they are highest",
    ]
    assert len(labels) == len(starts)
    for label, start in zip(labels, starts, strict=True):
        assert label.startswith(start)
    assert [tag for tag, _ in page.tags].count("figcaption") == len(starts)


def test_the_full_page_stands_alone_and_its_ids_are_unique(full_run: Run) -> None:
    text = html(full_run)
    parsed = Parsed(text)
    ids = Counter(attributes["id"] for _, attributes in parsed.tags if "id" in attributes)
    assert [name for name, times in ids.items() if times > 1] == []
    used = set(re.findall(r'aria-labelledby="([^"]*)"', text))
    used |= set(re.findall(r"url\(#([^)]*)\)", text))
    assert used <= set(ids)
    assert "http" not in text.replace("http-equiv", "")
    figures = "".join(re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL))
    assert set(re.findall(r"#[0-9a-f]{6}\b", figures)) == set()
    assert {"var(--above)", "var(--below)"} & set(re.findall(r"var\(--[a-z0-9-]+\)", figures))


def test_hostile_names_stay_text_everywhere(full_run: Run) -> None:
    hostile = "<script>x</script>$\\frac{a}"

    def named(name: str) -> str:
        return hostile if name in {"sst2", "random"} else name

    systems = {hostile if key == "sst2" else key: value for key, value in full_run.systems.items()}
    run = replace(
        full_run,
        systems=systems,
        scores=tuple(
            replace(row, system=hostile, language=row.language.replace("Latn", "<i>"))
            if row.system == "sst2"
            else row
            for row in full_run.scores
        ),
        effects=tuple(
            replace(row, system=hostile) if row.system == "sst2" else row
            for row in full_run.effects
        ),
    )
    text = html(run)
    assert "<script" not in text
    assert "<i>" not in text
    assert "&lt;script&gt;" in text


def test_each_control_has_its_row(page: Parsed, full_folder: Path) -> None:
    effects = {
        (row.system, row.baseline): row
        for row in read_effects(full_folder / "effects.parquet")
        if (row.language, row.layer, row.seeds, row.space, row.metric, row.trained_share)
        == ("macro", 7, 3, "as_is", "accuracy", None)
    }
    for control in CONTROLS:
        cells = [" ".join(cell.split()) for cell in page.row(f"{control} ")]
        own, beside = effects[control, "base"], effects["sst2", control]
        assert cells[1] == (
            f"{number.points(own.value)} {number.points_interval(own.low, own.high)}"
        )
        assert cells[2] == (
            f"{number.points(beside.value)} {number.points_interval(beside.low, beside.high)}"
        )
        assert cells[4] == "9,907"


def test_the_sweep_is_by_factor(full_run: Run) -> None:
    steps = dose_steps(full_run, "sst2")
    assert [(factor, row.system) for factor, row in steps] == [
        (-1.0, "scaled_minus_1"),
        (0.5, "scaled_0_5"),
        (1.0, "sst2"),
        (1.5, "scaled_1_5"),
    ]


def test_the_heat_map_is_the_change_from_the_start(full_run: Run, full_folder: Path) -> None:
    found = changes(full_run, "sst2")
    rows = {
        (row.layer, row.trained_share): row.value
        for row in read_scores(full_folder / "scores.parquet")
        if (row.system, row.language, row.seeds) == ("sst2", "macro", 3)
        and row.trained_share is not None
    }
    assert set(found) == set(range(13))
    for layer, cells in found.items():
        assert list(cells) == list(SHARES)
        for share, cell in cells.items():
            assert cell.change == pytest.approx(rows[layer, share] - rows[layer, 0.0])
    assert found[7][1.0].is_real is True
    assert found[0][1.0].is_real is False


def test_a_small_change_has_no_strong_colour(full_run: Run) -> None:
    still = tuple(
        replace(row, value=0.6 + (row.value - 0.6) / 1000) if row.trained_share is not None else row
        for row in full_run.scores
    )
    drawn = heat_map(replace(full_run, scores=still), "sst2", 0)
    assert drawn is not None
    opacities = [float(text) for text in re.findall(r"[^-]opacity: ([0-9.]+)", drawn)]
    assert opacities
    assert max(opacities) < 0.05


def test_without_paired_differences_the_heat_map_claims_none(full_run: Run) -> None:
    plain = tuple(row for row in full_run.effects if row.trained_share is None)
    run = replace(full_run, effects=plain)
    cells = [cell for row in changes(run, "sst2").values() for cell in row.values()]
    assert {cell.is_real for cell in cells} == {None}
    assert "has no interval of its own" in Parsed(html(run)).text


def test_the_captions_say_n_and_seeds(page: Parsed) -> None:
    for words in (
        "n\u00a0=\u00a09,907 sentence pairs, 3 seeds",
        "n\u00a0=\u00a09,907 sentence pairs, mean of 3 seeds",
        "Grey band: within 1 point, the margin",
        "its accuracy on n\u00a0=\u00a01,000 dev rows (thin: each seed; thick: their mean)",
        "Not drawn: the sweep's 3 systems.",
        "joined with the spread of the 3 training seeds",
    ):
        assert words.replace("\u00a0", " ") in page.text.replace("\u00a0", " ")


def test_languages_that_remain_after_holm_are_counted(full_run: Run, full_folder: Path) -> None:
    text = Parsed(html(full_run)).text.replace("\u00a0", " ")
    tested = [
        row
        for row in read_effects(full_folder / "effects.parquet")
        if (row.system, row.baseline, row.layer, row.space, row.metric, row.trained_share)
        == ("sst2", "base", 7, "as_is", "accuracy", None)
        and row.p_holm is not None
    ]
    assert len(tested) == len(SIZES) * len(SEEDS)
    counts = [
        sum(row.seed == seed and row.p_holm < 0.05 for row in tested)  # type: ignore[operator]
        for seed in SEEDS
    ]
    said = ", ".join(f"{count} (seed {seed})" for seed, count in zip(SEEDS, counts, strict=True))
    assert f"corrected by Holm, {said} of 12 languages remain at 5 %" in text
    table = detail.languages(full_run, "sst2")
    assert table is not None
    for head, cells in table.rows:
        own = [row for row in tested if row.language == head.interval]
        assert cells[4].value == number.chance(max(row.p for row in own if row.p is not None))
        assert (cells[5].interval == "remains") == all(
            row.p_holm is not None and row.p_holm < 0.05 for row in own
        )


def test_groups_have_effects_and_counts(full_run: Run) -> None:
    table = detail.groups(full_run)
    assert table is not None
    assert [head.value for head, _ in table.rows] == [
        "all, each language alike",
        "all, each sentence pair alike",
        "script: Latn",
        "script: Cyrl",
        "pretraining text: 1 to 10 GiB",
    ]
    assert [cells[2].value for _, cells in table.rows] == ["12", "12", "6", "3", "3"]
    cyrillic = sum(SIZES[code] for code in GROUPS["script=Cyrl"])
    assert table.rows[3][1][3].value == number.count(cyrillic)


def test_each_seed_is_in_the_table(full_run: Run) -> None:
    table = detail.seeds(full_run)
    assert table is not None
    assert table.columns == ["System", "Seed 1", "Seed 2", "Seed 3", "Mean", "n"]
    assert [head.value for head, _ in table.rows] == [
        name for name in full_run.systems if name != "base"
    ]


def test_other_ways_to_look_have_the_numbers_of_the_parquet(full_run: Run) -> None:
    found = views(full_run)
    assert (found[0].space, found[0].metric) == ("as_is", "accuracy")
    assert {(view.space, view.metric) for view in found} == {
        ("as_is", "accuracy"),
        *(("as_is", metric) for metric in (*METRICS, "xsim_error", "cosine_gap")),
        *((space, "accuracy") for space in SPACES),
    }
    table = diagnostics.other_views(full_run)
    assert table is not None
    gap = next(cells for head, cells in table.rows if head.value == "Cosine gap")
    row = next(view for view in found if view.metric == "cosine_gap")
    assert gap[0].value == f"{row.scores['base'].value:.3f}"
    assert gap[1].value == number.signed(row.effects["sst2"].value)
    assert {row.seeds for view in found for row in view.effects.values()} == {3}


def test_what_costs_no_training_is_of_the_baseline(full_run: Run) -> None:
    curves = space_curves(full_run)
    assert list(curves) == ["as_is", *SPACES]
    for rows in curves.values():
        assert {row.system for row in rows} == {"base"}
        assert [row.layer for row in rows] == list(range(13))


def test_geometry_stands_beside_what_it_is_compared_with(full_run: Run) -> None:
    table = diagnostics.shape(full_run)
    assert table is not None
    assert table.columns == ["Figure", "base", "sst2", *CONTROLS, "n"]
    cells = {head.value: row for head, row in table.rows}
    assert cells["CKA with English"][0].value == "0.550"
    assert cells["CKA with English"][0].interval == "0.54 to 0.56; shuffled 0.012"
    assert cells["Language probe"][0].interval == "96.3–98.3; chance 8.3"
    assert cells["Anisotropy, ten dimensions"][0].interval == ""
    assert [head.interval for head, _ in table.rows if head.value == "Hubness skew"] == [
        "English queries",
        "foreign queries",
    ]


def test_geometry_of_each_seed_is_a_mean_with_its_range(full_run: Run) -> None:
    values = {1: 0.50, 2: 0.60, 3: 0.64}
    each = [
        replace(row, seed=seed, seeds=1, value=value)
        for row in full_run.scores
        if (row.system, row.metric, row.layer) == ("sst2", "cka", 7)
        for seed, value in values.items()
    ]
    others = [row for row in full_run.scores if (row.system, row.metric) != ("sst2", "cka")]
    table = diagnostics.shape(replace(full_run, scores=(*others, *each)))
    assert table is not None
    cell = next(cells[1] for head, cells in table.rows if head.value == "CKA with English")
    assert cell.value == "0.580"
    assert cell.interval.startswith("3 seeds; 0.50 to 0.64; shuffled ")


def test_an_oracle_is_called_so_at_every_figure_and_table(chosen_runs: dict[str, Run]) -> None:
    text = html(chosen_runs["oracle"])
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", text, flags=re.DOTALL)
    captions += re.findall(r'<p class="caption"[^>]*>(.*?)</p>', text, flags=re.DOTALL)
    others = ("The systems on the task itself", "Adapters.", "sst2 during", "sst2: change")
    at_layer = [said for said in captions if not said.startswith(others)]
    assert len(at_layer) > 10
    assert [said for said in at_layer if ORACLE[1:] not in said] == []


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        (
            "oracle",
            "the layer was chosen on the scored sentences (by the baseline's own noise too, which "
            "favours it, so effects lean downwards).",
        ),
        ("held_out", "the layer was chosen by the baseline's score on other sentences (held out)"),
        (
            "leave_languages_out",
            "ach language's layer was chosen by the baseline's score on all other languages (not "
            "fully independent: English sentences recur between languages).",
        ),
    ],
)
def test_page_and_terminal_say_how_the_layer_was_chosen(
    chosen_runs: dict[str, Run], chosen: str, words: str
) -> None:
    assert words in Parsed(html(chosen_runs[chosen])).text
    console = Console(width=400, color_system=None, record=True, file=io.StringIO())
    console.print(render(chosen_runs[chosen]))
    assert words in console.export_text()


def test_the_terminal_has_controls_and_seeds(full_run: Run) -> None:
    console = Console(width=400, color_system=None, record=True, file=io.StringIO())
    console.print(render(full_run))
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    assert "sst2 by seed: −3.2 (seed 1), −3.2 (seed 2), −3.1 (seed 3)" in lines
    assert any(line.startswith("random (control)") for line in lines)
    assert (
        "mlm: sst2 differs from English masked-LM training by less than 1 point: −0.2 points "
        "(−0.7 to +0.3; shown by two one-sided tests at 5 %)"
    ) in lines
