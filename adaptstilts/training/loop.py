"""The training loop: a generator that computes and reports, and touches no file.

The base stays in `eval()` mode: it is frozen, so its own dropout is off, and only the adapter's and
the head's dropout act. The seed and the step's number alone decide what they draw, so nothing that
happens between two steps can change it, and a resumed training needs no generator's state.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn import functional

from adaptstilts.adapter.attach import adapter_layers, read_weights, trainable
from adaptstilts.base.load import Base
from adaptstilts.data.batches import collate, length_sorted
from adaptstilts.errors import TrainingError
from adaptstilts.training.batches import step_batches
from adaptstilts.training.schedule import evaluation_steps, learning_rate
from adaptstilts.training.state import State, capture, restore


@dataclass(frozen=True)
class Labelled:
    """Tokenised texts with the index of each one's label."""

    token_ids: Sequence[Sequence[int]]
    labels: Sequence[int]


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
        loss: Mean cross-entropy of the step's texts, in nats.
        learning_rate: The rate of this step.
        tokens: Tokens of the step's texts, without padding.
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
        accuracy: On the dev split, 0–1.
        predictions: The label predicted for each dev text.
        adapter: The adapter's weights by PEFT's names, float32.
        head: The head's weights.
    """

    step: int
    share: float
    loss: float
    accuracy: float
    predictions: list[int]
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
        head: The task's head, on the base's device.
        train: What is trained on.
        dev: What checkpoints are chosen by.
        settings: All else that decides the result.
        state: Where an earlier run stopped, or None to begin.

    Raises:
        TrainingError: There is nothing to train on, or nothing to choose checkpoints by.
    """

    def __init__(
        self,
        base: Base,
        name: str,
        head: nn.Module,
        *,
        train: Labelled,
        dev: Labelled,
        settings: Settings,
        state: State | None = None,
    ) -> None:
        if not train.token_ids or not dev.token_ids:
            raise TrainingError(
                f"adapter `{name}`: there are {len(train.token_ids)} texts to train on and "
                f"{len(dev.token_ids)} to choose checkpoints by; at least one of each is needed"
            )
        self.base, self.name, self.head = base, name, head
        self.train, self.dev, self.settings = train, dev, settings
        self.parts = _parts(base, name, head, settings)
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
            [len(ids) for ids in self.train.token_ids],
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
        """One optimizer step over its batches; the loss is the mean over all their texts."""
        number = self.step + 1
        rate = learning_rate(
            number,
            steps=self.settings.steps,
            warmup=self.settings.warmup,
            peak=self.settings.learning_rate,
        )
        texts = sum(map(len, batches))
        loss, tokens = 0.0, 0
        trainable(self.base.model, self.name)
        self.head.train()
        _dropout(self.base.model, self.name, is_on=True)
        with torch.random.fork_rng(devices=_generators(self.base.device)):
            torch.manual_seed(random.Random(f"{self.settings.seed}/{number}").getrandbits(63))
            for batch in batches:
                ids = [self.train.token_ids[index] for index in batch]
                scores = self._scores(ids)
                labels = torch.as_tensor([self.train.labels[index] for index in batch])
                total = functional.cross_entropy(scores, labels.to(scores.device), reduction="sum")
                mean = total / texts
                mean.backward()
                self.parts.collect()
                loss += float(mean.detach())
                tokens += sum(map(len, ids))
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
        """Scores the dev split with dropout off."""
        predictions = self.predict(self.dev.token_ids)
        correct = sum(map(int.__eq__, predictions, self.dev.labels))
        loss = sum(self.losses) / len(self.losses)
        self.losses = []
        return Evaluation(
            step=self.step,
            share=share,
            loss=loss,
            accuracy=correct / len(predictions),
            predictions=predictions,
            adapter={
                name: weight.detach().to("cpu", torch.float32, copy=True)
                for name, weight in read_weights(self.base.model, self.name).items()
            },
            head={
                name: weight.detach().to("cpu", copy=True)
                for name, weight in self.head.state_dict().items()
            },
        )

    def predict(self, token_ids: Sequence[Sequence[int]]) -> list[int]:
        """The label with the highest score for each text, with this training's weights."""
        self.head.eval()
        _dropout(self.base.model, self.name, is_on=False)
        predictions = [0] * len(token_ids)
        budget = self.settings.tokens_per_batch
        with torch.no_grad():
            for batch in length_sorted([len(ids) for ids in token_ids], tokens_per_batch=budget):
                best = self._scores([token_ids[index] for index in batch]).argmax(dim=1)
                for index, label in zip(batch, best.tolist(), strict=True):
                    predictions[index] = label
        return predictions

    def _scores(self, token_ids: Sequence[Sequence[int]]) -> Tensor:
        """The head's scores for some texts, shape [texts, labels]."""
        padding_id = self.base.model.config.pad_token_id
        input_ids, mask = collate(token_ids, padding_id=padding_id, rows=self.base.rows)
        input_ids, mask = input_ids.to(self.base.device), mask.to(self.base.device)
        states = self.base.model(input_ids=input_ids, attention_mask=mask).last_hidden_state
        scores: Tensor = self.head(states, mask)
        return scores


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


def _generators(device: torch.device) -> list[int]:
    """The CUDA devices whose random numbers a step draws, beside the CPU's."""
    return [torch.cuda.current_device()] if device.type == "cuda" else []


def _dropout(model: nn.Module, name: str, *, is_on: bool) -> None:
    """Switches one adapter's own dropout; those of other adapters stay off."""
    for _, layer in adapter_layers(model):
        for adapter, dropout in layer.lora_dropout.items():
            dropout.train(is_on and adapter == name)
