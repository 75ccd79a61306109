"""Trains the encoder for a number of steps; a killed run goes on where it was."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional

from adaptstilts.record.files import replacing
from adaptstilts.training.schedule import learning_rate
from pocket import evaluate
from pocket.batches import Tokens, leave_out, padded, piece_shares, stream, tokenize
from pocket.training import (
    FIRST_PIECE,
    PAD,
    Losses,
    Student,
    configuration,
    losses,
    mean_pooled,
    optimizer_for,
)

BANK = 8192
"""How many anchors, beside a batch's own, serve as negatives in a step."""

WARMUP = 0.03
"""The share of the steps in which the learning rate rises."""

STEPS_PER_ENTRY = 25
SECONDS_PER_CHECKPOINT = 180.0


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


@dataclass(frozen=True)
class Settings:
    """What decides a run; a run that is resumed must have the same.

    Attributes:
        steps: Steps to take; the learning rate falls over them.
        budget: Ids in a batch, padding counted.
        peak: The learning rate's peak.
        seed: Decides the weights' start, the draws and the masks.
        without: Sources that were left out.
        device: `cpu` or `cuda`.
        threads: CPU threads.
        precision: Of the layers' matrix products: `fp32` or `bf16`.
    """

    steps: int = 2800
    budget: int = 4096
    peak: float = 8e-4
    seed: int = 1
    without: tuple[str, ...] = ()
    device: str = "cpu"
    threads: int = 2
    precision: str = "fp32"


@dataclass(frozen=True)
class Watch:
    """What is scored while a run goes on.

    Attributes:
        tokenizer: The encoder's.
        bitexts: Language → its bitext.
        every: Steps between two scores.
    """

    tokenizer: Tokenizer
    bitexts: dict[str, evaluate.Bitext]
    every: int


def save(
    path: Path,
    student: Student,
    optimizer: torch.optim.Optimizer,
    progress: Progress,
    settings: Settings,
) -> None:
    """Writes a checkpoint, whole or not at all."""
    state = {
        "student": student.state_dict(),
        "optimizer": optimizer.state_dict(),
        "progress": asdict(progress),
        "settings": {**asdict(settings), "without": list(settings.without)},
        "config": student.encoder.config.to_dict(),
    }
    with replacing(path) as partial:
        torch.save(state, partial)


def resume(
    path: Path, student: Student, optimizer: torch.optim.Optimizer, settings: Settings
) -> Progress:
    """Puts a checkpoint's weights into place.

    Raises:
        ValueError: It was made with other settings.
    """
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    earlier = Settings(**{**state["settings"], "without": tuple(state["settings"]["without"])})
    if earlier != settings:
        raise ValueError(
            f"{path} was made with {earlier}, not with {settings}; "
            "go on with those, or move it away"
        )
    student.load_state_dict(state["student"])
    optimizer.load_state_dict(state["optimizer"])
    return Progress(**state["progress"])


def train(
    work: Path,
    tokens: Tokens,
    anchors: Tensor,
    embeddings: Tensor,
    settings: Settings,
    *,
    hidden: int = 256,
    stop: int | None = None,
    watch: Watch | None = None,
) -> Progress:
    """Trains, from WORK/checkpoint.pt where there is one.

    Args:
        work: The work folder; gets `checkpoint.pt` and `train.jsonl`.
        tokens: The examples.
        anchors: The teacher's vectors of the anchors.
        embeddings: Where the word embeddings start.
        settings: What decides the run.
        hidden: The encoder's width.
        stop: The step after which the run pauses, to be resumed; None goes on to the end.
        watch: What is scored on the way, and how often; it decides nothing.

    Returns:
        Where the run ended.

    Raises:
        ValueError: WORK/checkpoint.pt was made with other settings.
    """
    device = torch.device(settings.device)
    torch.manual_seed(settings.seed)
    student = Student(configuration(len(embeddings), hidden), embeddings).to(device)
    shares = piece_shares(tokens, len(embeddings), FIRST_PIECE)
    student.set_frequencies(torch.from_numpy(shares).float().to(device))
    optimizer = optimizer_for(student, settings.peak)
    path, log = work / "checkpoint.pt", work / "train.jsonl"
    progress = resume(path, student, optimizer, settings) if path.exists() else Progress()
    keep_entries(log, progress.step)
    before, begin, saved = progress.seconds, time.monotonic(), time.monotonic()
    anchors = anchors.to(device)
    pool = torch.from_numpy(np.unique(tokens.anchors))
    place = (progress.block, progress.index)
    recent: list[Tensor] = []
    student.train()
    for following, batch in stream(tokens, settings.budget, settings.seed, place):
        if progress.step in (settings.steps, stop):
            break
        rate = learning_rate(
            progress.step + 1, steps=settings.steps, warmup=WARMUP, peak=settings.peak
        )
        for group in optimizer.param_groups:
            group["lr"] = rate * group["share"]
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + progress.step)
        which = torch.from_numpy(tokens.anchors[batch]).to(device)
        others = pool[torch.randint(len(pool), (BANK,), generator=generator)].to(device)
        with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bf16"):
            found = losses(student, padded(tokens, batch), which, anchors, others, generator)
        optimizer.zero_grad()
        torch.autograd.backward(found.total)
        torch.nn.utils.clip_grad_norm_(student.parameters(), 1.0)
        optimizer.step()
        recent.append(parts_of(found))
        progress.step += 1
        progress.texts += len(batch)
        progress.block, progress.index = following
        progress.seconds = before + time.monotonic() - begin
        if progress.step % STEPS_PER_ENTRY == 0:
            write_entry(log, progress, torch.stack(recent).mean(0).tolist())
            recent.clear()
        if watch and progress.step % watch.every == 0:
            begin += write_accuracy(log, progress, student, watch)
        if time.monotonic() - saved > SECONDS_PER_CHECKPOINT:
            save(path, student, optimizer, progress, settings)
            saved = time.monotonic()
    save(path, student, optimizer, progress, settings)
    return progress


def parts_of(found: Losses) -> Tensor:
    """The three losses of a step [3], without their graph."""
    return torch.stack([found.contrastive, found.cosine, found.masked_lm]).detach()


def write_entry(log: Path, progress: Progress, means: list[float]) -> None:
    """Appends the losses' means since the last entry to `train.jsonl`, and prints them."""
    entry = {
        "step": progress.step,
        "minutes": round(progress.seconds / 60, 2),
        "texts": progress.texts,
        **dict(
            zip(("contrastive", "cosine", "masked_lm"), (round(x, 4) for x in means), strict=True)
        ),
    }
    append(log, entry)


def write_accuracy(log: Path, progress: Progress, student: Student, watch: Watch) -> float:
    """Appends the retrieval accuracy at the aligned layer to `train.jsonl`.

    Returns:
        The seconds that it took.
    """
    start = time.monotonic()
    student.eval()
    scores = evaluate.retrieval(partial(encode_aligned, student, watch.tokenizer), watch.bitexts)
    student.train()
    entry = {
        "step": progress.step,
        "minutes": round(progress.seconds / 60, 2),
        "accuracy": {code: found["mean"][0] for code, found in scores["languages"].items()},
        "macro15": scores["macro15"][0],
    }
    append(log, entry)
    return time.monotonic() - start


@torch.inference_mode()
def encode_aligned(student: Student, tokenizer: Tokenizer, texts: Sequence[str]) -> Tensor:
    """Mean-pooled, L2-normalised vectors of the aligned layer [1, texts, hidden]."""
    words = student.encoder.embeddings.word_embeddings.weight
    result = torch.zeros(1, len(texts), words.shape[1])
    for places, batch in evaluate.batches(tokenizer, texts, evaluate.LONGEST):
        ids = batch.to(words.device)
        pooled = mean_pooled(student.aligned(ids)[0], ids.ne(PAD))
        result[0, places] = functional.normalize(pooled, dim=1).cpu()
    return result


def append(log: Path, entry: dict[str, Any]) -> None:
    """Appends a line to `train.jsonl`, and prints it."""
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
    click.echo(json.dumps(entry))


def keep_entries(log: Path, step: int) -> None:
    """Drops entries of steps that a resumed run takes again."""
    if log.exists():
        lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if json.loads(line)["step"] <= step]
        log.write_text("".join(kept), encoding="utf-8")


@click.command()
@click.option("--work", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--steps", default=Settings.steps, show_default=True)
@click.option("--budget", default=Settings.budget, show_default=True, help="Ids in a batch.")
@click.option("--peak", default=Settings.peak, show_default=True, help="Peak learning rate.")
@click.option("--without", multiple=True, help="A source to leave out (repeatable).")
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), help="Default: a GPU if there is one."
)
@click.option(
    "--precision",
    type=click.Choice(["fp32", "bf16"]),
    help="Of matrix products. Default: bf16 on a GPU, fp32 on a CPU (bf16 is faster there only "
    "where the processor has instructions for it).",
)
@click.option("--bitext", type=click.Path(path_type=Path, exists=True), help="To watch.")
@click.option("--watch-every", default=250, show_default=True, help="Steps between two looks.")
@click.option("--threads", default=Settings.threads, show_default=True)
@click.option("--seed", default=Settings.seed, show_default=True)
def main(
    work: Path,
    steps: int,
    budget: int,
    peak: float,
    without: tuple[str, ...],
    device: str | None,
    precision: str | None,
    bitext: Path | None,
    watch_every: int,
    threads: int,
    seed: int,
) -> None:
    """Trains on WORK's examples and writes WORK/checkpoint.pt.

    With --bitext, the accuracy on the bundled bitext is written down on the way.
    """
    torch.set_num_threads(threads)
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    anchors = torch.from_numpy(np.load(work / "anchors.npy"))
    embeddings = torch.from_numpy(np.load(work / "embeddings.npy"))
    precision = precision or ("bf16" if device == "cuda" else "fp32")
    settings = Settings(steps, budget, peak, seed, without, device, threads, precision)
    click.echo(f"train: on {device} in {precision}")
    tokenizer = Tokenizer.from_file(str(work / "tokenizer" / "tokenizer.json"))
    watch = Watch(tokenizer, evaluate.read_bundled(bitext), watch_every) if bitext else None
    try:
        tokens = leave_out(tokenize(work), without)
        progress = train(work, tokens, anchors, embeddings, settings, watch=watch)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"train: {progress.step} steps, {progress.seconds / 60:.1f} minutes")


if __name__ == "__main__":
    main()
