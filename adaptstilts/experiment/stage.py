"""The stages of a plan: one unit of cached work each, described by values alone. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adaptstilts.alignment.protocol import Protocol
from adaptstilts.data.source import Source
from adaptstilts.recipe.adapter import Adapter, ControlKind
from adaptstilts.task.declaration import Table, Task


@dataclass(frozen=True)
class Located:
    """A table and the source that it is read from."""

    table: Table
    source: Source

    @property
    def name(self) -> str:
        """What the data are: the table's own name, or that of the bundled stand-in."""
        return "/".join(self._parts)

    @property
    def dataset(self) -> str:
        """The name without languages and split: `tatoeba`, `pocket/bitext`."""
        return "/".join(self._parts[: 2 if self._is_stand_in else 1])

    @property
    def _is_stand_in(self) -> bool:
        return self.source.name == "pocket"

    @property
    def _parts(self) -> list[str]:
        """The parts of the name; for a stand-in the first says so."""
        name = f"pocket/{self.table.pocket}" if self._is_stand_in else self.table.name
        return name.split("/")


@dataclass(frozen=True)
class Train:
    """Train one adapter, choose its checkpoint, score it on its own task.

    Attributes:
        name: The adapter.
        key: Hash of all that decides the result.
        adapter: Its section of the recipe; for a control that of the adapter it is a control of.
        task: What it is trained on.
        train: The training rows, of which the dev rows are a part.
        test: The rows that are scored.
        control: What kind of control it is; None for an adapter that is simply trained.
        of: The adapter that it is a control of; None for one that is simply trained.
        of_key: For a random adapter the key of the training whose size it takes; else None.
    """

    name: str
    key: str
    adapter: Adapter
    task: Task
    train: Located
    test: Located
    control: ControlKind | None = None
    of: str | None = None
    of_key: str | None = None
    kind: Literal["train"] = "train"


@dataclass(frozen=True)
class Update:
    """One adapter's part in a system.

    Attributes:
        adapter: Its name.
        training: Key of the stage that trains it.
        share: A snapshot's share of the training; None for the chosen checkpoint.
        weight: What the update is multiplied by.
    """

    adapter: str
    training: str
    share: float | None
    weight: float


@dataclass(frozen=True)
class Align:
    """Encode a benchmark with one system and find each sentence's nearest translation.

    Attributes:
        name: The system, with `@share` for a snapshot.
        key: Hash of all that decides the result.
        system: Name of the system in the recipe.
        seed: Seed of its training, or None for the bare base.
        trained_share: For a snapshot the share of the training; None for a finished system.
        updates: The adapters that are active.
        bitexts: The table of each language.
        layers: Indices into `hidden_states`.
    """

    name: str
    key: str
    system: str
    seed: int | None
    trained_share: float | None
    updates: tuple[Update, ...]
    bitexts: dict[str, Located]
    layers: tuple[int, ...]
    kind: Literal["align"] = "align"


@dataclass(frozen=True)
class Headline:
    """The figure that a measurement leads with.

    Attributes:
        layer: Index into `hidden_states`.
        why: Why this layer.
    """

    layer: int
    why: str


@dataclass(frozen=True)
class Score:
    """Turn what the systems of one measurement found into scores and effects.

    Attributes:
        name: The benchmark, with `during training` for the dynamics.
        key: Hash of all that decides the result.
        benchmark: Name of the data that are scored.
        protocol: How they are scored.
        headline: The figure to lead with.
        aligns: The stages whose results are scored.
        baseline: The stage that the others are compared with; None where it was not measured.
        bitexts: The table of each language.
    """

    name: str
    key: str
    benchmark: str
    protocol: Protocol
    headline: Headline
    aligns: tuple[Align, ...]
    baseline: Align | None
    bitexts: dict[str, Located]
    kind: Literal["score"] = "score"


Stage = Train | Align | Score
