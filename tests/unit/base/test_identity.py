"""What a recipe's `base` means, found without loading it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from builders import tiny_encoder

from adaptstilts.base.identity import identify, pocket_folder
from adaptstilts.base.shape import KNOWN_SHAPES, XLM_R_BASE, XLM_R_LARGE, read_shape
from adaptstilts.errors import DataError

COMMIT = "c23d21b0620b635a76227c604d44e43a9f0ee389"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tiny_encoder().save_pretrained(tmp_path / "encoder")
    shutil.copy(pocket_folder() / "tokenizer.json", tmp_path / "encoder")
    return tmp_path / "encoder"


def test_pocket_is_in_the_package() -> None:
    found = identify("pocket", None)
    assert found.folder == pocket_folder()
    assert found.shape is not None
    assert found.shape.layers == 6
    assert found.shape.width == 256


def test_a_folder_is_known_by_its_bytes(folder: Path, tmp_path: Path) -> None:
    found = identify(str(folder), None)
    assert found.shape is not None
    assert (found.shape.layers, found.shape.pieces) == (3, 300)
    copy = shutil.copytree(folder, tmp_path / "copy")
    assert identify(str(copy), None).key == found.key
    (copy / "tokenizer.json").write_text("{}", encoding="utf-8")
    assert identify(str(copy), None).key != found.key
    (copy / "README.md").write_text("other files do not count", encoding="utf-8")


def test_files_that_decide_nothing_do_not_count(folder: Path) -> None:
    before = identify(str(folder), None).key
    (folder / "README.md").write_text("words", encoding="utf-8")
    assert identify(str(folder), None).key == before


@pytest.mark.parametrize("lacking", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_without_an_encoder_is_refused(folder: Path, lacking: str) -> None:
    (folder / lacking).unlink()
    with pytest.raises(DataError, match=r"holds no encoder; it needs config\.json"):
        identify(str(folder), None)


@pytest.mark.parametrize("revision", [None, "main", "v1.0", COMMIT[:12], COMMIT.upper()])
def test_a_hub_base_needs_its_commit(revision: str | None) -> None:
    with pytest.raises(DataError, match="must pin its commit"):
        identify("FacebookAI/xlm-roberta-large", revision)


def test_the_error_says_that_there_is_no_such_folder() -> None:
    with pytest.raises(DataError, match=r"there is none at .*no/such/folder"):
        identify("no/such/folder", None)


def test_a_hub_base_is_repository_and_commit() -> None:
    found = identify("FacebookAI/xlm-roberta-large", COMMIT)
    assert found.folder is None
    assert found.key == f"FacebookAI/xlm-roberta-large@{COMMIT}"
    assert found.shape == XLM_R_LARGE
    assert identify("someone/else", COMMIT).shape is None


def test_known_shapes_have_the_published_numbers_of_parameters() -> None:
    # XLM-R Large is published with 560 M parameters, Base with 278 M, pooler included.
    assert XLM_R_LARGE.parameters == 558_840_832
    assert XLM_R_BASE.parameters == 277_453_056
    assert XLM_R_LARGE.parameters + 1024 * 1024 + 1024 == 559_890_432
    assert set(KNOWN_SHAPES.values()) == {XLM_R_LARGE, XLM_R_BASE}


def test_shape_counts_what_the_model_has(folder: Path) -> None:
    model = tiny_encoder()
    shape = read_shape(folder / "config.json")
    assert shape.parameters == sum(p.numel() for p in model.parameters())
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert shape.positions == config["max_position_embeddings"]
