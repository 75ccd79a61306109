"""What is imported when: `--help` and the recipe load nothing heavy."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from adaptstilts.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ["torch", "transformers", "peft", "bitsandbytes", "datasets"]
HELP = "import sys; sys.argv = ['adaptstilts', *{arguments}]; from adaptstilts.cli.main import main"
REPORT = """
import sys
{code}
print("loaded:", *sorted(name for name in {watched} if name in sys.modules))
"""


def loaded(code: str, watched: list[str]) -> list[str]:
    """Those of the watched modules that a fresh interpreter has after running `code`."""
    done = subprocess.run(
        [sys.executable, "-c", REPORT.format(code=code, watched=watched)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1].removeprefix("loaded:").split()


def call(*arguments: str) -> str:
    """Code that calls the command line and goes on."""
    return f"{HELP.format(arguments=list(arguments))}\nmain(standalone_mode=False)"


def test_help_loads_nothing_but_click() -> None:
    commands = [f"adaptstilts.cli.{name}" for name in COMMANDS]
    assert loaded(call("--help"), [*HEAVY, "pydantic", "numpy", "rich", *commands]) == []


@pytest.mark.parametrize(
    "module",
    [
        "adaptstilts.recipe.load",
        "adaptstilts.recipe.explain",
        "adaptstilts.metric.bootstrap",
        "adaptstilts.record.scores",
        "adaptstilts.record.provenance",
        "adaptstilts.task.registry",
        "adaptstilts.report.page",
        "adaptstilts.experiment.plan",
    ],
)
def test_light_module_loads_nothing_heavy(module: str) -> None:
    assert loaded(f"import {module}", HEAVY) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_every_listed_command_has_a_module(name: str) -> None:
    assert importlib.util.find_spec(f"adaptstilts.cli.{name}") is not None


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_works_and_loads_nothing_heavy(name: str) -> None:
    assert loaded(call(name, "--help"), HEAVY) == []
