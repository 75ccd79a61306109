"""Trains the layers above the aligned one, those up to it frozen.

In `pocket.train` the upper layers see only a little masked LM, and end up nearly constant: nothing
that a task could start from. Here they start again from almost the identity and learn, for a few
minutes, to keep the text's meaning (against the anchors, as below) and to tell masked tokens.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import XLMRobertaConfig

from pocket.batches import Tokens, language_shares, padded, stream, tokenize
from pocket.training import ALIGNED_LAYER, PAD, Learner, corrupt, match, mean_pooled, rate


def top_loss(
    learner: Learner,
    word_scale: Tensor,
    ids: Tensor,
    which: Tensor,
    anchors: Tensor,
    generator: torch.Generator,
    bank: int = 8192,
) -> tuple[Tensor, list[float]]:
    """The objective at the top: contrastive + 2 × (1 − cosine) + masked LM on half of the texts.

    Returns:
        The sum, and its three parts.
    """
    rows = (len(ids) + 1) // 2
    corrupted, chosen = corrupt(ids, rows, learner.bias.shape[0], generator)
    with torch.no_grad():
        hidden, wide = learner.aligned(corrupted)
    hidden = learner.top(hidden, wide)
    pooled = functional.normalize(mean_pooled(hidden, ids.ne(PAD)), dim=1)
    contrastive, cosine = match(pooled, which, anchors, learner.log_scale, generator, bank)
    total = contrastive + 2 * cosine
    parts = [contrastive.item(), cosine.item(), 0.0]
    if bool(chosen.any()):
        words = learner.encoder.embeddings.word_embeddings.weight.detach()
        logits = hidden[:rows][chosen] @ words.T * word_scale + learner.bias
        masked = functional.cross_entropy(logits, ids[:rows][chosen])
        total, parts[2] = total + masked, masked.item()
    return total, parts


def train_top(
    state: dict[str, Any],
    tokens: Tokens,
    anchors: Tensor,
    minutes: float,
    peak: float = 1e-3,
    budget: int = 4096,
    seed: int = 1,
    most_steps: int = 0,
) -> dict[str, Any]:
    """Trains the upper layers of a checkpoint.

    Args:
        state: What `pocket.train` saved.
        tokens: The examples.
        anchors: The teacher's vectors of the anchors.
        minutes: How long to train.
        peak: The learning rate's peak.
        budget: Ids in a batch.
        seed: Decides the upper layers' start and the masks.
        most_steps: Steps to take at most; 0 is no limit.

    Returns:
        A checkpoint of the same form, for export and evaluation.
    """
    torch.manual_seed(seed)
    learner = Learner(XLMRobertaConfig(**state["config"]))
    learner.load_state_dict(state["learner"])
    learner.flatten_top()
    counts = np.bincount(tokens.ids, minlength=learner.bias.shape[0])
    learner.set_frequencies(torch.from_numpy(counts))
    learner.requires_grad_(False)
    upper = list(learner.encoder.encoder.layer[ALIGNED_LAYER:].parameters())
    word_scale = nn.Parameter(torch.tensor(0.2))
    learned = [*upper, word_scale, learner.bias]
    for value in learned:
        value.requires_grad_(True)
    optimizer = torch.optim.AdamW(learned, lr=peak, betas=(0.9, 0.98), weight_decay=0.0)
    shares = language_shares(tokens, 0.6, 0.2)
    begin, step = time.monotonic(), 0
    for _, batch in stream(tokens, shares, budget, seed + 1, (0, 0)):
        share = (time.monotonic() - begin) / (60 * minutes)
        if share >= 1 or (most_steps and step >= most_steps):
            break
        for group in optimizer.param_groups:
            group["lr"] = peak * rate(share, 0.1)
        generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
        which = torch.from_numpy(tokens.anchors[batch])
        total, parts = top_loss(
            learner, word_scale, padded(tokens, batch), which, anchors, generator
        )
        optimizer.zero_grad()
        torch.autograd.backward(total)
        torch.nn.utils.clip_grad_norm_(learned, 1.0)
        optimizer.step()
        step += 1
        if step % 25 == 0:
            click.echo(f"top: step {step} of share {share:.2f} {[round(x, 3) for x in parts]}")
    progress = {
        **state["progress"],
        "top_steps": step,
        "top_seconds": time.monotonic() - begin,
    }
    return {"learner": learner.state_dict(), "progress": progress, "config": state["config"]}


@click.command()
@click.option("--work", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--minutes", default=6.0, show_default=True)
@click.option("--longest", default=64, show_default=True, help="Most ids of a text.")
@click.option("--threads", default=2, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(work: Path, minutes: float, longest: int, threads: int, seed: int) -> None:
    """Trains the upper layers of WORK/checkpoint.pt and writes WORK/top.pt."""
    torch.set_num_threads(threads)
    state = torch.load(work / "checkpoint.pt", weights_only=True)
    anchors = torch.from_numpy(np.load(work / "anchors.npy"))
    result = train_top(state, tokenize(work, longest), anchors, minutes, seed=seed)
    torch.save(result, work / "top.pt")
    click.echo(f"top: {result['progress']['top_steps']} steps")


if __name__ == "__main__":
    main()
