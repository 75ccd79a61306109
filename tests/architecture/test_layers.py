"""The house's rules: imports go one way, files stay small, no folder is a drawer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = [ROOT / name for name in ("adaptstilts", "tests", "benchmarks", "pocket")]
FILES = sorted(path for folder in FOLDERS for path in folder.rglob("*.py"))
MOST_LINES = 400
DRAWERS = {"utils", "util", "helpers", "helper", "common", "core", "misc"}


def test_imports_go_one_way(tmp_path: Path) -> None:
    pytest.importorskip("importlinter")
    code = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    done = subprocess.run(
        [sys.executable, "-c", code, "--no-cache", "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_files_are_found() -> None:
    assert len(FILES) >= 60


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_file_is_small(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MOST_LINES


def test_no_drawers() -> None:
    names = [path for folder in FOLDERS for path in folder.rglob("*")]
    assert [path for path in names if path.stem in DRAWERS] == []


def test_folder_s_init_is_a_docstring_and_nothing_else() -> None:
    for path in (ROOT / "adaptstilts").glob("*/**/__init__.py"):
        text = path.read_text(encoding="utf-8").strip()
        assert text.startswith('"""'), path
        assert text.endswith('"""'), path
        assert text.count('"""') == 2, path
