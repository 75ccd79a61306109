"""Profile, device and precision are chosen by what the machine has, and the reason is told."""

from __future__ import annotations

import os
import socket
import subprocess
import sys

import pytest

from adaptstilts.experiment import machine
from adaptstilts.experiment.machine import choose_compute, choose_device, choose_profile
from adaptstilts.record.run import GpuRecord, HardwareRecord


@pytest.fixture(autouse=True)
def torch_that_can_use_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "version", lambda _: "2.13.0")


def a_machine(capability: str | None = None) -> HardwareRecord:
    gpu = None
    if capability is not None:
        gpu = GpuRecord(name="Test GPU", memory_bytes=2**34, compute_capability=capability)
    return HardwareRecord(
        cpu="test", cores=2, memory_bytes=2**33, gpu=gpu, python="3.11", platform="test"
    )


def choose(hardware: HardwareRecord, **changes: object) -> machine.Choice:
    values = {
        "offered": ["pocket"],
        "base": "some/encoder",
        "revision": "0" * 40,
        "has_mirror": True,
        "hardware": hardware,
    }
    return choose_profile(**{**values, **changes})


def test_without_a_gpu_the_pocket_profile_is_taken() -> None:
    choice = choose(a_machine())
    assert (choice.profile, choice.layer) == ("pocket", "pocket")
    assert "no CUDA GPU" in choice.reason


def test_a_recipe_on_the_pocket_base_is_pocket_even_with_a_gpu() -> None:
    choice = choose(a_machine("9.0"), base="pocket", offered=[])
    assert (choice.profile, choice.layer) == ("pocket", None)


def test_with_a_gpu_and_an_offline_hub_the_pocket_profile_is_taken_and_says_why() -> None:
    choice = choose(a_machine("9.0"))
    assert choice.profile == "pocket"
    assert "not cached" in choice.reason
    assert "hub does not answer" in choice.reason


def test_with_a_gpu_a_local_base_and_a_mirror_the_full_profile_is_taken(tmp_path) -> None:
    choice = choose(a_machine("9.0"), base=str(tmp_path))
    assert (choice.profile, choice.layer) == ("full", None)
    assert "Test GPU" in choice.reason


def test_a_local_base_without_a_mirror_needs_the_hub_for_data(tmp_path) -> None:
    choice = choose(a_machine("9.0"), base=str(tmp_path), has_mirror=False)
    assert choice.profile == "pocket"
    assert "no mirror" in choice.reason


def test_a_recipe_without_a_pocket_profile_stays_full() -> None:
    assert choose(a_machine(), offered=[]).profile == "full"


def test_the_full_profile_is_planned_for_a_gpu_wherever_it_is_planned() -> None:
    assert choose_device("auto", "full", a_machine()) == "cuda"
    assert choose_compute("auto", "cuda", a_machine()) == "bf16"
    assert choose_device("cpu", "full", a_machine()) == "cpu"
    assert choose_device("auto", "pocket", a_machine()) == "cpu"
    assert choose_device("auto", "full", a_machine("8.6")) == "cuda"


def test_a_gpu_that_torch_cannot_use_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "version", lambda _: "2.13.0+cpu")
    choice = choose(a_machine("9.0"))
    assert choice.profile == "pocket"
    assert "CPU build" in choice.reason
    assert choose_device("auto", "pocket", a_machine("9.0")) == "cpu"


def test_a_hub_that_is_not_there_is_a_no_and_not_a_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    code = (
        "from adaptstilts.experiment.machine import _hub_answers\n"
        "print(_hub_answers('some/encoder', '0' * 40))\n"
    )
    environment = {**os.environ, "HF_ENDPOINT": f"http://127.0.0.1:{port}"}
    environment.pop("HF_HUB_OFFLINE", None)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.returncode) == ("False\n", 0)


@pytest.mark.parametrize(
    ("device", "capability", "compute"),
    [
        ("cpu", None, "fp32"),
        ("cuda", "7.5", "fp32"),
        ("cuda", "8.0", "bf16"),
        ("cuda", "12.0", "bf16"),
        ("cpu", "9.0", "fp32"),
    ],
)
def test_precision_follows_the_device(device: str, capability: str | None, compute: str) -> None:
    assert choose_compute("auto", device, a_machine(capability)) == compute


def test_a_precision_that_was_asked_for_is_kept() -> None:
    assert choose_compute("fp32", "cuda", a_machine("9.0")) == "fp32"
