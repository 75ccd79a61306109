"""The model, what it learns from a batch, and the schedule."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import XLMRobertaConfig, XLMRobertaModel

PAD = 1
FIRST_PIECE = 4
"""The first id that is no special token."""

ALIGNED_LAYER = 4
"""The layer whose mean-pooled states are to be the anchors' vectors."""

MASK_SHARE = 0.2
MASKED_TEXTS = 1 / 8
"""How many tokens of a masked text are to be predicted, and how many texts are masked."""

INVERSE_TEMPERATURE = 16.0
COSINE_WEIGHT = 5.0
MASKED_LM_WEIGHT = 0.5

BALLAST = 1.5
"""The length that every word embedding starts with, in median lengths of a piece vector."""

POSITION_ANGLES = 2.0 * 0.6 ** torch.arange(8)
"""By how much the position's sines and cosines turn from one token to the next."""

POSITION_LENGTH = 0.1
SET_APART = 2 * len(POSITION_ANGLES) + 2
"""The last coordinates, which hold the position and the ballast."""

NEIGHBOURS = (-1, 1)
"""Where the first heads of the aligned layers look at the start, in tokens."""

SHARPNESS = 2.8

UPPER_RATE = 0.4
WORDS_RATE = 0.2
"""Shares of the learning rate: of the layers above the aligned one, and of the word embeddings."""


def configuration(vocabulary: int, hidden: int = 256) -> XLMRobertaConfig:
    """The encoder's shape: XLM-R's, made small."""
    return XLMRobertaConfig(
        vocab_size=vocabulary,
        hidden_size=hidden,
        num_hidden_layers=6,
        num_attention_heads=4,
        intermediate_size=2 * hidden,
        max_position_embeddings=130,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=PAD,
        bos_token_id=0,
        eos_token_id=2,
        # The mask that `aligned` makes is of the form that this one takes.
        attn_implementation="sdpa",
    )


class LanguageModelHead(nn.Module):
    """XLM-R's masked-LM head, with its module names; the word embeddings are its decoder."""

    def __init__(self, config: XLMRobertaConfig) -> None:
        """Builds the head for an encoder's shape."""
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        nn.init.normal_(self.dense.weight, std=config.hidden_size**-0.5)
        nn.init.zeros_(self.dense.bias)
        self.layer_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, hidden: Tensor, words: Tensor) -> Tensor:
        """Logits [..., pieces] of hidden states [..., hidden], words [pieces, hidden]."""
        changed: Tensor = self.layer_norm(functional.gelu(self.dense(hidden)))
        return changed @ words.T + self.bias


class Student(nn.Module):
    """The encoder with XLM-R's masked-LM head (tied to the word embeddings)."""

    def __init__(self, config: XLMRobertaConfig, embeddings: Tensor | None = None) -> None:
        """Builds the model.

        Args:
            config: The encoder's shape.
            embeddings: Piece vectors whose sum over a text is a good vector of it. All layers then
                start almost at the identity, and the aligned one's mean is that sum.
        """
        super().__init__()
        self.encoder = XLMRobertaModel(config, add_pooling_layer=False)
        self.head = LanguageModelHead(config)
        self.start_layers()
        if embeddings is not None:
            self.start_words(embeddings)

    @torch.no_grad()
    def start_words(self, embeddings: Tensor) -> None:
        """Starts the word embeddings so that the mean of the aligned layer is a bag of words.

        The layer norm would give every piece the same length, and a piece's length says how much
        it matters. So two coordinates hold ballast that brings all to a common length, which the
        norm then divides by; they cancel out in its mean, the layers start blind to them, and the
        aligned layer's norm takes them off again, with those that hold the position.
        """
        inner = self.encoder.embeddings
        words, positions = inner.word_embeddings.weight, inner.position_embeddings.weight
        words.copy_(embeddings)
        words[:, -SET_APART:] = 0.0
        ballast = (BALLAST**2 - words.square().sum(1)).clamp(min=0.0).div(2).sqrt()
        words[:, -2], words[:, -1] = ballast, -ballast
        inner.token_type_embeddings.weight.zero_()
        angles = torch.arange(len(positions))[:, None] * POSITION_ANGLES
        positions.zero_()
        positions[:, -SET_APART:-2] = POSITION_LENGTH * torch.cat([angles.sin(), angles.cos()], 1)
        for layer in self.encoder.encoder.layer[:ALIGNED_LAYER]:
            attention = layer.attention.self
            size = attention.attention_head_size
            for head, offset in enumerate(NEIGHBOURS):
                rows = slice(head * size, (head + 1) * size)
                look_at(attention.query.weight[rows], attention.key.weight[rows], offset)
            for reading in (
                attention.query,
                attention.key,
                attention.value,
                layer.intermediate.dense,
            ):
                reading.weight[:, -2:] = 0.0
        layer.output.LayerNorm.weight[-SET_APART:] = 0.0

    @torch.no_grad()
    def start_layers(self) -> None:
        """Starts the layers almost at the identity.

        Those above the aligned one learn from the masked LM alone, and slower than the rest: at
        the full rate they fall, within a few hundred steps, into a unigram model that no token's
        context changes.
        """
        for layer in self.encoder.encoder.layer:
            for output in (layer.attention.output, layer.output):
                output.dense.weight.normal_(0.0, 0.005)

    @torch.no_grad()
    def set_frequencies(self, shares: Tensor) -> None:
        """Starts the masked LM's bias at the logs of the pieces' shares among what is masked."""
        self.head.bias.copy_((shares + 1e-7).log())

    def aligned(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        """Runs the layers up to the aligned one.

        Returns:
            `hidden_states[ALIGNED_LAYER]` [batch, length, hidden] and the attention mask for the
            layers above it.
        """
        mask = ids.ne(PAD)
        wide = mask[:, None, None, :].expand(-1, 1, ids.shape[1], -1)
        hidden = self.encoder.embeddings(input_ids=ids)
        for layer in self.encoder.encoder.layer[:ALIGNED_LAYER]:
            hidden = _first(layer(hidden, wide))
        return hidden, wide

    def top(self, hidden: Tensor, wide: Tensor) -> Tensor:
        """Runs the layers above the aligned one."""
        for layer in self.encoder.encoder.layer[ALIGNED_LAYER:]:
            hidden = _first(layer(hidden, wide))
        return hidden


@torch.no_grad()
def look_at(query: Tensor, key: Tensor, offset: int) -> None:
    """Starts an attention head so that it looks at the token some places on.

    By cos(a)cos(b) + sin(a)sin(b) = cos(a - b), the product of query and key is highest where the
    key's position is the query's plus the offset.

    Args:
        query: The head's rows of the query's weight [head size, hidden], written in place.
        key: The same of the key's weight.
        offset: In tokens.
    """
    count = len(POSITION_ANGLES)
    rows = torch.arange(count)
    sines = query.shape[1] - SET_APART + rows
    cosines = sines + count
    turn = POSITION_ANGLES * offset
    query.zero_()
    key.zero_()
    query[rows, sines] = query[rows + count, cosines] = SHARPNESS * turn.cos()
    query[rows, cosines] = SHARPNESS * turn.sin()
    query[rows + count, sines] = -SHARPNESS * turn.sin()
    key[rows, sines] = key[rows + count, cosines] = SHARPNESS


def _first(output: Tensor | tuple[Tensor, ...]) -> Tensor:
    return output[0] if isinstance(output, tuple) else output


def mean_pooled(hidden: Tensor, mask: Tensor) -> Tensor:
    """The mean over the unmasked positions, `<s>` and `</s>` included."""
    weight = mask.to(hidden.dtype).unsqueeze(-1)
    return (hidden * weight).sum(1) / weight.sum(1)


def corrupt(
    ids: Tensor, rows: int, vocabulary: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Masks tokens of the first `rows` texts as BERT does: 80 % mask, 10 % random, 10 % as it was.

    Returns:
        The corrupted ids, and which positions [rows, length] are to be predicted.
    """
    head = ids[:rows]
    chosen = torch.rand(head.shape, generator=generator) < MASK_SHARE
    chosen &= head.ge(FIRST_PIECE)
    dice = torch.rand(head.shape, generator=generator)
    random = torch.randint(FIRST_PIECE, vocabulary - 1, head.shape, generator=generator)
    changed = torch.where(chosen & (dice < 0.8), torch.full_like(head, vocabulary - 1), head)
    changed = torch.where(chosen & (dice >= 0.8) & (dice < 0.9), random, changed)
    return torch.cat([changed, ids[rows:]]), chosen


@dataclass(frozen=True)
class Losses:
    """What one batch gives: the sum to minimise, and its parts."""

    total: Tensor
    contrastive: Tensor
    cosine: Tensor
    masked_lm: Tensor


def alignment_losses(
    pooled: Tensor,
    which: Tensor,
    anchors: Tensor,
    others: Tensor,
) -> tuple[Tensor, Tensor]:
    """Contrastive and cosine loss of unit vectors against their anchors' vectors.

    Args:
        pooled: Unit vectors [batch, hidden].
        which: Each text's anchor.
        anchors: All anchors' vectors.
        others: Further anchors, the negatives beside the batch's own.

    Returns:
        The two losses.
    """
    goal = anchors[which].float()
    candidates = torch.cat([goal, anchors[others].float()])
    same = which[:, None] == torch.cat([which, others])[None, :]
    same[:, : len(which)].fill_diagonal_(False)
    logits = pooled @ candidates.T * INVERSE_TEMPERATURE
    truth = torch.arange(len(which), device=which.device)
    contrastive = functional.cross_entropy(logits.masked_fill(same, -1e4), truth)
    return contrastive, (1 - (pooled * goal).sum(1)).mean()


def losses(
    student: Student,
    ids: Tensor,
    which: Tensor,
    anchors: Tensor,
    others: Tensor,
    generator: torch.Generator,
) -> Losses:
    """The objective on one batch.

    Contrastive (each text's mean-pooled aligned layer against its anchor's vector, among the
    batch's anchors and a random bank of others) + 5 × (1 − cosine) + 0.5 × masked LM, which is
    run on a share of the texts only and teaches the layers above the aligned one, not those below.

    Args:
        student: The model.
        ids: The batch [batch, length], on the CPU, where the masks are drawn.
        which: Each text's anchor.
        anchors: All anchors' vectors.
        others: Further anchors that serve as negatives.
        generator: Decides the masks.

    Returns:
        The losses.
    """
    words = student.encoder.embeddings.word_embeddings.weight
    rows = max(1, int(len(ids) * MASKED_TEXTS))
    corrupted, chosen = corrupt(ids, rows, len(words), generator)
    ids, corrupted, chosen = (value.to(words.device) for value in (ids, corrupted, chosen))
    hidden, wide = student.aligned(corrupted)
    pooled = functional.normalize(mean_pooled(hidden.float(), ids.ne(PAD)), dim=1)
    with torch.autocast(words.device.type, enabled=False):
        contrastive, cosine = alignment_losses(pooled, which, anchors, others)
    predicted = student.top(hidden[:rows].detach(), wide[:rows])[chosen]
    if len(predicted):
        masked = functional.cross_entropy(student.head(predicted, words), ids[:rows][chosen])
    else:
        masked = hidden.sum() * 0.0
    total = contrastive + COSINE_WEIGHT * cosine + MASKED_LM_WEIGHT * masked
    return Losses(total, contrastive, cosine, masked)


def optimizer_for(student: Student, peak: float) -> torch.optim.AdamW:
    """AdamW; no decay on vectors, a lower rate on the word embeddings and above the aligned layer.

    Each group's `share` is its part of the learning rate.
    """
    words = [student.encoder.embeddings.word_embeddings.weight]
    upper = [*student.encoder.encoder.layer[ALIGNED_LAYER:].parameters()]
    apart = {id(value) for value in [*words, *upper]}
    rest = [value for value in student.parameters() if id(value) not in apart]
    groups = [{"params": words, "weight_decay": 0.0, "share": WORDS_RATE}]
    for values, share in ((rest, 1.0), (upper, UPPER_RATE)):
        for decay, matrices in ((0.01, True), (0.0, False)):
            chosen = [value for value in values if (value.ndim > 1) is matrices]
            groups.append({"params": chosen, "weight_decay": decay, "share": share})
    is_fused = words[0].is_cuda
    return torch.optim.AdamW(groups, lr=peak, betas=(0.9, 0.98), eps=1e-8, fused=is_fused)
