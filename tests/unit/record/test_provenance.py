from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import pytest

import adaptstilts
from adaptstilts.record import provenance
from adaptstilts.record.run import HardwareRecord


def test_versions_are_those_installed_and_nothing_is_imported() -> None:
    found = provenance.versions(["numpy", "adaptstilts", "no-such-package-at-all"])
    assert found == {
        "numpy": version("numpy"),
        "adaptstilts": adaptstilts.__version__,
        "no-such-package-at-all": "not installed",
    }
    code = (
        "import sys; from adaptstilts.record.provenance import versions; "
        "versions(['torch', 'numpy']); print({'torch', 'numpy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_time_is_utc_to_the_second() -> None:
    said = provenance.utc_now()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", said)
    assert abs((datetime.now(UTC) - datetime.fromisoformat(said)).total_seconds()) < 5


def test_hardware_fits_its_record() -> None:
    found = HardwareRecord.model_validate(provenance.hardware())
    assert found.cores >= 1
    assert found.memory_bytes > 1 << 28
    assert found.python == ".".join(map(str, sys.version_info[:3]))


def test_cpu_model(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor\t: 0\nmodel name\t: Some CPU: fast\nmodel name\t: other\n")
    assert provenance._cpu_model(cpuinfo) == "Some CPU: fast"
    fallback = provenance._cpu_model(tmp_path / "none")
    assert fallback is None or fallback


def a_program(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


@pytest.mark.skipif(os.name != "posix", reason="stands in for nvidia-smi with a shell script")
@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (
            "echo 'NVIDIA RTX 4090, Laptop, 16376, 8.9'; echo 'Second, 100, 7.5'",
            {
                "name": "NVIDIA RTX 4090, Laptop",
                "memory_bytes": 16376 * 1024**2,
                "compute_capability": "8.9",
            },
        ),
        ("echo 'No devices were found'", None),
        ("echo 'GPU, [N/A], 8.9'", None),
        ("echo broken; exit 9", None),
        ("exec sleep 30", None),
    ],
)
def test_gpu_is_what_nvidia_smi_says(tmp_path, monkeypatch, script: str, expected) -> None:
    a_program(tmp_path, "nvidia-smi", script)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(provenance, "_SECONDS", 0.5 if "sleep" in script else 10.0)
    assert provenance._gpu() == expected


def test_without_nvidia_smi_and_git_there_is_nothing(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert provenance._gpu() is None
    assert provenance.git_state(Path(__file__).parent) is None


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_git_state(tmp_path: Path) -> None:
    def git(*words: str) -> str:
        author = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
        command = ["git", "-C", str(tmp_path), *author, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    assert provenance.git_state(tmp_path) is None  # no repository
    git("init", "-q")
    code, installed = tmp_path / "code", tmp_path / "venv"
    code.mkdir()
    installed.mkdir()
    (code / "a.py").write_text("1")
    (installed / "b.py").write_text("1")
    git("add", "code")
    assert provenance.git_state(code) is None  # no commit
    git("commit", "-q", "-m", "one")
    commit = git("rev-parse", "HEAD")
    assert provenance.git_state(code) == {"commit": commit, "is_dirty": False}
    assert provenance.git_state(installed) is None  # in the repository, but not of it
    (code / "a.py").write_text("2")
    assert provenance.git_state(code) == {"commit": commit, "is_dirty": True}
    assert provenance.git_state(tmp_path / "no-such-folder") is None
