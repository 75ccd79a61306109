from __future__ import annotations

import hashlib
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from adaptstilts.data.classification import Examples, carve_dev, examples, sample
from adaptstilts.data.mirror import Mirror
from adaptstilts.data.rows import Provenance, Rows
from adaptstilts.errors import DataError
from adaptstilts.task.registry import TASKS

SST2 = TASKS["sst2"]

# Few distinct texts, so that repeats (with equal and with other labels) are common.
pairs = st.lists(st.tuples(st.text("ab", max_size=3), st.integers(0, 1)), min_size=1, max_size=30)


def made(items: list[tuple[str, int]]) -> Examples:
    return Examples([text for text, _ in items], [label for _, label in items])


def items(examples: Examples) -> list[tuple[str, int]]:
    return list(zip(examples.texts, examples.labels, strict=True))


def rows(**columns: list[Any]) -> Rows:
    n = len(next(iter(columns.values())))
    return Rows(columns, Provenance("sst2/train", "mirror", "/m/train.jsonl.gz", None, "0", n))


@given(pairs, st.integers(0, 30), st.randoms(use_true_random=False))
def test_dev_does_not_depend_on_the_order_of_rows(
    whole: list[tuple[str, int]], n: int, shuffler: random.Random
) -> None:
    assume(n < len(whole))
    train, dev = carve_dev(made(whole), n)
    shuffled = list(whole)
    shuffler.shuffle(shuffled)
    other_train, other_dev = carve_dev(made(shuffled), n)
    assert other_dev == dev
    assert Counter(items(other_train)) == Counter(items(train))


@given(pairs, st.integers(0, 30))
def test_identical_texts_are_on_one_side_and_nothing_is_lost(
    whole: list[tuple[str, int]], n: int
) -> None:
    assume(n < len(whole))
    train, dev = carve_dev(made(whole), n)
    assert not set(train.texts) & set(dev.texts)
    assert Counter(items(train)) + Counter(items(dev)) == Counter(whole)
    assert len(dev) <= n
    assert len(train) >= 1
    # Dev falls short only where no text that is left would fit.
    assert all(len(dev) + count > n for count in Counter(train.texts).values())


@given(st.sets(st.text(max_size=5), min_size=2, max_size=40), st.data())
def test_dev_of_distinct_texts_is_the_smallest_digests(
    texts: set[str], data: st.DataObject
) -> None:
    whole = [(text, 0) for text in texts]
    n = data.draw(st.integers(0, len(whole) - 1))
    train, dev = carve_dev(made(whole), n)
    ordered = sorted(texts, key=lambda text: hashlib.sha256(text.encode()).digest())
    assert dev.texts == ordered[:n]
    assert train.texts == [text for text, _ in whole if text not in dev.texts]


def test_carving_everything_is_refused() -> None:
    with pytest.raises(DataError, match="2 dev rows cannot be carved from 2 training rows"):
        carve_dev(Examples(["a", "b"], [0, 1]), 2)
    with pytest.raises(ValueError, match="not -1"):
        carve_dev(Examples(["a", "b"], [0, 1]), -1)


@given(pairs, st.integers(1, 40), st.integers(0, 99))
def test_a_sample_is_an_ordered_part(whole: list[tuple[str, int]], n: int, seed: int) -> None:
    everything = made([(f"{index} {text}", label) for index, (text, label) in enumerate(whole)])
    drawn = sample(everything, n, seed)
    assert drawn == sample(everything, n, seed)
    assert len(drawn) == min(n, len(everything))
    remaining = iter(items(everything))
    assert all(item in remaining for item in items(drawn))


def test_a_sample_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 row"):
        sample(Examples(["a"], [0]), 0, 1)


def test_rows_become_examples_without_surrounding_space() -> None:
    read = examples(rows(sentence=["it sings ", " it sinks\n"], label=[1, 0]), SST2)
    assert read == Examples(["it sings", "it sinks"], [1, 0])
    assert len(read) == 2


@pytest.mark.parametrize(
    ("sentence", "label", "words"),
    [
        (None, 0, "`sentence` is missing (null)"),
        (7, 0, "`sentence` is 7, a int, where a text is expected"),
        (" \t", 0, "`sentence` is empty"),
        ("x", "1", "`label` is '1', a str, where a whole number is expected: 0 (negative), 1"),
        ("x", None, "`label` is None"),
        ("x", True, "`label` is True, a bool"),
        ("x", 1.0, "`label` is 1.0, a float"),
        ("x", 2, "`label` is 2, which is none of 0 (negative), 1 (positive)."),
        ("x", -1, "-1 marks hidden labels"),
    ],
)
def test_a_bad_cell_is_named(sentence: Any, label: Any, words: str) -> None:
    with pytest.raises(DataError) as caught:
        examples(rows(sentence=["fine", sentence], label=[1, label]), SST2)
    assert str(caught.value).startswith("/m/train.jsonl.gz, row 2: ")
    assert words in str(caught.value)


def test_tasks_with_two_texts_are_not_read_yet() -> None:
    task = replace(SST2, text_columns=("premise", "hypothesis"))
    with pytest.raises(DataError, match="2 text columns"):
        examples(rows(premise=["a"], hypothesis=["b"], label=[0]), task)


@pytest.mark.mirror
def test_sst2_of_the_mirror(mirror: Path) -> None:
    source = Mirror(mirror)
    whole = examples(source.read(SST2.train), SST2)
    assert Counter(whole.labels) == {0: 29_780, 1: 37_569}
    train, dev = carve_dev(whole, SST2.dev_rows)
    assert len(dev) == SST2.dev_rows
    assert len(train) == 67_349 - SST2.dev_rows
    assert 0.5 < sum(dev.labels) / len(dev) < 0.62
    test = examples(source.read(SST2.test), SST2)
    assert Counter(test.labels) == {0: 428, 1: 444}
