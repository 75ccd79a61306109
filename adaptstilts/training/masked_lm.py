"""Learning to fill gaps in English text: masked language modelling with the base's own head.

A control: the same text, the same number of steps, but nothing of the task. Source: Devlin et al.
2019 (arXiv 1810.04805, section 3.1) for what is masked; the head is the base's, and frozen.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from adaptstilts.base.load import Base
from adaptstilts.base.vocabulary import used_pieces
from adaptstilts.data.batches import length_sorted
from adaptstilts.head.masked_lm import MaskedLMHead
from adaptstilts.training.objective import DevScore, Part, last_states

# Devlin et al. 2019, section 3.1 and appendix A.1.
MASKED_SHARE = 0.15
MASK_SHARE, OTHER_SHARE = 0.8, 0.1


@dataclass(frozen=True)
class Masked:
    """Texts with gaps.

    Attributes:
        token_ids: The texts as the encoder sees them.
        places: Text and position of each piece that is to be found.
        pieces: What stood there.
    """

    token_ids: list[list[int]]
    places: list[tuple[int, int]]
    pieces: list[int]


@dataclass(frozen=True)
class MaskedLM:
    """The masked-LM objective; made by `masked_lm`.

    Attributes:
        base: The base with the adapter attached.
        train: Piece ids of the texts that are trained on.
        dev: Those of the texts that choose the checkpoint.
        mask_id: The piece `<mask>`.
        special_ids: Pieces that are never masked.
        others: Pieces that may be put in another's place.
        place: Where each piece that is told apart stands in `words` and `bias`.
        words: The embeddings of these pieces, float32, shape [pieces, width].
        bias: Their part of the decoder's bias, shape [pieces].
        decoder: The base's masked-LM head.
        head: Nothing: no output layer is trained.
    """

    base: Base
    train: Sequence[Sequence[int]]
    dev: Sequence[Sequence[int]]
    mask_id: int
    special_ids: frozenset[int]
    others: Sequence[int]
    place: Mapping[int, int]
    words: Tensor
    bias: Tensor
    decoder: MaskedLMHead
    head: nn.Module = field(default_factory=nn.Module)
    dev_metric: ClassVar[str] = "masked_accuracy"

    @property
    def lengths(self) -> list[int]:
        """Tokens of each training text."""
        return [len(ids) for ids in self.train]

    @property
    def dev_lengths(self) -> list[int]:
        """Tokens of each dev text."""
        return [len(ids) for ids in self.dev]

    def parts(self, batches: Sequence[Sequence[int]], *, draw: str) -> list[Part]:
        """The batches of a step with their gaps; the loss is a sum over the gaps."""
        dice = random.Random(f"masks/{draw}")
        parts = []
        for batch in batches:
            masked = self._masked([self.train[index] for index in batch], dice)
            tokens = sum(map(len, masked.token_ids))
            parts.append(Part(len(masked.pieces), tokens, partial(self._loss, masked)))
        return parts

    def evaluate(self, *, tokens_per_batch: int) -> DevScore:
        """The share of the dev texts' gaps that are filled rightly; always the same gaps."""
        dice = random.Random("masks/dev")
        right, count, loss = 0, 0, 0.0
        with torch.no_grad():
            for batch in length_sorted(self.dev_lengths, tokens_per_batch=tokens_per_batch):
                masked = self._masked([self.dev[index] for index in batch], dice)
                if not masked.pieces:
                    continue
                scores, targets = self._scores(masked), self._targets(masked)
                right += int((scores.argmax(dim=1) == targets).sum())
                loss += float(functional.cross_entropy(scores, targets, reduction="sum"))
                count += len(masked.pieces)
        return DevScore(right / max(1, count), count, loss / max(1, count), None)

    def _masked(self, token_ids: Sequence[Sequence[int]], dice: random.Random) -> Masked:
        return mask_pieces(
            token_ids,
            dice,
            mask_id=self.mask_id,
            special_ids=self.special_ids,
            others=self.others,
        )

    def _loss(self, masked: Masked) -> Tensor:
        """Cross-entropy summed over the gaps, in nats; 0 without one."""
        return functional.cross_entropy(
            self._scores(masked), self._targets(masked), reduction="sum"
        )

    def _targets(self, masked: Masked) -> Tensor:
        """Where among the scored pieces each gap's own one is, shape [gaps]."""
        found = [self.place[piece] for piece in masked.pieces]
        return torch.as_tensor(found, dtype=torch.long, device=self.base.device)

    def _scores(self, masked: Masked) -> Tensor:
        """Scores of all pieces for each gap, shape [gaps, pieces]."""
        states, _ = last_states(self.base, masked.token_ids)
        places = torch.as_tensor(masked.places, dtype=torch.long, device=states.device)
        texts, positions = places.reshape(-1, 2).unbind(dim=1)
        scores: Tensor = self.decoder(states[texts, positions], self.words, self.bias)
        return scores


def masked_lm(
    base: Base,
    decoder: MaskedLMHead,
    *,
    train: Sequence[Sequence[int]],
    dev: Sequence[Sequence[int]],
    mask_id: int,
    special_ids: Sequence[int],
) -> MaskedLM:
    """The masked-LM objective over the pieces that its own texts use.

    The softmax is over the pieces of `train` and `dev` and the special ones (`<mask>` too), with
    the decoder's rows and bias cut alike: a piece that no text has is never an answer. It depends
    on these texts alone, not on what else a trimmed base keeps, so that the result is the same
    whatever else a run does. Losses and accuracies are therefore not those of the whole
    vocabulary: the choice is a little easier.

    Args:
        base: The base with the adapter attached.
        decoder: Its masked-LM head, for the whole vocabulary.
        train: Piece ids of the texts that are trained on.
        dev: Those of the texts that choose the checkpoint.
        mask_id: The tokenizer's `<mask>`.
        special_ids: All of the tokenizer's special pieces.
    """
    special = frozenset({*special_ids, mask_id})
    pieces = used_pieces([*train, *dev], special)
    kept = torch.as_tensor(pieces, dtype=torch.long)
    rows = kept if base.rows is None else base.rows[kept]
    table = base.model.get_input_embeddings().weight.detach()
    return MaskedLM(
        base=base,
        train=train,
        dev=dev,
        mask_id=mask_id,
        special_ids=special,
        others=[piece for piece in pieces if piece not in special],
        place={piece: index for index, piece in enumerate(pieces)},
        words=table[rows.to(table.device)].to(torch.float32),
        bias=decoder.bias.detach()[kept.to(decoder.bias.device)],
        decoder=decoder,
    )


def mask_pieces(
    token_ids: Sequence[Sequence[int]],
    dice: random.Random,
    *,
    mask_id: int,
    special_ids: frozenset[int],
    others: Sequence[int],
) -> Masked:
    """Takes 15 % of each text's pieces, at least one, to be found.

    Of these 80 % become `<mask>`, 10 % another piece, and 10 % stay as they are.

    Source: Devlin et al. 2019, section 3.1; that every text has at least one is from BERT's
        `create_pretraining_data.py` (`max(1, round(…))`), and matters for texts of three words.

    Args:
        token_ids: Piece ids of each text.
        dice: What decides.
        mask_id: The piece `<mask>`.
        special_ids: Pieces that are left alone.
        others: Pieces that may stand in another's place.
    """
    shown, places, pieces = [list(ids) for ids in token_ids], [], []
    for text, ids in enumerate(token_ids):
        free = [place for place, piece in enumerate(ids) if piece not in special_ids]
        chosen = min(len(free), max(1, round(MASKED_SHARE * len(free))))
        for place in sorted(dice.sample(free, chosen)):
            places.append((text, place))
            pieces.append(ids[place])
            side = dice.random()
            if side < MASK_SHARE:
                shown[text][place] = mask_id
            elif side < MASK_SHARE + OTHER_SHARE:
                shown[text][place] = dice.choice(others)
    return Masked(shown, places, pieces)
