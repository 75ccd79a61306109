"""Labelled texts made from rows, the dev part carved from train, and samples; no tokens."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from adaptstilts.data.rows import Rows, place
from adaptstilts.errors import DataError
from adaptstilts.task.declaration import Task


@dataclass(frozen=True)
class Examples:
    """Texts with their labels.

    Attributes:
        texts: Texts without surrounding white space, never empty.
        labels: Index of each text's label in the task's `labels`; as long as `texts`.
    """

    texts: list[str]
    labels: list[int]

    def __len__(self) -> int:
        return len(self.texts)


def examples(rows: Rows, task: Task) -> Examples:
    """Read rows as the examples of a task.

    Args:
        rows: Rows with the task's text and label columns.
        task: A classification task with one text column.

    Returns:
        One example a row, in the rows' order; surrounding white space is stripped (GLUE's SST-2
        keeps a space at the end of every sentence).

    Raises:
        DataError: A text is empty or no text, or a label is none of the task's; names file and row.
    """
    if len(task.text_columns) != 1:
        raise DataError(
            f"{task.name} has {len(task.text_columns)} text columns; only tasks with one text are "
            "read so far."
        )
    texts = [
        require_text(cell, task.text_columns[0], place(rows.provenance, index))
        for index, cell in enumerate(rows.columns[task.text_columns[0]])
    ]
    labels = [
        _require_label(cell, task, place(rows.provenance, index))
        for index, cell in enumerate(rows.columns[task.label_column])
    ]
    return Examples(texts, labels)


def carve_dev(whole: Examples, n: int) -> tuple[Examples, Examples]:
    """Split training examples into train and dev, by the texts alone.

    Dev holds the `n` rows whose texts have the smallest SHA-256, so that it is the same whatever
    order the rows come in. Rows with identical texts stay on one side: where such a group would
    make dev longer than `n`, it stays in train and the next text is taken.

    Args:
        whole: All examples.
        n: Number of dev rows, 0 or more.

    Returns:
        Train (in the given order) and dev (in the order of the digests); dev has fewer than `n`
        rows only where repeated texts leave no other way.

    Raises:
        DataError: Nothing would be left to train on.
        ValueError: `n` is negative.
    """
    if n < 0:
        raise ValueError(f"the number of dev rows must be 0 or more, not {n}")
    if n >= len(whole):
        raise DataError(
            f"{n} dev rows cannot be carved from {len(whole)} training rows; nothing would be left "
            "to train on. Use a larger training table."
        )
    keyed = sorted(
        (hashlib.sha256(text.encode()).digest(), label, index)
        for index, (text, label) in enumerate(zip(whole.texts, whole.labels, strict=True))
    )
    dev: list[int] = []
    for _, group in groupby(keyed, key=lambda item: item[0]):
        if len(dev) == n:
            break
        members = [index for _, _, index in group]
        if len(dev) + len(members) <= n:
            dev.extend(members)
    chosen = set(dev)
    train = (index for index in range(len(whole)) if index not in chosen)
    return _take(whole, train), _take(whole, dev)


def sample(whole: Examples, n: int, seed: int) -> Examples:
    """Draw examples without replacement, keeping their order.

    Args:
        whole: All examples.
        n: How many to draw; all are kept where there are no more than `n`.
        seed: Seed of the draw; one seed always draws the same rows.

    Returns:
        At most `n` examples.

    Raises:
        ValueError: `n` is less than 1.
    """
    if n < 1:
        raise ValueError(f"a sample must have at least 1 row, not {n}")
    if n >= len(whole):
        return whole
    return _take(whole, sorted(random.Random(seed).sample(range(len(whole)), n)))


def require_text(cell: Any, column: str, where: str) -> str:
    """Check that a cell is a text with something in it.

    Args:
        cell: The cell.
        column: Its column, for the error.
        where: Its file and row, for the error.

    Returns:
        The text without surrounding white space.

    Raises:
        DataError: The cell is missing (null), not a text, or empty.
    """
    if not isinstance(cell, str):
        what = "is missing (null)" if cell is None else f"is {cell!r}, a {type(cell).__name__}"
        raise DataError(f"{where}: `{column}` {what}, where a text is expected. Fix that row.")
    text = cell.strip()
    if not text:
        raise DataError(f"{where}: `{column}` is empty. Fix or remove that row.")
    return text


def _require_label(cell: Any, task: Task, where: str) -> int:
    """Check that a cell is the index of one of the task's labels."""
    allowed = ", ".join(f"{index} ({label})" for index, label in enumerate(task.labels))
    if isinstance(cell, bool) or not isinstance(cell, int):
        raise DataError(
            f"{where}: `{task.label_column}` is {cell!r}, a {type(cell).__name__}, where a whole "
            f"number is expected: {allowed}."
        )
    if not 0 <= cell < len(task.labels):
        hidden = " -1 marks hidden labels: use a split that has them." if cell == -1 else ""
        raise DataError(
            f"{where}: `{task.label_column}` is {cell}, which is none of {allowed}.{hidden}"
        )
    return cell


def _take(whole: Examples, indices: Iterable[int]) -> Examples:
    """The examples at the given rows."""
    kept = list(indices)
    return Examples([whole.texts[i] for i in kept], [whole.labels[i] for i in kept])
