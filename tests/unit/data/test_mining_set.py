"""Comparable corpora from rows, and what is wrong with rows that are not."""

from __future__ import annotations

import pytest

from adaptstilts.data.mining_set import MiningSet, mining_set
from adaptstilts.data.rows import Provenance, Rows
from adaptstilts.errors import DataError


def rows(name: str, **columns: list[object]) -> Rows:
    n = len(next(iter(columns.values())))
    return Rows(columns, Provenance(name, "mirror", f"{name}.jsonl", None, "0" * 64, n))


FOREIGN = {"id": ["zh-1", "zh-2", "zh-3"], "text": [" 你好。\n", "再见。", "你好。"]}
ENGLISH = {"id": ["en-1", "en-2"], "text": ["Goodbye.", "Hello."]}
GOLD = {"source_id": ["zh-1", "zh-2"], "target_id": ["en-2", "en-1"]}


def read(foreign: dict = FOREIGN, english: dict = ENGLISH, gold: dict = GOLD) -> MiningSet:
    return mining_set(
        rows("zh", **foreign),
        rows("en", **english),
        rows("gold", **gold),
        name="bucc2018/zh-en/dev",
        language="zh",
    )


def test_gold_identifiers_become_rows() -> None:
    found = read()
    assert (found.name, found.language) == ("bucc2018/zh-en/dev", "zh")
    assert found.foreign == ["你好。", "再见。", "你好。"]
    assert found.english == ["Goodbye.", "Hello."]
    assert found.gold.tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"gold": {"source_id": ["zh-1", "zh-9"], "target_id": ["en-2", "en-1"]}},
            r"gold.jsonl, row 2: source_id 'zh-9' is no sentence of zh.jsonl.*fetch them again",
        ),
        (
            {"gold": {"source_id": ["en-1"], "target_id": ["zh-1"]}},
            "row 1: source_id 'en-1' is no sentence of zh.jsonl",
        ),
        ({"gold": {"source_id": [None], "target_id": ["en-1"]}}, "`source_id` is missing"),
        ({"gold": {"source_id": [], "target_id": []}}, "gold.jsonl has no gold pairs"),
        ({"gold": {"source": ["zh-1"]}}, "no column `source_id`; did you mean `source`"),
        (
            {"english": {"id": ["en-1", "en-1"], "text": ["a", "b"]}},
            "en.jsonl, row 2: `id` 'en-1' stands in row 1 too",
        ),
        ({"foreign": {"id": [], "text": []}}, "zh.jsonl has no rows"),
        ({"foreign": {"id": ["zh-1"], "text": ["  "]}}, "zh.jsonl, row 1: `text` is empty"),
    ],
)
def test_what_is_wrong_is_told_with_its_row(changed: dict, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read(**changed)
