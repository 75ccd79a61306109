"""LoRA (Hu et al. 2021) on named linear layers of an XLM-R encoder."""

from __future__ import annotations

import re
from collections.abc import Sequence

from peft import LoraConfig

# Full paths, since a bare `dense` would also hit a pooler and the heads.
TARGETS = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "attention_output": "attention.output.dense",
    "intermediate": "intermediate.dense",
    "output": "output.dense",
}


def target_pattern(targets: Sequence[str], layers: Sequence[int] | None = None) -> str:
    """A pattern over full module paths; it matches on a bare encoder and inside a larger model.

    Args:
        targets: Names from `TARGETS`.
        layers: The encoder's layers that are meant, counted from 1 as in `hidden_states`; None
            means all. PEFT's own `layers_to_transform` is refused beside a pattern.
    """
    paths = "|".join(re.escape(TARGETS[target]) for target in targets)
    numbers = r"\d+"
    if layers is not None:
        # The modules are counted from 0.
        numbers = f"(?:{'|'.join(str(layer - 1) for layer in sorted(layers))})"
    return rf"(?:.*\.)?encoder\.layer\.{numbers}\.(?:{paths})"


def lora_config(
    *,
    rank: int,
    alpha: float,
    dropout: float,
    targets: Sequence[str],
    layers: Sequence[int] | None = None,
) -> LoraConfig:
    """PEFT's configuration of a LoRA adapter.

    Args:
        rank: Width of the low-rank update.
        alpha: The update is scaled by alpha / rank.
        dropout: Dropout on the update's input while it is trained.
        targets: Names from `TARGETS`.
        layers: The encoder's layers that get an update, counted from 1; None means all.
    """
    return LoraConfig(
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=target_pattern(targets, layers),
        bias="none",
    )
