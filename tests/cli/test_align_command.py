"""`align` measures a base and adapters from folders, as a run of the same recipe would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from builders import add_adapter, save_adapter
from click.testing import CliRunner, Result

from adaptstilts.adapter.folder import PROVENANCE
from adaptstilts.base.identity import POCKET, identify
from adaptstilts.base.load import load_base
from adaptstilts.cli.main import main
from adaptstilts.data.pocket import Pocket
from adaptstilts.experiment.execute import execute
from adaptstilts.experiment.plan import plan
from adaptstilts.experiment.store import CACHE_VARIABLE
from adaptstilts.record.scores import read_scores
from adaptstilts.task.registry import BENCHMARKS

SMOKE = Path(__file__).resolve().parents[2] / "recipes" / "smoke" / "sst2_tatoeba.yaml"
SHORT = ["adapters.sst2.training.steps=4", "measure[1].tatoeba.every=100%"]
LANGUAGES = ("--languages", "de,fr")


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(CACHE_VARIABLE, str(folder))
        patch.delenv("ADAPTSTILTS_DATA", raising=False)
        patch.chdir(folder)
        yield folder


@pytest.fixture(scope="module")
def run(cache: Path) -> Path:
    """A run of four steps, which leaves its adapter and scores."""
    folder = cache / "run"
    execute(plan(SMOKE, overrides=SHORT), folder)
    return folder


@pytest.fixture(scope="module")
def plain(cache: Path) -> Path:
    """An adapter of the pocket base as PEFT alone would leave it."""
    base = load_base(
        identify(POCKET, None), revision=None, quantization="int8", compute="fp32", device="cpu"
    )
    add_adapter(base, "strong", strength=0.2)
    folder = save_adapter(base, cache / "strong", "strong")
    (folder / PROVENANCE).unlink()
    return folder


def align(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["align", *arguments])


def told(*arguments: str) -> dict[str, Any]:
    done = align(*arguments, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_it_gives_what_the_run_that_trained_the_adapter_scored(run: Path, plain: Path) -> None:
    adapters = ("--adapter", str(run / "adapters" / "sst2"), "--adapter", f"other={plain}")
    found = told(*LANGUAGES, *adapters, "--layer", "4", "--out", "both")
    expected = {
        (row.system, row.language, row.layer): (row.value, row.low, row.high, row.n)
        for row in read_scores(run / "scores.parquet")
        if row.direction == "both" and row.trained_share is None and row.system != "sst2_negated"
    }
    cells = {
        (row["system"], row["language"], row["layer"]): row
        for row in [*found["layers"], *found["languages"]]
    }
    compared = expected.keys() & cells.keys()
    assert len(compared) == 2 * (7 + 2)
    for place in compared:
        cell = cells[place]
        assert (cell["value"], cell["low"], cell["high"], cell["n"]) == expected[place]
    assert {place[0] for place in cells} == {"base", "sst2", "other"}
    assert cells["other", "macro", 4]["value"] != cells["base", "macro", 4]["value"]
    assert cells["other", "macro", 0]["value"] == cells["base", "macro", 0]["value"]
    differences = {row["system"]: row["value"] for row in found["effects"]}
    for name, value in differences.items():
        levels = [cells[system, "macro", 4]["value"] for system in (name, "base")]
        assert value == pytest.approx(levels[0] - levels[1], abs=1e-6)
    assert differences.keys() == {"sst2", "other"}
    assert found["stored"]["sst2"]["task"] == "sst2"
    assert found["stored"]["sst2"]["details"]["training"]["steps"] == 4
    assert found["stored"]["other"]["task"] is None
    assert [notice for notice in found["notices"] if "adapter other does not say" in notice]


def test_the_tables_show_every_layer_and_language_with_its_interval(run: Path) -> None:
    adapter = str(run / "adapters" / "sst2")
    more = ("--metrics", "all", "--spaces", "centred", "--geometry", "--layers", "3-5")
    done = align(*LANGUAGES, "--adapter", adapter, *more, "--quiet", "--out", "tables")
    assert done.exit_code == 0, done.output
    lines = [line.split() for line in done.stdout.splitlines()]
    rows = {words[0]: words for words in lines if words}
    rows_of_layers = [words for words in lines if words[:1] in (["3"], ["4"], ["5"])]
    assert [words[0] for words in rows_of_layers] == ["3", "4", "5"]
    assert rows["4"][1] == "←"  # 14 of 24 is 3.5 of 6, rounded up
    assert all(word.startswith("(") and "–" in word for word in rows["de"][3::2])
    assert rows["de"][1] == "320"
    assert {"mrr", "accuracy_csls", "cka", "language_probe"} <= rows.keys()
    assert ["accuracy", "both", "centred"] in [words[:3] for words in lines]
    assert "sst2 less base at layer 4: " in done.stdout
    recipe = Path("tables") / "recipe.yaml"
    assert plan(recipe, profile="pocket").stages  # it can be run again from where it lies


def test_of_errors_it_is_said_that_fewer_are_better(run: Path) -> None:
    adapter = str(run / "adapters" / "sst2")
    more = ("--protocol", "xsim", "--metrics", "all", "--layers", "6")
    done = align(*LANGUAGES, "--adapter", adapter, *more, "--quiet", "--out", "errors")
    assert done.exit_code == 0, done.output
    said = done.stdout.splitlines()
    about_errors = [line for line in said if "xsim_error" in line or " less base at " in line]
    assert len(about_errors) >= 2
    assert all("lower is better" in line for line in about_errors)
    assert not any("lower is better" in line for line in said if line.startswith("mrr"))


def own_file(path: Path, language: str, n: int) -> Path:
    """The first bundled pairs of a language, as a file of one's own."""
    rows = Pocket().read(BENCHMARKS["tatoeba"].tables[language])
    pairs = list(zip(*rows.columns.values(), strict=True))[:n]
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(f"{x}\t{y}\n" for x, y in pairs), encoding="utf-8")
    return path


def test_files_and_folders_of_one_s_own(tmp_path: Path) -> None:
    for name, language in (("de-en.tsv", "de"), ("fr-en.tsv", "fr"), ("notes.txt", "ru")):
        own_file(tmp_path / "all" / name, language, 40)
    single = own_file(tmp_path / "pairs.txt.tsv", "de", 40)
    whole = told("--bitext", str(tmp_path / "all"), "--layers", "4", "--out", str(tmp_path / "a"))
    found = {row["language"]: (row["value"], row["n"]) for row in whole["languages"]}
    assert found.keys() == {"de", "fr"}
    assert {n for _, n in found.values()} == {40}
    arguments = ("--bitext", str(single), "--layers", "4")
    by_code = told(*arguments, "--languages", "sw", "--out", str(tmp_path / "b"))
    assert [(r["language"], r["value"]) for r in by_code["languages"]] == [("sw", found["de"][0])]
    by_pair = told(*arguments, "--pair", "fr-es", "--out", str(tmp_path / "c"))
    assert [row["language"] for row in by_pair["languages"]] == ["fr-es"]
    assert whole["headline"]["layer"] == 4
    part = told(
        "--bitext", str(tmp_path / "all"), "--languages", "fr", "--out", str(tmp_path / "d")
    )
    assert [row["language"] for row in part["languages"]] == ["fr"]


def test_a_bad_line_is_named(tmp_path: Path) -> None:
    path = own_file(tmp_path / "de-en.tsv", "de", 5)
    path.write_text(path.read_text(encoding="utf-8") + "no second column\n", encoding="utf-8")
    done = align("--bitext", str(path), "--out", str(tmp_path / "run"))
    assert done.exit_code == 2
    assert f"{path}: 1 of 6 lines are no pair of sentences: line 6: 1 columns" in done.stderr
    assert "Traceback" not in done.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--base", "xlm-roberta-large"], "--base xlm-roberta-large: no folder of that name"),
        (["--adapter", "nowhere"], "adapters.nowhere.from: {here}/nowhere: there is no such"),
        (["--adapter", "a/x", "--adapter", "b/x"], "--adapter b/x: `x` is taken"),
        (["--adapter", "base"], "`base` is taken"),
        (["--bitext", "nowhere.tsv"], "--bitext: there is no {here}/nowhere.tsv"),
        (["--bitext", "tatoeba", "--bitext", "x.tsv"], "give `tatoeba` alone"),
        (["--bitext", "odd.tsv"], "its languages are not known; give --languages sw"),
        (["--bitext", "odd.tsv", "--pair", "french"], "--pair french: give two languages"),
        (["--bitext", "odd.tsv", "--pair", "en-fr"], "--bitext: English comes second"),
        (["--bitext", "odd.tsv", "--pair", "fr-es", "--languages", "sw"], "--pair or --languages"),
        (["--bitext", "empty"], "no file for any language; files are called <language>-en.tsv"),
        (["--pair", "fr-es"], "--pair: Tatoeba is with English"),
        (["--languages", "de,german"], "--languages: no language or set of languages is called"),
        (["--languages", "de,,fr"], "an entry of the list is empty"),
        (["--layer", "9"], "--layer: layer 9 is not there: the base has layers 0 to 6"),
        (["--layer", "3", "--layers", "4"], "--layer: layer 3 is not among"),
        (["--layers", "0,3"], "--layer: layer 4 is not among"),
        (["--layers", "4-2"], "--layers 4-2: `4-2` is no layer and no range"),
        (["--layers", "4,7"], "--layers: layer 7 is not there"),
        (
            ["--layers", "3-5", "--spaces", "averaged"],
            "--spaces: `averaged` is the mean of a layer",
        ),
        (["--layers", "3,4", "--protocol", "mteb"], "--layers: the headline is at layer 6"),
        (["--spaces", "bleached"], "--spaces: `bleached` is not one of centred"),
        (["--protocol", "xtrem"], "Invalid value for '--protocol'"),
        (["--revision"], "Option '--revision' requires an argument"),
    ],
)
def test_wrong_options_are_one_clear_error(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("odd.tsv").write_text("eins\tone\n", encoding="utf-8")
    done = align(*arguments)
    assert done.exit_code == 2, done.output
    said = " ".join(done.stderr.split())
    assert message.format(here=tmp_path) in said
    assert said.count("Error") == 1
    assert not Path("runs").exists()
