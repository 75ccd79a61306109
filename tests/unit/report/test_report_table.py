from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from rich.console import Console

from adaptstilts.cli.report import command
from adaptstilts.errors import RecordError
from adaptstilts.report.headline import POCKET_LINE
from adaptstilts.report.load import read_run
from adaptstilts.report.table import render

MakeRun = Callable[..., Path]


def printed(folder: Path, width: int = 200) -> str:
    console = Console(width=width, color_system=None, record=True, file=io.StringIO())
    console.print(render(read_run(folder)))
    return console.export_text()


def test_the_table_says_what_the_page_says(make_run: MakeRun) -> None:
    lines = [line.rstrip() for line in printed(make_run()).splitlines()]
    assert lines == [
        "sst2_tatoeba  full profile, finished",
        "Tatoeba accuracy at layer 4 (both directions, protocol both); 95 % intervals",
        "system        macro %, n 4,340  points to base",
        "base          72.7 (71.5–73.9)  baseline",
        "sst2          69.6 (68.4–70.8)  −3.1 (−3.6 to −2.6)",
        "sst2_negated  73.3 (72.1–74.5)  +0.6 (+0.1 to +1.1)",
        "sst2 on SST-2 (validation): 92.8 % (90.9–94.3; n 872)",
        "sst2 by language: −4.6 in German (n 1,000) to −1.6 in Turkish (n 1,000)",
        "sst2_negated by language: +0.3 in Turkish (n 1,000) to +0.9 in German (n 1,000)",
        "SST-2 training changes Tatoeba accuracy at layer 4 (both directions) by −3.1 points "
        "(95 % interval −3.6 to −2.6; 6 languages, 4,340 sentence pairs, seed 1): degrades.",
        "System sst2_negated (−1 × sst2) changes Tatoeba accuracy at layer 4 (both directions) by "
        "+0.6 points (95 % interval +0.1 to +1.1; 6 languages, 4,340 sentence pairs, seed 1): "
        "enhances.",
    ]


def test_the_table_fits_eighty_columns(make_run: MakeRun) -> None:
    text = printed(make_run(), width=80)
    assert "…" not in text
    assert "sst2_negated  73.3 (72.1–74.5)  +0.6 (+0.1 to +1.1)" in text


def test_names_are_not_read_as_markup(make_run: MakeRun) -> None:
    assert "[red]x[/red]" in printed(make_run(name="'[red]x[/red]'"))


def test_pocket_failed_and_collapsed_runs_are_called_so(make_run: MakeRun) -> None:
    assert POCKET_LINE in printed(make_run(profile="pocket"))
    assert "collapsed to one class" in printed(make_run(is_collapsed=True))
    failed = printed(make_run(status="failed", error="the disk is full"))
    assert "This run failed after 1 h 42 min: the disk is full. No result is claimed." in failed


def test_the_command_rebuilds_the_page_and_prints_the_table(make_run: MakeRun) -> None:
    folder = make_run()
    result = CliRunner().invoke(command, [str(folder)])
    assert result.exit_code == 0, result.output
    assert "−3.1 (−3.6 to −2.6)" in result.output
    assert f"Report: {folder / 'report.html'}" in result.output
    assert (folder / "report.html").is_file()


def test_the_command_prints_json(make_run: MakeRun) -> None:
    folder = make_run()
    result = CliRunner().invoke(command, [str(folder), "--json"])
    found = json.loads(result.output)
    assert found["effects"]["sst2"]["verdict"] == "degrades"
    assert found["effects"]["sst2"]["value"] == pytest.approx(-0.031)
    assert found["report"] == str(folder / "report.html")


def test_the_command_leaves_a_folder_that_is_no_run_alone(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, [str(tmp_path)])
    assert isinstance(result.exception, RecordError)
    assert list(tmp_path.iterdir()) == []


def test_reports_need_no_torch(make_run: MakeRun) -> None:
    code = (
        "import sys; from pathlib import Path; from adaptstilts.report.page import write; "
        f"write(Path({str(make_run())!r})); "
        "assert not {'torch', 'transformers', 'peft', 'datasets'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.strip()) == (0, "")
