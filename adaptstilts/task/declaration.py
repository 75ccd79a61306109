"""The shapes of a declaration: what a task or a benchmark consists of and where its rows are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class HubAddress:
    """A split of a dataset on the hub.

    Attributes:
        repo: Repository, such as `stanfordnlp/sst2`.
        revision: Full commit hash, so that the rows can never change.
        config: Name of the configuration; None for the only one.
        split: Name of the split.
    """

    repo: str
    revision: str
    config: str | None
    split: str


@dataclass(frozen=True)
class Table:
    """Rows with named columns, and every place where they can be found.

    Attributes:
        name: Name in records and messages, such as `sst2/train` or `tatoeba/de-en`; its first part
            is the dataset.
        columns: The columns that are read.
        mirror: Path under a mirror's root, without `.jsonl.gz`.
        hub: Address on the hub; None if it is not there.
        pocket: Name of the bundled stand-in, other and smaller data, such as `sentiment/en/train`;
            its first part is the dataset. None if there is none.
    """

    name: str
    columns: tuple[str, ...]
    mirror: str
    hub: HubAddress | None
    pocket: str | None


@dataclass(frozen=True)
class Task:
    """A labelled dataset with its head and metric.

    Attributes:
        name: Name in recipes.
        text_columns: The columns with the texts, in the order they are fed.
        label_column: The column with the label, an index into `labels`.
        labels: Names of the labels.
        head: Kind of output layer.
        metric: Name of the score.
        train: The training rows.
        dev_rows: Rows carved from `train` to choose the checkpoint.
        test: Rows that are scored and never used to choose anything.
        licence: Licence of the data, as its publisher states it.
        homepage: Address of the publisher.
        citation: The paper to cite.
    """

    name: str
    text_columns: tuple[str, ...]
    label_column: str
    labels: tuple[str, ...]
    head: Literal["classification"]
    metric: Literal["accuracy"]
    train: Table
    dev_rows: int
    test: Table
    licence: str
    homepage: str
    citation: str


@dataclass(frozen=True)
class Benchmark:
    """Tables of one kind in many languages.

    Attributes:
        name: Name in recipes.
        tables: The table of each language, by language code.
        licence: Licence of the data, as its publisher states it.
        homepage: Address of the publisher.
        citation: The paper to cite.
    """

    name: str
    tables: Mapping[str, Table]
    licence: str
    homepage: str
    citation: str


@dataclass(frozen=True)
class MiningTables:
    """The tables of two comparable corpora: two lists of sentences, a few of them translations.

    Attributes:
        foreign: The foreign sentences; columns are identifier and text.
        english: The English sentences, with the same columns.
        gold: The identifiers of the pairs; columns are the foreign and the English one.
    """

    foreign: Table
    english: Table
    gold: Table


@dataclass(frozen=True)
class MiningBenchmark:
    """Comparable corpora in several languages, in which translations are to be found.

    Attributes:
        name: Name in recipes.
        sets: By language code, then `dev` (where a threshold may be chosen) or `test`, the tables.
        licence: Licence of the data, as its publisher states it.
        homepage: Address of the publisher.
        citation: The paper to cite.
    """

    name: str
    sets: Mapping[str, Mapping[Literal["dev", "test"], MiningTables]]
    licence: str
    homepage: str
    citation: str
