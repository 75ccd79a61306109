"""The stages of a plan: one unit of cached work each, described by values alone. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from adaptstilts.alignment.mining_protocol import MiningProtocol
from adaptstilts.alignment.protocol import Protocol
from adaptstilts.data.source import Source
from adaptstilts.metric.knn import Backend
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
    def identity(self) -> str:
        """What decides its content."""
        return self.source.identity(self.table)

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
        name: The adapter, with its seed where the recipe has several.
        key: Hash of all that decides the result.
        adapter_name: The adapter's name in the recipe.
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
    adapter_name: str
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
class Extras:
    """What an encoding gives beside each query's nearest neighbour.

    Attributes:
        everything: Whether all of `alignment.neighbours` is kept: ranks, margins, CSLS, hubs.
        spaces: Post-processings whose nearest neighbours are kept too.
        geometry: Whether the space itself is measured.
    """

    everything: bool
    spaces: tuple[str, ...]
    geometry: bool


NO_EXTRAS = Extras(everything=False, spaces=(), geometry=False)


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
        first_layer: The lowest layer that an adapter changes, from 1; for the bare base one more
            than there are.
        extras: What is kept beside nearest neighbours.
    """

    name: str
    key: str
    system: str
    seed: int | None
    trained_share: float | None
    updates: tuple[Update, ...]
    bitexts: dict[str, Located]
    layers: tuple[int, ...]
    first_layer: int = 1
    extras: Extras = NO_EXTRAS
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
class Selection:
    """How a measurement's layer is chosen, always by the baseline.

    Attributes:
        on: By held-out sentences, by the other languages, or by the scored rows (`oracle`).
        layers: The candidates.
        aligns: With `held_out` the encodings of the held-out sentences, one for each seed.
    """

    on: Literal["held_out", "leave_languages_out", "oracle"]
    layers: tuple[int, ...]
    aligns: tuple[Align, ...]


@dataclass(frozen=True)
class Score:
    """Turn what the systems of one measurement found into scores and effects.

    Attributes:
        name: The benchmark, with `during training` for the dynamics.
        key: Hash of all that decides the result.
        benchmark: Name of the data that are scored.
        protocol: How they are scored.
        headline: The figure to lead with; None where its layer is chosen.
        selection: How it is chosen; None where it is named in advance.
        aligns: The stages whose results are scored.
        contrasts: Pairs of systems, the second a control of the first, that are compared too.
        baselines: The stages of the system that the others are compared with: one, or one for
            each seed; none where it was not measured.
        bitexts: The table of each language.
        references: Other encoders, whose rows stand beside those of the systems.
        everything: Whether metrics beside the protocol's own are given.
    """

    name: str
    key: str
    benchmark: str
    protocol: Protocol
    headline: Headline | None
    selection: Selection | None
    aligns: tuple[Align, ...]
    contrasts: tuple[tuple[str, str], ...]
    baselines: tuple[Align, ...]
    bitexts: dict[str, Located]
    references: tuple[Refer, ...] = ()
    everything: bool = False
    kind: Literal["score"] = "score"


@dataclass(frozen=True)
class Refer:
    """Measure a benchmark with a reference encoder: another one than the studied base.

    Attributes:
        name: Its name in the recipe.
        key: Hash of all that decides the result.
        encoder: A sentence-transformers model (folder or hub repository) or `module:attribute`.
        revision: The commit of a hub repository.
        prefix: Put before every sentence.
        device: Where a sentence-transformers model is put.
        bitexts: The table of each language.
        everything: As in `Extras`.
    """

    name: str
    key: str
    encoder: str
    revision: str | None
    prefix: str
    device: str
    bitexts: dict[str, Located]
    everything: bool
    kind: Literal["refer"] = "refer"


@dataclass(frozen=True)
class Corpora:
    """The tables of comparable corpora, all from one source.

    Attributes:
        foreign: The foreign sentences.
        english: The English sentences.
        gold: The pairs that are translations.
    """

    foreign: Located
    english: Located
    gold: Located

    @property
    def name(self) -> str:
        """Which set it is, such as `bucc2018/zh-en/dev`."""
        return self.foreign.name.rpartition("/")[0]

    @property
    def tables(self) -> tuple[Located, Located, Located]:
        """All three tables."""
        return self.foreign, self.english, self.gold


Split = Literal["dev", "test"]


@dataclass(frozen=True)
class Mine:
    """Encode comparable corpora with one system at one layer, and mine pairs from them.

    Attributes:
        name: The system, with its seed where the recipe has several.
        key: Hash of all that decides the result.
        system: Name of the system in the recipe.
        seed: Seed of its training, or None for the bare base.
        updates: The adapters that are active.
        protocol: How pairs are mined.
        layer: Index into `hidden_states`.
        search: Who searches.
        corpora: By language and split.
    """

    name: str
    key: str
    system: str
    seed: int | None
    updates: tuple[Update, ...]
    protocol: MiningProtocol
    layer: int
    search: Backend
    corpora: dict[str, dict[Split, Corpora]]
    kind: Literal["mine"] = "mine"


@dataclass(frozen=True)
class ScoreMined:
    """Turn what the systems of one measurement mined into scores, effects and curves.

    Attributes:
        name: The protocol.
        key: Hash of all that decides the result.
        benchmark: The set that is scored, such as `bucc2018/dev`.
        protocol: How it is scored; its name tells what differs from the published protocol.
        layer: The layer that was mined.
        why: Why this layer, and what chose the threshold.
        mines: The stages whose results are scored.
        contrasts: As in `Score`.
        baselines: As in `Score`.
    """

    name: str
    key: str
    benchmark: str
    protocol: MiningProtocol
    layer: int
    why: str
    mines: tuple[Mine, ...]
    contrasts: tuple[tuple[str, str], ...]
    baselines: tuple[Mine, ...]
    kind: Literal["score"] = "score"

    @property
    def chosen(self) -> Literal["oracle", "held_out"]:
        """What chose the threshold."""
        return "oracle" if self.protocol.is_oracle else "held_out"


Stage = Train | Align | Score | Refer | Mine | ScoreMined


def tables_of(stage: Stage) -> list[Located]:
    """The tables that a stage reads."""
    if isinstance(stage, Train):
        return [stage.train, stage.test]
    if isinstance(stage, Mine):
        sets = [one for splits in stage.corpora.values() for one in splits.values()]
        return [table for one in sets for table in one.tables]
    return [] if isinstance(stage, ScoreMined) else list(stage.bitexts.values())
