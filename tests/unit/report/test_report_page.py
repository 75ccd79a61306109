from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from parsed_page import Parsed

from adaptstilts.errors import RecordError
from adaptstilts.record.scores import read_effects, read_scores
from adaptstilts.report import number
from adaptstilts.report.axes import tick
from adaptstilts.report.headline import POCKET_LINE
from adaptstilts.report.load import Run, read_run
from adaptstilts.report.page import html, write

MakeRun = Callable[..., Path]
HOSTILE = "<script>alert('x')</script>$\\frac{a}"


def test_the_headline_stands_on_the_page(make_run: MakeRun) -> None:
    text = html(read_run(make_run()))
    assert (
        "SST-2 training changes Tatoeba accuracy at layer 4 (both directions) by −3.1 points "
        "(95 % interval −3.6 to −2.6; 6 languages, 4,340 sentence pairs, seed 1): "
        "<strong>degrades</strong>"
    ) in text
    assert "<title>sst2_tatoeba (full profile): adaptstilts report</title>" in text


def test_every_language_has_the_numbers_of_the_parquet(make_run: MakeRun) -> None:
    folder = make_run()
    page = Parsed(html(read_run(folder)))

    def is_shown(row: object) -> bool:
        return (row.layer, row.direction) == (4, "both") and row.trained_share is None  # type: ignore[attr-defined]

    scores = {
        (row.system, row.language): row
        for row in read_scores(folder / "scores.parquet")
        if is_shown(row) and row.language != "macro"
    }
    effects = {
        (row.system, row.language): row
        for row in read_effects(folder / "effects.parquet")
        if is_shown(row) and row.language != "macro"
    }
    names = {"de": "German", "fr": "French", "tr": "Turkish", "ka": "Georgian", "sw": "Swahili"}
    for code, name in names.items():
        cells = [" ".join(cell.split()) for cell in page.row(name)]
        assert cells[0] == f"{name} {code}"
        assert cells[1] == f"{scores['base', code].n:,}"
        for place, system in enumerate(["base", "sst2", "sst2_negated"]):
            row = scores[system, code]
            assert cells[2 if place == 0 else 1 + 2 * place] == (
                f"{row.value * 100:.1f} {row.low * 100:.1f}–{row.high * 100:.1f}"
            )
        for place, system in enumerate(["sst2", "sst2_negated"]):
            moved = effects[system, code]
            assert cells[4 + 2 * place] == (
                f"{number.points(moved.value)} {number.points_interval(moved.low, moved.high)}"
            )


def test_the_systems_have_the_macro_numbers_of_the_parquet(make_run: MakeRun) -> None:
    folder = make_run()
    page = Parsed(html(read_run(folder)))
    for row in read_scores(folder / "scores.parquet"):
        if (row.language, row.layer, row.direction, row.n) != ("macro", 4, "both", 4340):
            continue
        cells = [" ".join(cell.split()) for cell in page.row(row.system + " ")]
        assert cells[1] == f"{row.value * 100:.1f} {row.low * 100:.1f}–{row.high * 100:.1f}"
        assert cells[3] == "4,340"


def test_nothing_points_outside_the_page(make_run: MakeRun) -> None:
    text = html(read_run(make_run()))
    page = Parsed(text)
    names = {tag for tag, _ in page.tags}
    assert not names & {"script", "iframe", "object", "embed", "img", "form"}
    for _, attributes in page.tags:
        for name, value in attributes.items():
            assert not name.startswith("on")
            if name in {"src", "href", "xlink:href", "action", "srcset", "data"}:
                assert value is not None
                assert value.startswith(("#", "data:,"))
    assert "http://" not in text
    assert "https://" not in text
    assert "@import" not in text
    assert set(re.findall(r"url\((.)", text)) <= {"#"}


def test_ids_are_unique_and_every_reference_has_its_target(make_run: MakeRun) -> None:
    text = html(read_run(make_run()))
    page = Parsed(text)
    ids = Counter(attributes["id"] for _, attributes in page.tags if "id" in attributes)
    assert [name for name, times in ids.items() if times > 1] == []
    used = {
        attributes["href"][1:]  # type: ignore[index]
        for tag, attributes in page.tags
        if tag == "use"
    }
    used |= set(re.findall(r"url\(#([^)]*)\)", text))
    used |= {
        attributes["aria-labelledby"]  # type: ignore[misc]
        for _, attributes in page.tags
        if "aria-labelledby" in attributes
    }
    assert used
    assert used <= set(ids)


def test_every_figure_is_named_and_says_what_it_shows(make_run: MakeRun) -> None:
    page = Parsed(html(read_run(make_run())))
    figures = [attributes for tag, attributes in page.tags if tag == "svg"]
    assert len(figures) == 6
    assert all(attributes["role"] == "img" for attributes in figures)
    labels = [attributes["aria-label"] or "" for attributes in figures]
    assert labels[0].startswith("Macro accuracy by layer: base from ")
    assert "German −4.6" in labels[2]
    assert labels[4].startswith("sst2 during its training: layer ")
    assert "sst2: loss from 0.700 to 0.140, dev accuracy from 91.0 % to 95.0 %." in labels[4]
    assert labels[5].startswith("Change of sst2 from its start, by layer and share of training")
    assert [tag for tag, _ in page.tags].count("figcaption") == 6


def test_figures_take_their_colours_from_the_page(make_run: MakeRun) -> None:
    text = html(read_run(make_run()))
    figures = "".join(re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL))
    assert {"var(--series-0)", "var(--series-1)", "var(--series-2)", "var(--ink)"} <= set(
        re.findall(r"var\(--[a-z0-9-]+\)", figures)
    )
    assert set(re.findall(r"#[0-9a-f]{6}\b", figures)) == set()


def test_the_dynamics_caption_says_which_rows_it_leaves_out(make_run: MakeRun) -> None:
    text = Parsed(html(read_run(make_run()))).text
    assert "All points are over the same 2,999 sentence pairs" in text
    assert "fewer than the 4,340 of the figures above" in text


def test_training_measured_in_another_way_is_not_left_out_silently(make_run: MakeRun) -> None:
    run = read_run(make_run())
    other = tuple(
        replace(row, protocol="mteb") if row.trained_share is not None else row
        for row in run.scores
    )
    page = Parsed(html(replace(run, scores=other)))
    assert "Measured during training by protocol mteb" in page.text
    assert len([tag for tag, _ in page.tags if tag == "svg"]) == 4


def test_hostile_names_and_recipes_stay_text(make_run: MakeRun) -> None:
    folder = make_run(name="<b>bold</b>", languages={"de": 1000, "fr": 999, "tr": 1000})
    recipe = folder / "recipe.resolved.yaml"
    recipe.write_text(recipe.read_text() + f'# </code></pre>{HOSTILE}"\n', encoding="utf-8")
    text = html(_renamed(read_run(folder), HOSTILE))
    assert "<script" not in text
    assert "<b>" not in text
    assert "&lt;b&gt;bold&lt;/b&gt;" in text
    assert "&lt;script&gt;alert" in text
    page = Parsed(text)
    assert "script" not in {tag for tag, _ in page.tags}
    assert f"# </code></pre>{HOSTILE}" in "".join(page.texts)


def _renamed(run: Run, name: str) -> Run:
    return replace(
        run,
        systems={name if key == "sst2" else key: value for key, value in run.systems.items()},
        scores=tuple(
            replace(row, system=name) if row.system == "sst2" else row for row in run.scores
        ),
        effects=tuple(
            replace(row, system=name) if row.system == "sst2" else row for row in run.effects
        ),
    )


def test_a_rebuild_gives_the_same_bytes(make_run: MakeRun) -> None:
    folder = make_run()
    first = write(folder).read_bytes()
    assert write(folder) == folder / "report.html"
    assert (folder / "report.html").read_bytes() == first
    assert not list(folder.glob("*.partial"))


def test_another_process_writes_the_same_bytes(make_run: MakeRun) -> None:
    folder = make_run()
    here = write(folder).read_bytes()
    code = (
        "from pathlib import Path; from adaptstilts.report.page import write; "
        f"write(Path({str(folder)!r}))"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONHASHSEED": "7"}
    )
    assert (folder / "report.html").read_bytes() == here


def test_pocket_figures_are_unmissable(make_run: MakeRun) -> None:
    full = html(read_run(make_run()))
    assert POCKET_LINE not in full
    pocket = html(read_run(make_run(profile="pocket")))
    assert f"<strong>{POCKET_LINE}</strong>" in pocket
    assert "(pocket profile)" in pocket[: pocket.index("</title>")]


def test_a_collapsed_run_is_called_so(make_run: MakeRun) -> None:
    text = Parsed(html(read_run(make_run(is_collapsed=True)))).text
    assert "Collapsed: sst2 ended on one class for everything." in text
    assert "collapsed to one class, so this says nothing" in text


@pytest.mark.parametrize("status", ["failed", "running"])
def test_an_unfinished_run_has_a_page_that_claims_nothing(make_run: MakeRun, status: str) -> None:
    page = Parsed(html(read_run(make_run(status=status, error="boom <i>"))))
    assert "No result is claimed." in page.text
    assert not re.search(r"\b(enhances|degrades)\b", page.text)
    assert ("boom <i>" in page.text) == (status == "failed")
    assert "svg" not in {tag for tag, _ in page.tags}


def test_a_run_that_failed_before_anything_still_has_a_page(make_run: MakeRun) -> None:
    folder = make_run(status="failed", error="no such base")
    run = read_run(folder)
    bare = run.record.model_copy(
        update={"base": None, "data": [], "stages": [], "adapters": {}, "headline": None}
    )
    text = html(replace(run, record=bare, systems={}, recipe_text="", baseline=None))
    assert "no such base" in text


def test_provenance_is_complete(make_run: MakeRun) -> None:
    text = Parsed(html(read_run(make_run()))).text
    for fact in (
        "xlm-roberta-large @ c23d21b0620b635a76227c604d44e43a9f0ee389",
        "9f" * 16,
        "ab" * 32,
        "torch 2.13.0",
        "0123456789abcdef0123456789abcdef01234567, with uncommitted changes",
        "Example GPU, 12.0 GiB, compute 8.6",
        "sst2 1, bootstrap 0",
        "compute: bf16, because the GPU has it",
        "1 h 02 min",
        "description: Made-up numbers that test the report.",
    ):
        assert fact in text


def test_a_folder_that_is_no_run_gets_no_page(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="is no run"):
        write(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (2.0, "+2"), (-0.5, "−0.5"), (0.25, "+0.25"), (-0.75, "−0.75"), (1e-15, "0")],
)
def test_a_tick_says_where_it_stands(value: float, text: str) -> None:
    assert tick(value) == text


def test_adapters_trained_on_a_stand_in_are_not_called_by_its_name(make_run: MakeRun) -> None:
    run = read_run(make_run(profile="pocket", task="pocket/sentiment", benchmark="pocket/bitext"))
    data = [
        row.model_copy(update={"table": table})
        for row, table in zip(
            run.record.data, ["pocket/sentiment/en/train", "pocket/bitext/de-en"], strict=True
        )
    ]
    stood_in = replace(run, record=run.record.model_copy(update={"data": data}))
    assert "SST-2" not in Parsed(html(stood_in)).text
