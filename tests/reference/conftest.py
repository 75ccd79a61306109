"""Sentences encoded once for all tests of conformance."""

from __future__ import annotations

from pathlib import Path

import pytest
from reference_sentences import Sentences, encoded

from adaptstilts.base.identity import POCKET, identify
from adaptstilts.base.load import Base, load_base
from adaptstilts.data.mirror import Mirror
from adaptstilts.data.pocket import Pocket
from adaptstilts.task.languages import LANGUAGE_SETS

BUNDLED_LANGUAGES = ("ar", "de", "es", "fi", "fr", "ja", "ru", "th", "tr", "zh")


@pytest.fixture(scope="session")
def pocket_base() -> Base:
    identity = identify(POCKET, None)
    return load_base(identity, revision=None, quantization="int8", compute="fp32", device="cpu")


@pytest.fixture(scope="session")
def bundled(pocket_base: Base) -> Sentences:
    return encoded(pocket_base, Pocket(), BUNDLED_LANGUAGES)


@pytest.fixture(scope="session")
def real(pocket_base: Base, mirror: Path) -> Sentences:
    """XTREME's 36 languages; the encoder was not taught all of them, its vectors are vectors."""
    return encoded(pocket_base, Mirror(mirror), LANGUAGE_SETS["xtreme36"])
