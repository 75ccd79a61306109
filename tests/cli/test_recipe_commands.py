"""`adaptstilts recipe …`, and what the group does with errors."""

from __future__ import annotations

import json
from pathlib import Path

import click
import jsonschema
import pytest
from click.testing import CliRunner, Result

from adaptstilts.cli import recipe as recipe_module
from adaptstilts.cli.main import COMMANDS, main
from adaptstilts.errors import DataError, TrainingError

ROOT = Path(__file__).resolve().parents[2]
FULL = str(ROOT / "recipes" / "sst2_tatoeba.yaml")
SMOKE = str(ROOT / "recipes" / "smoke" / "sst2_tatoeba.yaml")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments), env={"COLUMNS": "100"})


@pytest.fixture
def bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    text = Path(SMOKE).read_text(encoding="utf-8")
    text = text.replace("rank: 4", "rnk: 4").replace("baseline: base", "baseline: bse")
    (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return "bad.yaml"


def test_help_lists_every_command_with_its_line() -> None:
    result = run("--help")
    assert result.exit_code == 0
    for name, line in COMMANDS.items():
        assert f"  {name} " in result.output
        assert " ".join(line.split()[:4]) in result.output


def test_version() -> None:
    result = run("--version")
    assert result.exit_code == 0
    assert result.output.startswith("adaptstilts, version ")


def test_unknown_command_is_suggested() -> None:
    result = run("reciep")
    assert result.exit_code == 2
    assert "Did you mean `recipe`?" in result.stderr


def test_check_says_what_was_checked() -> None:
    result = run("recipe", "check", FULL, SMOKE)
    assert result.exit_code == 0, result.output
    assert result.stdout == f"{FULL}: no problems (full, pocket)\n{SMOKE}: no problems (full)\n"


def test_check_one_profile() -> None:
    result = run("recipe", "check", FULL, "--profile", "pocket")
    assert result.exit_code == 0
    assert result.stdout == f"{FULL}: no problems (pocket)\n"


def test_check_shows_all_problems_in_columns(bad: str) -> None:
    result = run("recipe", "check", bad)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == (
        "bad.yaml has 2 problems\n"
        "  bad.yaml:15:26  adapters.sst2.method  unknown key `rnk`; did you mean `rank`?\n"
        "  bad.yaml:40:13  report.baseline       no system is called `bse`; did you mean `base`?\n"
        "See `adaptstilts recipe explain adapters.method`.\n"
    )


def test_check_goes_on_with_the_next_file(bad: str) -> None:
    result = run("recipe", "check", bad, SMOKE)
    assert result.exit_code == 2
    assert f"{SMOKE}: no problems" in result.stdout


def test_check_takes_overrides() -> None:
    assert run("recipe", "check", FULL, "adapters.sst2.method.rank=16").exit_code == 0
    result = run("recipe", "check", FULL, "adapters.sst2.method.rnk=16")
    assert result.exit_code == 2
    assert "did you mean `rank`? (from the override" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.yaml"], "no such file"),
        ([FULL, "--profile", "pokcet"], "did you mean `pocket`?"),
        (["name=x"], "Give at least one recipe file"),
        ([], "Missing argument"),
    ],
)
def test_check_refuses(arguments: list[str], message: str) -> None:
    result = run("recipe", "check", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_explain_a_key() -> None:
    result = run("recipe", "explain", "adapters.method.rank")
    assert result.exit_code == 0
    for part in ["adapters.method.rank", "whole number", "default 8", "at most 1024", "Rank of"]:
        assert part in result.output


def test_explain_everything() -> None:
    result = run("recipe", "explain")
    assert result.exit_code == 0
    assert "adapters.training.tokens_per_batch" in result.output


def test_explain_suggests_a_key() -> None:
    result = run("recipe", "explain", "adapters.method.rnk")
    assert result.exit_code == 2
    assert "did you mean `adapters.method.rank`?" in result.stderr


def test_schema_is_a_json_schema() -> None:
    result = run("recipe", "schema")
    assert result.exit_code == 0
    jsonschema.Draft202012Validator.check_schema(json.loads(result.stdout))


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (DataError("no [table] there"), 2, "Error: no [table] there\n"),
        (TrainingError("the loss is not a number"), 1, "Error: the loss is not a number\n"),
        (KeyboardInterrupt(), 130, "\nInterrupted.\n"),
    ],
)
def test_errors_end_with_a_message_and_their_exit_code(
    monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, message: str
) -> None:
    @click.command("recipe")
    def fail() -> None:
        raise error

    monkeypatch.setattr(recipe_module, "command", fail)
    result = run("recipe")
    assert result.exit_code == code
    assert result.stderr == message


def test_an_unexpected_error_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command("recipe")
    def fail() -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(recipe_module, "command", fail)
    assert isinstance(run("recipe").exception, ZeroDivisionError)
