"""The word embeddings' start: the teacher's vectors of the pieces, fitted as a bag of words.

A few minutes of a model without layers (the sum of a text's piece vectors against its anchor's
vector, contrastive) teach more of the rare scripts than the teacher's own vectors of pieces hold;
the length that a piece's vector takes says how much the piece matters.
"""

from __future__ import annotations

import time
from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from pocket.batches import Tokens, language_shares, tokenize

SPECIALS = 4


def draw(
    tokens: Tokens, shares: NDArray[np.float64], count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draws `count` examples, languages by their shares."""
    weights = shares / np.maximum(np.bincount(tokens.languages, minlength=len(shares)), 1)
    odds = np.cumsum(weights[tokens.languages])
    found = np.searchsorted(odds, rng.random(count) * odds[-1])
    return np.asarray(found, dtype=np.int64)


def bag_of(tokens: Tokens, batch: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
    """The ids of a batch end to end, without `<s>` and `</s>`, and where each text starts."""
    spans = [tokens.ids[tokens.offsets[i] + 1 : tokens.offsets[i + 1] - 1] for i in batch]
    starts = np.cumsum([0] + [len(span) for span in spans[:-1]])
    ids = np.concatenate(spans).astype(np.int64)
    return torch.from_numpy(ids), torch.from_numpy(starts)


def fit(
    tokens: Tokens,
    anchors: torch.Tensor,
    pieces: torch.Tensor,
    minutes: float,
    batch_size: int = 4096,
    seed: int = 1,
    most_steps: int | None = None,
) -> torch.Tensor:
    """Fits the piece vectors.

    Args:
        tokens: The examples.
        anchors: The teacher's vectors of the anchors.
        pieces: The teacher's vectors of the pieces, where the fit starts.
        minutes: How long to fit; the learning rate falls to nothing over it.
        batch_size: Texts in a batch.
        seed: Decides the draws.
        most_steps: Steps to take at most.

    Returns:
        The vectors [pieces, width]; the median length of those met in the text is 1.
    """
    rng = np.random.default_rng(seed)
    weight = torch.nn.Parameter(0.5 * pieces.clone())
    scale = torch.nn.Parameter(torch.tensor(3.0))
    optimizer = torch.optim.Adam([weight, scale], lr=5e-3, betas=(0.9, 0.99))
    shares = language_shares(tokens, 0.6, 0.2)
    begin, step, share = time.monotonic(), 0, 0.0
    while share < 1.0 and (most_steps is None or step < most_steps):
        for group in optimizer.param_groups:
            group["lr"] = 5e-3 * (1 - share)
        batch = draw(tokens, shares, batch_size, rng)
        ids, starts = bag_of(tokens, batch)
        sums = functional.embedding_bag(ids, weight, starts, mode="sum")
        which = torch.from_numpy(tokens.anchors[batch])
        goal = anchors[which].float()
        logits = functional.normalize(sums, dim=1) @ goal.T * scale.exp()
        twin = (which[:, None] == which[None, :]).fill_diagonal_(False)
        loss = functional.cross_entropy(logits.masked_fill(twin, -1e4), torch.arange(len(batch)))
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        step += 1
        share = (time.monotonic() - begin) / (60 * max(minutes, 1e-9))
        if step % 50 == 1:
            click.echo(f"embeddings: step {step} loss {loss.item():.3f} scale {scale.exp():.1f}")
    with torch.no_grad():
        met = torch.from_numpy(np.bincount(tokens.ids, minlength=len(weight)) > 0)
        result: torch.Tensor = weight.detach() / weight[met].norm(dim=1).median()
        result[~met] = 0.02 * torch.randn(
            int((~met).sum()), result.shape[1], generator=torch.Generator().manual_seed(seed)
        )
        noise = torch.randn(
            SPECIALS, result.shape[1], generator=torch.Generator().manual_seed(seed + 1)
        )
        result[:SPECIALS] = result[-1] = 0.0
        result[:SPECIALS] += 0.02 * noise
        result[-1] += 0.02 * noise[0].flip(0)
    return result


@click.command()
@click.option("--work", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--minutes", default=4.0, show_default=True)
@click.option("--longest", default=64, show_default=True, help="Most ids of a text.")
@click.option("--threads", default=2, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(work: Path, minutes: float, longest: int, threads: int, seed: int) -> None:
    """Writes WORK/embeddings.npy."""
    if (work / "embeddings.npy").exists():
        click.echo("embeddings: there already")
        return
    torch.set_num_threads(threads)
    tokens = tokenize(work, longest)
    anchors = torch.from_numpy(np.load(work / "anchors.npy"))
    pieces = torch.from_numpy(np.load(work / "pieces.npy"))
    np.save(work / "embeddings.npy", fit(tokens, anchors, pieces, minutes, seed=seed).numpy())


if __name__ == "__main__":
    main()
