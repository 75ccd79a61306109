"""Rows of one table, where they came from, and how JSON Lines are read; not what rows mean."""

from __future__ import annotations

import difflib
import gzip
import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from adaptstilts.errors import DataError

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Provenance:
    """Where rows came from, precise enough to find the same bytes again.

    Attributes:
        table: Name of the table; `pocket/…` where the bundled stand-in was read.
        source: `mirror`, `hub` or `pocket`.
        location: The file or hub address that was read.
        revision: Commit on the hub; None for files.
        sha256: Digest of the uncompressed JSON Lines (for the hub: of `jsonl(columns)`).
        n: Number of rows.
    """

    table: str
    source: str
    location: str
    revision: str | None
    sha256: str
    n: int


@dataclass(frozen=True)
class Rows:
    """The columns of one table that were asked for, all of one length.

    Attributes:
        columns: Column name → cells, in row order.
        provenance: Where the rows came from.
    """

    columns: dict[str, list[Any]]
    provenance: Provenance

    def __len__(self) -> int:
        return self.provenance.n


def place(provenance: Provenance, index: int) -> str:
    """The words by which an error names a row, given its index counted from 0."""
    return f"{provenance.location}, row {index + 1}"


def read_bytes(path: Path) -> bytes:
    """Content of a `.jsonl` file, or uncompressed content of a `.jsonl.gz` file.

    Args:
        path: The file; it is taken for gzip when its name ends in `.gz`.

    Returns:
        The uncompressed bytes.

    Raises:
        DataError: The file is missing, cannot be read, or is not whole gzip.
    """
    return b"".join(_chunks(path))


def sha256(path: Path) -> str:
    """SHA-256 (hexadecimal) of a file's uncompressed bytes; remembered until the file changes.

    Args:
        path: A `.jsonl` or `.jsonl.gz` file.

    Returns:
        64 hexadecimal digits.

    Raises:
        DataError: As `read_bytes`.
    """
    return _measured(path)[0]


def count(path: Path) -> int:
    """Number of rows (lines) of a file, without parsing them; remembered until the file changes.

    Args:
        path: A `.jsonl` or `.jsonl.gz` file.

    Returns:
        The number of lines, an unended last one included.

    Raises:
        DataError: As `read_bytes`.
    """
    return _measured(path)[1]


def read_jsonl(
    path: Path, columns: Sequence[str], *, location: str = ""
) -> tuple[dict[str, list[Any]], str]:
    """Read the named columns of a JSON Lines file.

    Args:
        path: A `.jsonl` or `.jsonl.gz` file, UTF-8, one object a line.
        columns: Columns to keep; every row must have each of them.
        location: What errors call the file, where that is not its path.

    Returns:
        The columns (all of one length) and the SHA-256 of the uncompressed bytes.

    Raises:
        DataError: The file is missing, broken, empty, not UTF-8, not JSON objects, or lacks a
            column; the message names the file and the row, counted from 1.
    """
    location = location or str(path)
    content = read_bytes(path)
    if not content.strip():
        raise DataError(f"{location} has no rows; fetch it again, or take it out of the mirror.")
    cells: dict[str, list[Any]] = {column: [] for column in columns}
    for number, line in enumerate(_lines(content), start=1):
        row = parse(line, f"{location}, row {number}")
        require_columns(row, columns, f"{location}, row {number}")
        for column in columns:
            cells[column].append(row[column])
    return cells, hashlib.sha256(content).hexdigest()


def jsonl(columns: Mapping[str, Sequence[Any]]) -> bytes:
    r"""Columns as canonical JSON Lines: the format of a mirror's file before compression.

    Args:
        columns: Column name → cells, all of one length.

    Returns:
        UTF-8; one object a line, keys in the order of `columns`, `", "` and `": "` between, no
        escapes beyond JSON's own, `\n` after every row.
    """
    names = list(columns)
    return "".join(
        json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) + "\n"
        for row in zip(*columns.values(), strict=True)
    ).encode()


def require_columns(present: Mapping[str, Any], columns: Sequence[str], where: str) -> None:
    """Check that every column is there.

    Args:
        present: A row or a table, by column name.
        columns: The columns that must be in it.
        where: What the error calls the place.

    Raises:
        DataError: A column is missing; names it and the nearest one that is there.
    """
    for column in columns:
        if column in present:
            continue
        near = difflib.get_close_matches(column, list(present), n=1)
        hint = f"; did you mean `{near[0]}`?" if near else "."
        there = ", ".join(f"`{name}`" for name in present) or "none"
        raise DataError(
            f"{where}: no column `{column}`{hint} The columns there are {there}. "
            "Rename the column in the file to the hub's name."
        )


def parse(line: bytes, where: str) -> dict[str, Any]:
    """One line as a JSON object.

    Args:
        line: The line, without its end.
        where: What an error calls it.

    Raises:
        DataError: It is not UTF-8, not JSON, or no object.
    """
    try:
        row = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as err:
        raise DataError(
            f"{where}: not UTF-8 (byte {err.start + 1} is 0x{line[err.start]:02x}); "
            "convert the file to UTF-8."
        ) from err
    except json.JSONDecodeError as err:
        what = f"{err.msg} at column {err.colno}" if line.strip() else "the line is empty"
        raise DataError(f"{where}: not JSON ({what}); each line must be one JSON object.") from err
    if not isinstance(row, dict):
        raise DataError(
            f"{where}: a {type(row).__name__}, where one JSON object a line is expected, such as "
            '{"sentence": "…", "label": 1}.'
        )
    return row


def _lines(content: bytes) -> Iterator[bytes]:
    r"""Lines split at `\n` only: U+2028 and its like are text inside a row."""
    lines = content.split(b"\n")
    if not lines[-1]:
        lines.pop()
    yield from lines


def _chunks(path: Path) -> Iterator[bytes]:
    """A file's uncompressed bytes in pieces, with every trouble told as a DataError."""
    opener: Callable[..., Any] = gzip.open if path.suffix.lower() == ".gz" else open
    try:
        with opener(path, "rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk
    except (gzip.BadGzipFile, EOFError, zlib.error) as err:
        raise DataError(
            f"{path}: broken gzip ({err}); the file was cut off or damaged: fetch it again."
        ) from err
    except FileNotFoundError as err:
        raise DataError(f"{path}: no such file; check the folder given as the mirror.") from err
    except OSError as err:
        raise DataError(f"{path}: cannot be read ({err.strerror or err}).") from err


def _measured(path: Path) -> tuple[str, int]:
    """Digest and line count of a file as it is now."""
    try:
        state = path.stat()
    except OSError as err:
        raise DataError(f"{path}: cannot be read ({err.strerror or err}).") from err
    return _measure(path, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=4096)
def _measure(path: Path, bytes_: int, modified: int) -> tuple[str, int]:
    """Digest and line count; size and time are only there to forget a file that changed."""
    digest, lines, last = hashlib.sha256(), 0, b"\n"
    for chunk in _chunks(path):
        digest.update(chunk)
        lines += chunk.count(b"\n")
        last = chunk[-1:]
    return digest.hexdigest(), lines + (last != b"\n")
