"""Teaches the layers above the aligned one, and the masked-LM head, on an exported encoder.

The layers up to the aligned one are read as they are shipped and their bytes stay what they are, so
alignment there is untouched. The upper layers start at the identity with heads that look at
neighbouring tokens, and the head starts at the pieces' frequencies: every step is then a gain over
a model without context.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import click
import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from adaptstilts.base.store import FORMAT, pack
from adaptstilts.record.files import replacing
from adaptstilts.training.schedule import learning_rate
from pocket.batches import Tokens, leave_out, padded, piece_shares, stream, tokenize
from pocket.export import HEAD_FILE, exported, refresh_card
from pocket.train import append, keep_entries
from pocket.training import (
    ALIGNED_LAYER,
    FIRST_PIECE,
    PAD,
    POSITION_ANGLES,
    SHARPNESS,
    Student,
    corrupt,
)

OFFSETS = (-1, 1, -2, 2)
"""Where the heads of each upper layer look at the start, in tokens."""

PROBED_ANGLES = 4
"""How many of the position's angles are read back from the aligned layer."""

RIDGE = 1e-3
HEAD_SCALE = 0.1
"""The start of the head's last scale: small, so that the logits start at the pieces' shares."""

WITHOUT = ("wordfreq",)
"""Single words teach nothing about context."""

WARMUP = 0.03
STEPS_PER_ENTRY = 25
SECONDS_PER_CHECKPOINT = 120.0


@dataclass(frozen=True)
class Settings:
    """What decides a run; one that is resumed must have the same.

    Attributes:
        steps: Steps to take.
        budget: Ids in a batch, padding counted.
        peak: The learning rate's peak.
        seed: Decides the start, the draws and the masks.
        precision: Of the matrix products: `fp32` or `bf16`.
        threads: CPU threads.
    """

    steps: int = 2400
    budget: int = 4096
    peak: float = 1.5e-3
    seed: int = 1
    precision: str = "fp32"
    threads: int = 2


def position_probe(student: Student, tokens: Tokens, seed: int, texts: int = 4000) -> Tensor:
    """Where the aligned layer still holds the position, by ridge regression.

    Args:
        student: The encoder.
        tokens: The examples.
        seed: Decides which are looked at.
        texts: How many are looked at.

    Returns:
        Rows [2 × PROBED_ANGLES, hidden] whose products with a token's state are about the sines,
        then the cosines, of its position.
    """
    drawn = np.random.default_rng(seed).choice(len(tokens.lengths), texts, replace=False)
    states, goals = [], []
    with torch.no_grad():
        for part in np.array_split(drawn, 20):
            ids = padded(tokens, part)
            hidden = student.aligned(ids)[0]
            is_text = ids.ne(PAD)
            angles = torch.arange(ids.shape[1])[:, None] * POSITION_ANGLES[:PROBED_ANGLES]
            goal = torch.cat([angles.sin(), angles.cos()], 1).expand(len(ids), -1, -1)
            states.append(hidden[is_text])
            goals.append(goal[is_text])
    x, y = torch.cat(states), torch.cat(goals)
    centre = x.mean(0)
    x = x - centre
    gram = x.T @ x / len(x) + RIDGE * torch.eye(x.shape[1])
    return torch.linalg.solve(gram, x.T @ (y - y.mean(0)) / len(x)).T


@torch.no_grad()
def start(student: Student, probe: Tensor, shares: Tensor, seed: int) -> None:
    """Starts the upper layers near the identity, looking at neighbours, and the head at shares."""
    torch.manual_seed(seed)
    for layer in student.encoder.encoder.layer[ALIGNED_LAYER:]:
        for module in layer.modules():
            if isinstance(module, nn.Linear):
                module.weight.normal_(0.0, 0.02)
                module.bias.zero_()
            elif isinstance(module, nn.LayerNorm):
                module.weight.fill_(1.0)
                module.bias.zero_()
        layer.attention.output.dense.weight.normal_(0.0, 0.005)
        layer.output.dense.weight.normal_(0.0, 0.005)
        inner, size = layer.attention.self, layer.attention.self.attention_head_size
        for head, offset in enumerate(OFFSETS):
            rows = slice(head * size, (head + 1) * size)
            look_through(probe, inner.query.weight[rows], inner.key.weight[rows], offset)
    head = student.head
    nn.init.normal_(head.dense.weight, std=head.dense.in_features**-0.5)
    head.dense.bias.zero_()
    head.layer_norm.weight.fill_(HEAD_SCALE)
    head.layer_norm.bias.zero_()
    head.bias.copy_((shares + 1e-7).log())


def look_through(probe: Tensor, query: Tensor, key: Tensor, offset: int) -> None:
    """`training.look_at` for a layer that sees the position only through a probe."""
    count = PROBED_ANGLES
    sines, cosines = probe[:count], probe[count:]
    turn = (POSITION_ANGLES[:count] * offset)[:, None]
    # Fewer angles than in the first layers, and an imperfect reading, so they count for more.
    strength = SHARPNESS * 2
    query.zero_()
    key.zero_()
    query[:count] = strength * (turn.cos() * sines + turn.sin() * cosines)
    query[count : 2 * count] = strength * (turn.cos() * cosines - turn.sin() * sines)
    key[:count], key[count : 2 * count] = strength * sines, strength * cosines


def masked_loss(
    student: Student, ids: Tensor, generator: torch.Generator
) -> tuple[Tensor, int]:
    """The masked LM's mean cross-entropy on a batch, and over how many tokens."""
    words = student.encoder.embeddings.word_embeddings.weight
    corrupted, chosen = corrupt(ids, len(ids), len(words), generator)
    with torch.no_grad():
        hidden, wide = student.aligned(corrupted)
    predicted = student.top(hidden, wide)[chosen]
    logits = student.head(predicted, words)
    return functional.cross_entropy(logits.float(), ids[chosen]), len(predicted)


def train(
    work: Path, student: Student, tokens: Tokens, settings: Settings, *, stop: int | None = None
) -> int:
    """Trains the upper layers and the head, from WORK/top.pt where there is one.

    Args:
        work: The work folder; gets `top.pt` and `top.jsonl`.
        student: The encoder, changed in place.
        tokens: The examples.
        settings: What decides the run.
        stop: The step after which the run pauses; None goes on to the end.

    Returns:
        The steps taken.

    Raises:
        ValueError: WORK/top.pt was made with other settings.
    """
    tokens = leave_out(tokens, [name for name in WITHOUT if name in tokens.sources])
    shares = piece_shares(tokens, len(student.head.bias), FIRST_PIECE)
    student.requires_grad_(False)
    start(student, position_probe(student, tokens, settings.seed), torch.from_numpy(shares), settings.seed)
    upper = [*student.encoder.encoder.layer[ALIGNED_LAYER:].parameters(), *student.head.parameters()]
    for parameter in upper:
        parameter.requires_grad_()
    optimizer = torch.optim.AdamW(
        [
            {"params": [p for p in upper if p.ndim > 1], "weight_decay": 0.01},
            {"params": [p for p in upper if p.ndim == 1], "weight_decay": 0.0},
        ],
        betas=(0.9, 0.98),
    )
    path, log = work / "top.pt", work / "top.jsonl"
    step, seconds, place = 0, 0.0, (0, 0)
    if path.exists():
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state["settings"] != asdict(settings):
            raise ValueError(f"{path} was made with {state['settings']}; move it away")
        student.load_state_dict(state["student"])
        optimizer.load_state_dict(state["optimizer"])
        step, seconds, place = state["step"], state["seconds"], tuple(state["place"])
    keep_entries(log, step)
    begin, saved, sums = time.monotonic() - seconds, time.monotonic(), [0.0, 0]
    student.train()

    def save() -> None:
        with replacing(path) as partial:
            state = {
                "student": student.state_dict(),
                "optimizer": optimizer.state_dict(),
                "settings": asdict(settings),
                "step": step,
                "seconds": time.monotonic() - begin,
                "place": list(place),
            }
            torch.save(state, partial)

    for following, batch in stream(tokens, settings.budget, settings.seed, place):
        if step in (settings.steps, stop):
            break
        rate = learning_rate(step + 1, steps=settings.steps, warmup=WARMUP, peak=settings.peak)
        for group in optimizer.param_groups:
            group["lr"] = rate
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + step)
        with torch.autocast("cpu", torch.bfloat16, enabled=settings.precision == "bf16"):
            loss, count = masked_loss(student, padded(tokens, batch), generator)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(upper, 1.0)
        optimizer.step()
        sums = [sums[0] + loss.item() * count, sums[1] + count]
        step, place = step + 1, following
        if step % STEPS_PER_ENTRY == 0:
            minutes = round((time.monotonic() - begin) / 60, 2)
            append(log, {"step": step, "minutes": minutes, "masked_lm": round(sums[0] / sums[1], 4)})
            sums = [0.0, 0]
        if time.monotonic() - saved > SECONDS_PER_CHECKPOINT:
            save()
            saved = time.monotonic()
    save()
    return step


def write(folder: Path, student: Student) -> None:
    """Puts the upper layers and the head into an exported folder; other weights keep their bytes."""
    path = folder / "model.safetensors"
    upper = {
        name: value
        for name, value in student.encoder.state_dict().items()
        if any(
            name.startswith(f"encoder.layer.{index}.")
            for index in range(ALIGNED_LAYER, student.encoder.config.num_hidden_layers)
        )
    }
    packed = load_file(path) | pack(upper)
    with replacing(path) as partial:
        save_file(packed, partial, metadata={"format": FORMAT})
        partial.chmod(0o644)
    head = {f"lm_head.{name}": value.half() for name, value in student.head.state_dict().items()}
    with replacing(folder / HEAD_FILE) as partial:
        save_file(head, partial)
        partial.chmod(0o644)


@click.command()
@click.option("--work", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--folder", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--steps", default=Settings.steps, show_default=True)
@click.option("--budget", default=Settings.budget, show_default=True, help="Ids in a batch.")
@click.option("--peak", default=Settings.peak, show_default=True, help="Peak learning rate.")
@click.option("--precision", type=click.Choice(["fp32", "bf16"]), default=Settings.precision)
@click.option("--threads", default=Settings.threads, show_default=True)
@click.option("--seed", default=Settings.seed, show_default=True)
def main(
    work: Path,
    folder: Path,
    steps: int,
    budget: int,
    peak: float,
    precision: str,
    threads: int,
    seed: int,
) -> None:
    """Teaches the upper layers of the encoder that `export` wrote to FOLDER, in place.

    bf16 is faster where the processor has instructions for it, and much slower elsewhere.
    """
    torch.set_num_threads(threads)
    settings = Settings(steps, budget, peak, seed, precision, threads)
    encoder, head, _ = exported(folder)
    student = Student(encoder.config)
    student.encoder, student.head = encoder, head
    try:
        train(work, student, tokenize(work), settings)
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    write(folder, student)
    minutes = json.loads((work / "top.jsonl").read_text(encoding="utf-8").splitlines()[-1])["minutes"]
    refresh_card(folder, top={**asdict(settings), "minutes": minutes})
    click.echo(f"top: {steps} steps, {minutes} minutes")


if __name__ == "__main__":
    main()
