"""Tables from a local mirror: a folder of `<dataset>/[<config>/]<split>.jsonl.gz` files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from adaptstilts.data import rows as rows_
from adaptstilts.data.rows import Provenance, Rows
from adaptstilts.task.declaration import Table

SUFFIXES = (".jsonl.gz", ".jsonl")


@dataclass(frozen=True)
class Mirror:
    """Reads tables from a folder on this machine.

    Attributes:
        root: The mirror's top folder.
        name: Always `mirror`.
    """

    root: Path
    name: str = "mirror"

    def has(self, table: Table) -> bool:
        """Whether the table's file is there.

        Args:
            table: The table.

        Returns:
            True when `<root>/<table.mirror>.jsonl.gz` (or `.jsonl`) is a file.
        """
        return self._path(table).is_file()

    def where(self, table: Table) -> str:
        """The file that is (or would be) read.

        Args:
            table: The table.

        Returns:
            Its path; where it is missing, also what lies in its place.
        """
        path = self._path(table)
        if path.is_file():
            return str(path)
        beside = sorted(
            {
                file.name.removesuffix(suffix)
                for suffix in SUFFIXES
                for file in path.parent.glob(f"*{suffix}")
            }
        )
        shown = ", ".join(beside[:8]) + (f" and {len(beside) - 8} more" if len(beside) > 8 else "")
        return f"no file {path}" + (f" (that folder has {shown})" if beside else "")

    def identity(self, table: Table) -> str:
        """SHA-256 of the table's uncompressed bytes.

        Args:
            table: A table that the mirror has.

        Returns:
            64 hexadecimal digits.

        Raises:
            DataError: The file is missing or broken.
        """
        return rows_.sha256(self._path(table))

    def count(self, table: Table) -> int:
        """Number of rows, without parsing them.

        Args:
            table: A table that the mirror has.

        Returns:
            The number of lines in its file.

        Raises:
            DataError: The file is missing or broken.
        """
        return rows_.count(self._path(table))

    def read(self, table: Table) -> Rows:
        """The table's rows.

        Args:
            table: A table that the mirror has.

        Returns:
            The declared columns and their provenance.

        Raises:
            DataError: The file is missing or broken, or lacks a declared column.
        """
        path = self._path(table)
        columns, digest = rows_.read_jsonl(path, table.columns)
        n = len(columns[table.columns[0]])
        return Rows(columns, Provenance(table.name, self.name, str(path), None, digest, n))

    def _path(self, table: Table) -> Path:
        """The first file there is, or the compressed one that should be there."""
        paths = [self.root / f"{table.mirror}{suffix}" for suffix in SUFFIXES]
        return next((path for path in paths if path.is_file()), paths[0])
