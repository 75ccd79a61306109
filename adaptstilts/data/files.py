"""Tables of the user's own: tab-separated or JSON Lines files, each named by its path."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from adaptstilts.data import rows as rows_
from adaptstilts.data.rows import Provenance, Rows
from adaptstilts.errors import DataError
from adaptstilts.task.declaration import Table

TSV = (".tsv", ".tsv.gz")
JSONL = (".jsonl", ".jsonl.gz")
MOST_TOLD = 5
"""Most bad lines that one error names."""


@dataclass(frozen=True)
class Files:
    """Reads tables from files that the user names; every row has two sentences.

    A file may be edited while a run is at work. Results are kept under the digest that `identity`
    gave, so a file that has another by the time it is read is refused.

    Attributes:
        paths: Each table's file, by the table's name.
        name: Always `files`.
    """

    paths: Mapping[str, Path] = field(hash=False)
    name: str = "files"
    _told: dict[Path, str] = field(default_factory=dict, init=False, repr=False, compare=False)

    def has(self, table: Table) -> bool:
        """Whether the table's file is there.

        Args:
            table: The table.
        """
        return table.name in self.paths and self.paths[table.name].is_file()

    def where(self, table: Table) -> str:
        """The file that is (or would be) read.

        Args:
            table: The table.
        """
        path = self.paths.get(table.name)
        if path is None:
            return "the recipe names no file for it"
        return str(path) if path.is_file() else f"no file {path}"

    def identity(self, table: Table) -> str:
        """SHA-256 of the file's uncompressed bytes, and the columns that are read.

        The digest is that of the first call, whatever happens to the file: a plan whose stages
        take one file has one digest for it.

        Args:
            table: A table whose file is there.

        Raises:
            DataError: The file is missing or broken.
        """
        path = self.paths[table.name]
        if path not in self._told:
            self._told[path] = rows_.sha256(path)
        return f"{self._told[path]}:{','.join(table.columns)}"

    def count(self, table: Table) -> int:
        """Number of lines, without parsing them.

        Args:
            table: A table whose file is there.

        Raises:
            DataError: The file is missing or broken.
        """
        return rows_.count(self.paths[table.name])

    def read(self, table: Table) -> Rows:
        """The pairs of a file.

        Args:
            table: A table whose file is there. Where it declares no columns, the file must have
                just two; columns that are numbers are places, counted from 1: in a `.tsv` without
                a header, or in the first row of a `.jsonl`.

        Returns:
            Its two columns and their provenance.

        Raises:
            DataError: The file is missing, broken, of another kind, lacks a column, has lines
                that are no pair (names the first of them by their numbers), or is not what it was
                when `identity` was asked.
        """
        path = self.paths[table.name]
        name = path.name.lower()
        if name.endswith(TSV):
            columns, digest = _read_tsv(path, table.columns)
        elif name.endswith(JSONL):
            columns, digest = rows_.read_jsonl(path, _names(path, table.columns))
        else:
            raise DataError(
                f"{path}: pairs are read from {', '.join((*TSV, *JSONL))} files; convert it, or "
                "give it the name of what it is."
            )
        if self._told.get(path, digest) != digest:
            raise DataError(
                f"{path} changed since the run began; what was read would be kept under the name "
                "of what it held before. Leave the file alone meanwhile, and run again."
            )
        n = len(next(iter(columns.values())))
        return Rows(columns, Provenance(table.name, self.name, str(path), None, digest, n))


def count_columns(path: Path) -> int:
    """Number of columns in the first row of a `.tsv` or `.jsonl` file.

    Args:
        path: The file; either may be `.gz`.

    Raises:
        DataError: The file is missing or broken, or its first row is no JSON object.
    """
    first = rows_.read_bytes(path).split(b"\n", maxsplit=1)[0]
    if path.name.lower().endswith(JSONL):
        return len(rows_.parse(first, f"{path}, row 1"))
    return first.count(b"\t") + 1


def _are_places(columns: tuple[str, ...]) -> bool:
    """Whether columns are meant by their places, not by their names."""
    return bool(columns) and all(column.isdecimal() for column in columns)


def _places(path: Path, columns: tuple[str, ...], width: int) -> tuple[int, int]:
    """Two places, counted from 0."""
    first, second = (int(column) - 1 for column in columns)
    if not (0 <= first < width and 0 <= second < width):
        raise DataError(f"{path} has {width} columns; there is none at {', '.join(columns)}.")
    return first, second


def _names(path: Path, columns: tuple[str, ...]) -> tuple[str, ...]:
    """The names of two columns of a JSON Lines file, by its first row where they are not told."""
    if columns and not _are_places(columns):
        return columns
    first = rows_.read_bytes(path).split(b"\n", maxsplit=1)[0]
    names = tuple(rows_.parse(first, f"{path}, row 1"))
    if columns:
        return tuple(names[place] for place in _places(path, columns, len(names)))
    if len(names) != 2:
        raise DataError(
            f"{path}: {len(names)} columns ({', '.join(names)}) where two are needed; say which "
            "two with `columns: [first, second]`."
        )
    return names


def _read_tsv(path: Path, columns: tuple[str, ...]) -> tuple[dict[str, list[str]], str]:
    """Reads two tab-separated columns; with columns by name the first line is their header."""
    content = rows_.read_bytes(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(f"{path}, line {line}: not UTF-8; convert the file to UTF-8.") from error
    lines = text.split("\n")
    if lines and not lines[-1]:
        lines.pop()
    cells = [line.rstrip("\r").split("\t") for line in lines]
    start, width, wanted = 0, 2, (0, 1)
    if _are_places(columns):
        width = len(cells[0]) if cells else 2
        wanted = _places(path, columns, width)
    elif columns and cells:
        header = cells[0]
        rows_.require_columns(dict.fromkeys(header), columns, f"{path}, line 1 (the header)")
        start, width = 1, len(header)
        wanted = (header.index(columns[0]), header.index(columns[1]))
    bad = [
        f"line {number}: {_trouble(row, width, wanted)}"
        for number, row in enumerate(cells[start:], start=start + 1)
        if _trouble(row, width, wanted)
    ]
    if bad:
        more = f" (and {len(bad) - MOST_TOLD} more)" if len(bad) > MOST_TOLD else ""
        raise DataError(
            f"{path}: {len(bad)} of {len(cells) - start} lines are no pair of sentences: "
            f"{'; '.join(bad[:MOST_TOLD])}{more}. Each line is a sentence, a tab, its translation."
        )
    if len(cells) == start:
        raise DataError(f"{path} has no pairs.")
    names = columns or ("first", "second")
    found = {
        name: [row[place] for row in cells[start:]]
        for name, place in zip(names, wanted, strict=True)
    }
    return found, hashlib.sha256(content).hexdigest()


def _trouble(row: list[str], width: int, wanted: tuple[int, int]) -> str:
    """What is wrong with a line; empty where nothing is."""
    if len(row) != width:
        return f"{len(row)} columns where there should be {width}"
    empty = [place + 1 for place in wanted if not row[place].strip()]
    return f"column {empty[0]} is empty" if empty else ""
