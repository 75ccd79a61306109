"""The state between two steps of a training, as tensors and numbers that can be stored."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

if TYPE_CHECKING:
    from adaptstilts.training.loop import Parts

MOMENTS = ("exp_avg", "exp_avg_sq", "step")


@dataclass(frozen=True)
class State:
    """Where a training stands.

    Attributes:
        step: Optimizer steps that are done.
        losses: Training losses since the last evaluation.
        tensors: Master weights and AdamW's moments. Dropout needs no state: each step's is decided
            by the seed and the step's number.
    """

    step: int
    losses: list[float]
    tensors: dict[str, Tensor]


def capture(parts: Parts, *, step: int, losses: list[float]) -> State:
    """Copies a training's moving parts out."""
    tensors = {f"weight/{name}": weight.detach() for name, weight in parts.masters.items()}
    for name, weight in parts.masters.items():
        moments = parts.optimizer.state.get(weight, {})
        tensors |= {f"{moment}/{name}": moments[moment] for moment in MOMENTS if moments}
    return State(step, list(losses), {name: t.to("cpu", copy=True) for name, t in tensors.items()})


def restore(parts: Parts, state: State) -> tuple[int, list[float]]:
    """Sets a training's moving parts; returns the steps done and the losses since then."""
    tensors = state.tensors
    for name, weight in parts.masters.items():
        weight.copy_(tensors[f"weight/{name}"])
        if f"step/{name}" in tensors:
            moved = {m: tensors[f"{m}/{name}"].clone() for m in MOMENTS}
            parts.optimizer.state[weight] = {
                m: value if m == "step" else value.to(weight.device) for m, value in moved.items()
            }
    parts.publish()
    return state.step, list(state.losses)


def save(state: State, path: Path) -> None:
    """Writes a state to one safetensors file."""
    values = json.dumps({"step": state.step, "losses": state.losses})
    save_file(state.tensors, path, metadata={"state": values})


def load(path: Path) -> State:
    """Reads what `save` wrote; losses come back bit-equal."""
    with safe_open(path, framework="pt") as file:
        values = json.loads(file.metadata()["state"])
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    return State(values["step"], values["losses"], tensors)
