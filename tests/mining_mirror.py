"""A mirror with a set of BUCC 2018 on disk: made of given sentences, or cut out of the real one."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

Row = dict[str, str]


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def read_rows(path: Path) -> list[Row]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def write_set(
    root: Path,
    pairs: Sequence[tuple[str, str]],
    *,
    language: str = "de",
    split: str = "dev",
    alone: int = 0,
) -> None:
    """Writes a set; the last `alone` pairs are torn apart, so that they have no translation.

    Of these, each side keeps every second sentence.
    """
    folder = root / "bucc2018" / (f"{language}-en" + (".test" if split == "test" else ""))
    whole = len(pairs) - alone
    foreign = [*range(whole), *range(whole, len(pairs), 2)]
    english = [*range(whole), *range(whole + 1, len(pairs), 2)]
    write_rows(
        folder / f"{language}.jsonl.gz", [{"id": f"f{i}", "text": pairs[i][0]} for i in foreign]
    )
    write_rows(folder / "en.jsonl.gz", [{"id": f"e{i}", "text": pairs[i][1]} for i in english])
    write_rows(
        folder / "gold.jsonl.gz",
        [{"source_id": f"f{i}", "target_id": f"e{i}"} for i in range(whole)],
    )


def cut_set(source: Path, root: Path, *, pairs: int, sentences: int) -> None:
    """Copies the first gold pairs of the real Chinese set among so many sentences a side."""
    gold = read_rows(source / "bucc2018/zh-en/gold.jsonl.gz")[:pairs]
    write_rows(root / "bucc2018/zh-en/gold.jsonl.gz", gold)
    for side, column in (("zh", "source_id"), ("en", "target_id")):
        rows = read_rows(source / f"bucc2018/zh-en/{side}.jsonl.gz")
        named = {pair[column] for pair in gold}
        own = [row for row in rows if row["id"] in named]
        rest = [row for row in rows if row["id"] not in named]
        write_rows(root / f"bucc2018/zh-en/{side}.jsonl.gz", [*own, *rest[: sentences - len(own)]])
