"""The training loop: a generator that computes and reports, and touches no file.

What is minimised is an `Objective`'s affair. The base stays in `eval()` mode: it is frozen, so its
own dropout is off (an objective may switch it on for a forward pass), and only the adapter's and
the head's dropout act, for a step's length. The seed and the step's number alone decide what is
drawn, so nothing that happens between two steps can change it, and a resumed training needs no
generator's state.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from adaptstilts.adapter.attach import adapter_layers, read_weights, trainable
from adaptstilts.base.load import Base
from adaptstilts.errors import TrainingError
from adaptstilts.training.batches import step_batches
from adaptstilts.training.objective import DevScore, Objective, drawn_from
from adaptstilts.training.schedule import evaluation_steps, learning_rate
from adaptstilts.training.state import State, capture, restore


@dataclass(frozen=True)
class Settings:
    """What decides a training besides its data; the words are the recipe's."""

    steps: int
    learning_rate: float
    tokens_per_batch: int
    accumulation: int
    warmup: float
    weight_decay: float
    clip: float
    evaluations: int
    seed: int


@dataclass(frozen=True)
class Step:
    """One optimizer step is done.

    Attributes:
        step: Counted from 1.
        loss: Mean of the objective over the step, in nats.
        learning_rate: The rate of this step.
        tokens: Tokens that went through the encoder, without padding.
    """

    step: int
    loss: float
    learning_rate: float
    tokens: int


@dataclass(frozen=True)
class Evaluation:
    """The dev split was scored; the weights at this point are copied out.

    Attributes:
        step: Counted from 1.
        share: Share of the training that is done.
        loss: Mean training loss since the evaluation before.
        dev: How the dev split was answered.
        adapter: The adapter's weights by PEFT's names, float32.
        head: The head's weights; empty for an objective without one.
    """

    step: int
    share: float
    loss: float
    dev: DevScore
    adapter: dict[str, Tensor] = field(repr=False)
    head: dict[str, Tensor] = field(repr=False)


@dataclass(frozen=True)
class Parts:
    """The moving parts of a training; `state.capture` reads them, `state.restore` sets them.

    Attributes:
        parameters: What is trained, by name, in the model's own types.
        masters: The same in float32; the optimizer works on these.
        optimizer: AdamW over the masters.
    """

    parameters: dict[str, nn.Parameter]
    masters: dict[str, Tensor]
    optimizer: torch.optim.AdamW

    def collect(self) -> None:
        """Adds the parameters' gradients to the masters', in float32, and clears them."""
        for name, parameter in self.parameters.items():
            if parameter.grad is not None:
                gradient, master = parameter.grad.to(torch.float32), self.masters[name]
                master.grad = gradient if master.grad is None else master.grad + gradient
                parameter.grad = None

    def publish(self) -> None:
        """Copies the masters into the model."""
        for name, parameter in self.parameters.items():
            parameter.data.copy_(self.masters[name])


class Training:
    """A training that can be stepped, and stopped and resumed between any two steps.

    Args:
        base: The base with the adapter attached.
        name: The adapter's name on the model.
        objective: What is minimised, with its texts and its head on the base's device.
        settings: All else that decides the result.
        state: Where an earlier run stopped, or None to begin.

    Raises:
        TrainingError: There is nothing to train on, or nothing to choose checkpoints by.
    """

    def __init__(
        self,
        base: Base,
        name: str,
        objective: Objective,
        *,
        settings: Settings,
        state: State | None = None,
    ) -> None:
        texts, dev_texts = len(objective.lengths), len(objective.dev_lengths)
        if not texts or not dev_texts:
            raise TrainingError(
                f"adapter `{name}`: there are {texts} texts to train on and {dev_texts} to choose "
                "checkpoints by; at least one of each is needed"
            )
        self.base, self.name, self.objective, self.settings = base, name, objective, settings
        objective.head.eval()
        self.parts = _parts(base, name, objective.head, settings)
        self.step = 0
        self.losses: list[float] = []
        if state is not None:
            self.step, self.losses = restore(self.parts, state)

    def state(self) -> State:
        """Everything that the next step depends on."""
        return capture(self.parts, step=self.step, losses=self.losses)

    def run(self) -> Iterator[Evaluation | Step]:
        """Trains to the end, reporting each evaluation and then the step that it came after.

        After a `Step` the caller may save `state()`: all that was reported up to there is in it,
        and a training resumed from it goes on as if it had never stopped: bit for bit on a CPU
        with the same number of threads, and on a GPU as far as its kernels repeat themselves.

        Raises:
            TrainingError: A loss or a gradient is not a number.
        """
        settings = self.settings
        evaluations = evaluation_steps(steps=settings.steps, evaluations=settings.evaluations)
        batches = step_batches(
            self.objective.lengths,
            tokens_per_batch=settings.tokens_per_batch,
            accumulation=settings.accumulation,
            seed=settings.seed,
            done=self.step,
        )
        while self.step < settings.steps:
            report = self._take_step(next(batches))
            share = evaluations.get(self.step)
            if share is not None:
                yield self._evaluate(share)
            yield report

    def _take_step(self, batches: list[list[int]]) -> Step:
        """One optimizer step over its batches; the loss is the mean over all of them together."""
        number = self.step + 1
        rate = learning_rate(
            number,
            steps=self.settings.steps,
            warmup=self.settings.warmup,
            peak=self.settings.learning_rate,
        )
        loss, tokens = 0.0, 0
        trainable(self.base.model, self.name)
        draw = f"{self.settings.seed}/{number}"
        parts = self.objective.parts(batches, draw=draw)
        count = max(1, sum(part.count for part in parts))
        with self._dropout(), drawn_from(self.base.device, draw):
            for part in parts:
                mean = part.loss() / count
                mean.backward()
                self.parts.collect()
                loss += float(mean.detach())
                tokens += part.tokens
        self._require_number("loss", loss, number, rate)
        self._update(number, rate)
        self.step = number
        self.losses.append(loss)
        return Step(number, loss, rate, tokens)

    def _require_number(self, what: str, value: float, number: int, rate: float) -> None:
        """Stops a training that has left the numbers behind."""
        if not math.isfinite(value):
            raise TrainingError(
                f"adapter `{self.name}`: the {what} is {value} at step {number} with learning rate "
                f"{rate:.2g}. Lower training.learning_rate, or lengthen training.warmup"
            )

    def _update(self, number: int, rate: float) -> None:
        """Clips the gradients, lets AdamW move the masters, and copies them into the model."""
        parts = self.parts
        norm = nn.utils.clip_grad_norm_(parts.masters.values(), self.settings.clip)
        self._require_number("gradient", float(norm), number, rate)
        for group in parts.optimizer.param_groups:
            group["lr"] = rate
        parts.optimizer.step()
        parts.optimizer.zero_grad(set_to_none=True)
        parts.publish()

    def _evaluate(self, share: float) -> Evaluation:
        """Scores the dev split with dropout off, and copies the weights out."""
        dev = self.objective.evaluate(tokens_per_batch=self.settings.tokens_per_batch)
        loss = sum(self.losses) / len(self.losses)
        self.losses = []
        return Evaluation(
            step=self.step,
            share=share,
            loss=loss,
            dev=dev,
            adapter={
                name: weight.detach().to("cpu", torch.float32, copy=True)
                for name, weight in read_weights(self.base.model, self.name).items()
            },
            head={
                name: weight.detach().to("cpu", copy=True)
                for name, weight in self.objective.head.state_dict().items()
            },
        )

    @contextmanager
    def _dropout(self) -> Iterator[None]:
        """Switches on the dropout of the head and of this adapter; other adapters' stays off."""
        own = [
            dropout
            for _, layer in adapter_layers(self.base.model)
            for adapter, dropout in layer.lora_dropout.items()
            if adapter == self.name
        ]
        modules = [self.objective.head, *own]
        try:
            for module in modules:
                module.train()
            yield
        finally:
            for module in modules:
                module.eval()


def _parts(base: Base, name: str, head: nn.Module, settings: Settings) -> Parts:
    """The trainable parameters, their float32 masters and the optimizer.

    Weight decay spares biases and LayerNorm, as in jiant and in fairseq's fine-tuning.
    """
    parameters = trainable(base.model, name)
    parameters |= {f"head.{key}": value for key, value in head.named_parameters()}
    masters = {key: value.detach().to(torch.float32).clone() for key, value in parameters.items()}
    decayed = [value for value in masters.values() if value.ndim > 1]
    spared = [value for value in masters.values() if value.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [
            {"params": decayed, "weight_decay": settings.weight_decay},
            {"params": spared, "weight_decay": 0.0},
        ],
        lr=settings.learning_rate,
        betas=(0.9, 0.999),
        eps=1e-8,
    )
    return Parts(parameters, masters, optimizer)
