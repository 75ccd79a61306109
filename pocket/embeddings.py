"""The word embeddings' start: the teacher's vectors of the pieces, fitted as a bag of words.

A few minutes of a model without layers (the sum of a text's piece vectors against its anchor's
vector) teach more of the rare scripts than the teacher's own vectors of pieces hold;
the length that a piece's vector takes says how much the piece matters.
"""

from __future__ import annotations

from pathlib import Path

import click
import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from pocket.batches import Tokens, draw, leave_out, sampling_probabilities, tokenize
from pocket.teacher import save_array
from pocket.training import COSINE_WEIGHT, alignment_losses

SPECIALS = 4

CANDIDATES = 2048
"""How many texts of a batch are told apart from one another."""


def bag_of(tokens: Tokens, batch: NDArray[np.int64]) -> tuple[torch.Tensor, torch.Tensor]:
    """The ids of a batch end to end, without `<s>` and `</s>`, and where each text starts."""
    spans = [tokens.of(i)[1:-1] for i in batch]
    starts = np.cumsum([0] + [len(span) for span in spans[:-1]])
    ids = np.concatenate(spans).astype(np.int64)
    return torch.from_numpy(ids), torch.from_numpy(starts)


def bag_losses(
    pooled: torch.Tensor, which: torch.Tensor, anchors: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """`alignment_losses` in parts of `CANDIDATES` texts, each against its own anchors alone."""
    nothing = torch.empty(0, dtype=torch.long)
    parts = [
        alignment_losses(*part, anchors, nothing)
        for part in zip(
            torch.split(pooled, CANDIDATES), torch.split(which, CANDIDATES), strict=True
        )
    ]
    contrastive, cosine = (torch.stack(values).mean() for values in zip(*parts, strict=True))
    return contrastive, cosine


def fit(
    tokens: Tokens,
    anchors: torch.Tensor,
    pieces: torch.Tensor,
    steps: int,
    batch_size: int = 4096,
    seed: int = 1,
) -> torch.Tensor:
    """Fits the piece vectors.

    Args:
        tokens: The examples.
        anchors: The teacher's vectors of the anchors.
        pieces: The teacher's vectors of the pieces, where the fit starts.
        steps: Steps to take; the learning rate falls to nothing over them.
        batch_size: Texts in a batch.
        seed: Decides the draws.

    Returns:
        The vectors [pieces, width]; the median length of those met in the text is 1.
    """
    rng = np.random.default_rng(seed)
    weight = torch.nn.Parameter(0.5 * pieces.clone())
    optimizer = torch.optim.Adam([weight], lr=5e-3, betas=(0.9, 0.99))
    cumulative = np.cumsum(sampling_probabilities(tokens))
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = 5e-3 * (1 - step / steps)
        batch = draw(cumulative, batch_size, rng)
        ids, starts = bag_of(tokens, batch)
        sums = functional.embedding_bag(ids, weight, starts, mode="sum")
        which = torch.from_numpy(tokens.anchors[batch])
        contrastive, cosine = bag_losses(functional.normalize(sums, dim=1), which, anchors)
        optimizer.zero_grad()
        torch.autograd.backward(contrastive + COSINE_WEIGHT * cosine)
        optimizer.step()
        if step % 50 == 0:
            found = f"contrastive {contrastive.item():.3f} cosine {cosine.item():.4f}"
            click.echo(f"embeddings: step {step} {found}")
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
@click.option("--steps", default=1600, show_default=True)
@click.option("--without", multiple=True, help="A source to leave out (repeatable).")
@click.option("--threads", default=2, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(work: Path, steps: int, without: tuple[str, ...], threads: int, seed: int) -> None:
    """Writes WORK/embeddings.npy."""
    if (work / "embeddings.npy").exists():
        click.echo("embeddings: there already")
        return
    torch.set_num_threads(threads)
    try:
        tokens = leave_out(tokenize(work), without)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    anchors = torch.from_numpy(np.load(work / "anchors.npy"))
    pieces = torch.from_numpy(np.load(work / "pieces.npy"))
    save_array(work / "embeddings.npy", fit(tokens, anchors, pieces, steps, seed=seed).numpy())


if __name__ == "__main__":
    main()
