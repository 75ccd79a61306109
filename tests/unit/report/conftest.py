"""Sample run folders for the tests of the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from full_sample import Full, write_full
from report_sample import Sample, write_sample

from adaptstilts.report.load import Run, read_run


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Write a sample run folder; keywords change `Sample`."""

    def make(**changes: object) -> Path:
        return write_sample(tmp_path / "run", Sample(**changes))  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def full_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with seeds, controls, a sweep, dynamics, diagnostics and groups; do not change it."""
    return write_full(tmp_path_factory.mktemp("full") / "run")


@pytest.fixture(scope="session")
def full_run(full_folder: Path) -> Run:
    """The same, read."""
    return read_run(full_folder)


@pytest.fixture(scope="session")
def chosen_runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """Small runs whose headline's layer was chosen, by what chose it."""
    folder = tmp_path_factory.mktemp("chosen")
    fulls = {
        "oracle": Full(chosen="oracle", layers=4, headline=2),
        "held_out": Full(chosen="held_out", layers=4, headline=2),
        "leave_languages_out": Full(
            chosen="leave_languages_out", is_split=True, layers=4, headline=2
        ),
    }
    return {name: read_run(write_full(folder / name, full)) for name, full in fulls.items()}
