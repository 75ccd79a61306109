"""Sample run folders for the tests of the report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from report_sample import Sample, write_sample


@pytest.fixture
def make_run(tmp_path: Path) -> Callable[..., Path]:
    """Write a sample run folder; keywords change `Sample`."""

    def make(**changes: object) -> Path:
        return write_sample(tmp_path / "run", Sample(**changes))  # type: ignore[arg-type]

    return make
