"""The classification head of RoBERTa, over `<s>` or over the mean of all tokens."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from adaptstilts.base.hidden_states import mean_pool


class ClassificationHead(nn.Module):
    """Dense layer, tanh, dropout, projection to the labels; in 32-bit floats.

    Source: transformers `RobertaClassificationHead`, to which `pooling="first"` is equal.
    """

    def __init__(
        self, *, width: int, labels: int, pooling: Literal["first", "mean"], dropout: float
    ) -> None:
        super().__init__()
        self.pooling = pooling
        self.dense = nn.Linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.out_proj = nn.Linear(width, labels)

    def forward(self, states: Tensor, mask: Tensor) -> Tensor:
        """Scores of the labels.

        Args:
            states: The encoder's last layer, shape [batch, length, width].
            mask: Attention mask, shape [batch, length].

        Returns:
            float32, shape [batch, labels].
        """
        pooled = mean_pool(states, mask) if self.pooling == "mean" else states[:, 0].float()
        hidden = torch.tanh(self.dense(self.dropout(pooled)))
        scores: Tensor = self.out_proj(self.dropout(hidden))
        return scores


def new_head(
    *, width: int, labels: int, pooling: Literal["first", "mean"], dropout: float, seed: int
) -> ClassificationHead:
    """A fresh head whose initial weights depend on `seed` alone (normal, std 0.02, as XLM-R's)."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = ClassificationHead(width=width, labels=labels, pooling=pooling, dropout=dropout)
        for linear in (head.dense, head.out_proj):
            nn.init.normal_(linear.weight, std=0.02)
            nn.init.zeros_(linear.bias)
    return head
