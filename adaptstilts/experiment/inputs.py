"""The rows that stages read, as texts, and the records of where they came from."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from adaptstilts.data.bitext import Bitext, bitext
from adaptstilts.data.classification import Examples, carve_dev, examples, sample
from adaptstilts.errors import DataError
from adaptstilts.experiment.stage import Located, Train

# Small data sets cannot spare a task's full number of dev rows: at most a fifth goes to dev.
LARGEST_DEV_SHARE = 0.2


@dataclass(frozen=True)
class TaskTexts:
    """A task's rows: what is trained on, what chooses the checkpoint, what is scored."""

    train: Examples
    dev: Examples
    test: Examples
    data: list[dict[str, Any]]


def task_texts(stage: Train) -> TaskTexts:
    """Reads a task's tables and carves the dev rows out of the training rows.

    Raises:
        DataError: A table is broken, or too small to train on.
    """
    train_rows = stage.train.source.read(stage.train.table)
    test_rows = stage.test.source.read(stage.test.table)
    whole = examples(train_rows, stage.task)
    dev_rows = min(stage.task.dev_rows, int(len(whole) * LARGEST_DEV_SHARE))
    if dev_rows == 0:
        raise DataError(
            f"{train_rows.provenance.location}: {len(whole)} rows are too few to train on; at "
            "least 5 are needed, of which one is held out to choose the checkpoint"
        )
    train, dev = carve_dev(whole, dev_rows)
    settings = stage.adapter.training
    if settings.rows is not None and settings.rows < len(train):
        train = sample(train, settings.rows, seed=settings.seed)
    provenance = [asdict(rows.provenance) for rows in (train_rows, test_rows)]
    return TaskTexts(train, dev, examples(test_rows, stage.task), provenance)


def read_bitexts(bitexts: dict[str, Located]) -> tuple[list[Bitext], list[dict[str, Any]]]:
    """Reads the table of each language.

    Returns:
        The bitexts and, for the record, where each came from.
    """
    texts, provenance = [], []
    for language, located in bitexts.items():
        rows = located.source.read(located.table)
        texts.append(bitext(rows, language))
        provenance.append(asdict(rows.provenance))
    return texts, provenance
