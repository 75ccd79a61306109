"""Trains the encoder for a number of steps; a killed run goes on where it was."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch

from pocket.batches import Tokens, leave_out, padded, stream, tokenize
from pocket.training import Learner, configuration, losses, optimizer_for, rate

BANK = 8192
"""How many anchors, beside a batch's own, serve as negatives in a step."""


@dataclass
class Progress:
    """Where a run stands.

    Attributes:
        step: Steps taken.
        seconds: Time spent training, over all resumptions.
        block: The block of batches that is read.
        index: The next batch in it.
        texts: Texts seen.
    """

    step: int = 0
    seconds: float = 0.0
    block: int = 0
    index: int = 0
    texts: int = 0


@dataclass
class Settings:
    """What decides a run.

    Attributes:
        steps: Steps to take; the learning rate falls over them.
        stop: Where given, the run pauses after that step, to be resumed.
        minutes: Where given, the run ends after them if that is sooner, and the rate falls in time.
        budget: Ids in a batch, padding counted.
        peak: The learning rate's peak.
        seed: Decides the weights' start, the draws and the masks.
        save_every: Minutes between checkpoints.
    """

    steps: int = 5000
    stop: int | None = None
    minutes: float | None = None
    budget: int = 4096
    peak: float = 1e-3
    seed: int = 1
    save_every: float = 3.0


def save(
    path: Path, learner: Learner, optimizer: torch.optim.Optimizer, progress: Progress
) -> None:
    """Writes a checkpoint, whole or not at all."""
    partial = path.with_suffix(".partial")
    state = {
        "learner": learner.state_dict(),
        "optimizer": optimizer.state_dict(),
        "progress": asdict(progress),
        "config": learner.encoder.config.to_dict(),
    }
    torch.save(state, partial)
    partial.replace(path)


def train(
    work: Path,
    tokens: Tokens,
    anchors: torch.Tensor,
    embeddings: torch.Tensor,
    settings: Settings,
    **shape: int,
) -> Progress:
    """Trains, from WORK/checkpoint.pt where there is one.

    Args:
        work: The work folder; gets `checkpoint.pt` and `train.jsonl`.
        tokens: The examples.
        anchors: The teacher's vectors of the anchors.
        embeddings: Where the word embeddings start.
        settings: What decides the run.
        **shape: Passed to `configuration`.

    Returns:
        Where the run ended.
    """
    torch.manual_seed(settings.seed)
    learner = Learner(configuration(len(embeddings), **shape), embeddings)
    counts = np.bincount(tokens.ids, minlength=len(embeddings))
    learner.set_frequencies(torch.from_numpy(counts))
    optimizer = optimizer_for(learner, settings.peak)
    progress = Progress()
    path = work / "checkpoint.pt"
    if path.exists():
        state: dict[str, Any] = torch.load(path, weights_only=True)
        learner.load_state_dict(state["learner"])
        optimizer.load_state_dict(state["optimizer"])
        progress = Progress(**state["progress"])
    before, begin, saved = progress.seconds, time.monotonic(), time.monotonic()
    pool = torch.from_numpy(np.unique(tokens.anchors))
    place = (progress.block, progress.index)
    learner.train()
    with (work / "train.jsonl").open("a", encoding="utf-8") as log:
        for following, batch in stream(tokens, settings.budget, settings.seed, place):
            share = progress.step / settings.steps
            if settings.minutes is not None:
                share = max(share, progress.seconds / (60 * settings.minutes))
            if share >= 1 or progress.step == settings.stop:
                break
            for group in optimizer.param_groups:
                group["lr"] = settings.peak * group["share"] * rate(share)
            generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + progress.step)
            which = torch.from_numpy(tokens.anchors[batch])
            others = pool[torch.randint(len(pool), (BANK,), generator=generator)]
            found = losses(learner, padded(tokens, batch), which, anchors, others, generator)
            optimizer.zero_grad()
            torch.autograd.backward(found.total)
            torch.nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
            optimizer.step()
            progress.step += 1
            progress.texts += len(batch)
            progress.block, progress.index = following
            progress.seconds = before + time.monotonic() - begin
            if progress.step % 25 == 0:
                entry = {
                    "step": progress.step,
                    "minutes": round(progress.seconds / 60, 2),
                    "texts": progress.texts,
                    "contrastive": round(found.contrastive, 3),
                    "cosine": round(found.cosine, 4),
                    "masked_lm": round(found.masked_lm, 3),
                }
                log.write(json.dumps(entry) + "\n")
                log.flush()
                click.echo(json.dumps(entry))
            if time.monotonic() - saved > 60 * settings.save_every:
                save(path, learner, optimizer, progress)
                saved = time.monotonic()
    save(path, learner, optimizer, progress)
    return progress


@click.command()
@click.option("--work", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--steps", default=5000, show_default=True)
@click.option("--minutes", type=float, help="End after them, if that is sooner.")
@click.option("--budget", default=4096, show_default=True, help="Ids in a batch.")
@click.option("--peak", default=1e-3, show_default=True, help="The learning rate's peak.")
@click.option("--longest", default=64, show_default=True, help="Most ids of a text.")
@click.option("--without", multiple=True, help="A source to leave out (repeatable).")
@click.option("--threads", default=2, show_default=True)
@click.option("--seed", default=1, show_default=True)
def main(
    work: Path,
    steps: int,
    minutes: float | None,
    budget: int,
    peak: float,
    longest: int,
    without: tuple[str, ...],
    threads: int,
    seed: int,
) -> None:
    """Trains on WORK's examples and writes WORK/checkpoint.pt."""
    torch.set_num_threads(threads)
    tokens = leave_out(tokenize(work, longest), without)
    anchors = torch.from_numpy(np.load(work / "anchors.npy"))
    embeddings = torch.from_numpy(np.load(work / "embeddings.npy"))
    settings = Settings(steps=steps, minutes=minutes, budget=budget, peak=peak, seed=seed)
    progress = train(work, tokens, anchors, embeddings, settings)
    click.echo(f"train: {progress.step} steps, {progress.seconds / 60:.1f} minutes")


if __name__ == "__main__":
    main()
