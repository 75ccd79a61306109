"""What a stage's key holds: every library and table of languages that its code calls on."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import adaptstilts
from adaptstilts.experiment.key import LIBRARIES, ROOMS, stage_key

ROOT = Path(adaptstilts.__file__).parent
# They move, store or check values and make none; faiss and other encoders are in keys of their own.
CARRIERS = {"datasets", "huggingface_hub", "pyarrow", "pydantic", "faiss", "sentence_transformers"}


def imports(rooms: tuple[str, ...]) -> set[str]:
    """The modules that the code of some rooms imports anywhere."""
    found: set[str] = set()
    for room in rooms:
        place = ROOT / room
        for path in [place] if place.suffix == ".py" else place.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    found |= {one.name for one in node.names}
                elif isinstance(node, ast.ImportFrom):
                    found.add(str(node.module))
    return found


@pytest.mark.parametrize("kind", sorted(ROOMS))
def test_every_library_that_makes_values_is_in_the_key(kind: str) -> None:
    tops = {name.partition(".")[0] for name in imports(ROOMS[kind])}
    ours = {"adaptstilts", *sys.stdlib_module_names}
    assert tops - ours - CARRIERS <= set(LIBRARIES)


def test_the_tables_of_languages_that_scoring_reads_are_in_its_key() -> None:
    tables = {
        name.removeprefix("adaptstilts.").replace(".", "/") + ".py"
        for name in imports(ROOMS["score"])
        if name.startswith("adaptstilts.task.") and not name.endswith("declaration")
    }
    assert tables
    assert tables <= set(ROOMS["score"])


@pytest.mark.parametrize("library", ["scipy", "safetensors", "numpy"])
def test_another_version_is_another_key(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = stage_key("score", {})
    monkeypatch.setattr(
        "adaptstilts.experiment.key.versions",
        lambda names: {name: "other" if name == library else "1" for name in names},
    )
    other = stage_key("score", {})
    monkeypatch.setattr(
        "adaptstilts.experiment.key.versions", lambda names: dict.fromkeys(names, "1")
    )
    assert len({before, other, stage_key("score", {})}) == 3
