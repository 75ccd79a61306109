"""What all tests share: no network, fixed seeds, a cache of their own, the mirror and the GPU."""

from __future__ import annotations

import os
import random
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

NEEDS_MIRROR = "set ADAPTSTILTS_DATA to a mirror"

_cache = pytest.StashKey[tempfile.TemporaryDirectory[str]]()


def pytest_configure(config: pytest.Config) -> None:
    # Before any test module is imported: the hub's client reads its variables at import.
    os.environ["HF_HUB_OFFLINE"] = "1"
    os.environ["HF_DATASETS_OFFLINE"] = "1"
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    config.stash[_cache] = tempfile.TemporaryDirectory(prefix="adaptstilts-tests-")
    os.environ["ADAPTSTILTS_CACHE"] = config.stash[_cache].name


def pytest_unconfigure(config: pytest.Config) -> None:
    if _cache in config.stash:
        config.stash[_cache].cleanup()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    needing = [item for item in items if item.get_closest_marker("gpu")]
    if not needing:
        return
    import torch

    if not torch.cuda.is_available():
        for item in needing:
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = [
        report
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple) and NEEDS_MIRROR in report.longrepr[2]
    ]
    if skipped:
        terminalreporter.write_line(
            f"{len(skipped)} tests skipped for want of a mirror: {NEEDS_MIRROR} to run them"
        )


@pytest.fixture(autouse=True)
def _seeds() -> None:
    random.seed(0)
    np.random.seed(0)  # for libraries that draw from the global generator
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Root of a mirror with the real data."""
    root = os.environ.get("ADAPTSTILTS_DATA")
    if not root:
        pytest.skip(NEEDS_MIRROR)
    return Path(root)
