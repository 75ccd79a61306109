"""Work folders that several tests read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pocket_work import FOREIGN, SETTINGS, WORDS, inputs, write

from pocket.embeddings import fit
from pocket.pairs import Examples
from pocket.train import train


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with a tokenizer and 60 sentence pairs."""
    folder = tmp_path_factory.mktemp("pocket")
    rng = np.random.default_rng(0)
    examples = Examples()
    for _ in range(60):
        chosen = rng.integers(len(WORDS), size=int(rng.integers(3, 9)))
        english = " ".join(WORDS[i] for i in chosen)
        examples.add("de", "wesnoth", " ".join(FOREIGN[i % len(FOREIGN)] for i in chosen), english)
    write(examples, folder)
    return folder


@pytest.fixture(scope="module")
def trained(work: Path) -> Path:
    """The work folder after a training of four steps."""
    tokens, anchors, pieces = inputs(work)
    start = fit(tokens, anchors, pieces, steps=2, batch_size=16)
    assert start.shape == pieces.shape
    assert bool(start.isfinite().all())
    assert train(work, tokens, anchors, start, SETTINGS, hidden=128).step == 4
    return work
