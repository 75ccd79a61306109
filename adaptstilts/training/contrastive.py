"""Learning without labels: two noisy copies of a sentence attract, other sentences repel.

Unsupervised SimCSE (Gao et al. 2021, arXiv 2104.08821, section 3) on English alone, which mSimCSE
(Wang et al. 2022, arXiv 2211.06127) found to align languages without a parallel sentence. Here it
is a positive control: training on English text that is known to move alignment. As there, the noise
is the encoder's own dropout, so this is the one objective that switches it on, and only for its own
forward passes. The vector is the mean over the last layer's tokens, since that is what is measured;
the papers take the first position.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import XLMRobertaModel
from transformers.models.xlm_roberta.modeling_xlm_roberta import XLMRobertaSelfAttention

from adaptstilts.base.hidden_states import mean_pool
from adaptstilts.base.load import Base
from adaptstilts.data.batches import length_sorted
from adaptstilts.training.objective import DevScore, Part, drawn_from, last_states

# Both from section 3 and appendix A of Gao et al. 2021; 0.1 is also XLM-R's own dropout.
NOISE = 0.1
TEMPERATURE = 0.05


@dataclass(frozen=True)
class Contrastive:
    """The contrastive objective.

    Attributes:
        base: The base with the adapter attached.
        train: Piece ids of the texts that are trained on.
        dev: Those of the texts that choose the checkpoint.
        head: Nothing: the encoder's own vectors are compared.
    """

    base: Base
    train: Sequence[Sequence[int]]
    dev: Sequence[Sequence[int]]
    head: nn.Module = field(default_factory=nn.Module)
    dev_metric: ClassVar[str] = "copy_accuracy"

    @property
    def lengths(self) -> list[int]:
        """Tokens of each training text; each is encoded twice, but counted once."""
        return [len(ids) for ids in self.train]

    @property
    def dev_lengths(self) -> list[int]:
        """Tokens of each dev text."""
        return [len(ids) for ids in self.dev]

    def parts(self, batches: Sequence[Sequence[int]], *, draw: str) -> list[Part]:
        """The batches of a step; a text's negatives are the other texts of its batch."""
        return [
            Part(
                count=len(batch),
                tokens=2 * sum(len(self.train[index]) for index in batch),
                loss=partial(self._loss, [self.train[index] for index in batch]),
            )
            for batch in batches
        ]

    def evaluate(self, *, tokens_per_batch: int) -> DevScore:
        """The share of dev texts whose second noisy copy is the one nearest to the first.

        A copy of another text with the same pieces is as right. The noise is the same at each call.
        """
        first, second = (self._copies(draw, tokens_per_batch) for draw in ("dev/1", "dev/2"))
        nearest = (first @ second.T).argmax(dim=1).tolist()
        right = sum(self.dev[found] == ids for found, ids in zip(nearest, self.dev, strict=True))
        return DevScore(right / len(nearest), len(nearest), None, None)

    def _copies(self, draw: str, tokens_per_batch: int) -> Tensor:
        """One noisy vector of each dev text, of length 1; shape [texts, width]."""
        vectors = torch.empty(len(self.dev), self.base.shape.width)
        batches = length_sorted(self.dev_lengths, tokens_per_batch=tokens_per_batch)
        with torch.no_grad(), drawn_from(self.base.device, draw):
            for batch in batches:
                copies = self._noisy([self.dev[index] for index in batch])
                vectors[torch.as_tensor(batch)] = copies.cpu()
        return vectors

    def _loss(self, token_ids: Sequence[Sequence[int]]) -> Tensor:
        """Cross-entropy of finding each text's own second copy, summed over the texts."""
        first, second = self._noisy(token_ids), self._noisy(token_ids)
        cosines = first @ second.T
        own = torch.arange(len(token_ids), device=cosines.device)
        return functional.cross_entropy(cosines / TEMPERATURE, own, reduction="sum")

    def _noisy(self, token_ids: Sequence[Sequence[int]]) -> Tensor:
        """A vector of length 1 for each text, computed under noise; shape [texts, width]."""
        with encoder_noise(self.base.model, NOISE):
            vectors = mean_pool(*last_states(self.base, token_ids))
        return functional.normalize(vectors, dim=1)


@contextmanager
def encoder_noise(model: XLMRobertaModel, share: float) -> Iterator[None]:
    """Switches on the encoder's own dropout, hidden and attention, while the context lasts.

    An adapter's dropout is left alone. A module's flag is set by itself, since `train()` would
    reach the adapters below it. The attention takes its share and whether it is on from
    `XLMRobertaSelfAttention`, not from a dropout module's forward pass.

    Args:
        model: The encoder.
        share: Share of the values that is dropped.
    """
    dropouts = [
        module
        for path, module in model.named_modules()
        if isinstance(module, nn.Dropout) and "lora_dropout" not in path
    ]
    attentions = [one for one in model.modules() if isinstance(one, XLMRobertaSelfAttention)]
    switched: list[nn.Module] = [*dropouts, *attentions]
    before = [module.training for module in switched]
    shares = [dropout.p for dropout in dropouts]
    try:
        for dropout in dropouts:
            dropout.p = share
        for module in switched:
            module.training = True
        yield
    finally:
        for dropout, own in zip(dropouts, shares, strict=True):
            dropout.p = own
        for module, was_on in zip(switched, before, strict=True):
            module.training = was_on
