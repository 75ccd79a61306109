"""Tables from the bundled pocket data: small stand-ins that need no network and no mirror."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from adaptstilts.data import rows as rows_
from adaptstilts.data.rows import Provenance, Rows
from adaptstilts.errors import DataError
from adaptstilts.task.declaration import Table

BUNDLED = Path(__file__).parent / "pocket"


@dataclass(frozen=True)
class Pocket:
    """Reads the bundled stand-ins; they are not the benchmarks whose place they take.

    Attributes:
        root: Folder of the bundled files.
        name: Always `pocket`.
    """

    root: Path = BUNDLED
    name: str = "pocket"

    def has(self, table: Table) -> bool:
        """Whether a stand-in is declared and bundled.

        Args:
            table: The table.

        Returns:
            True when `<root>/<table.pocket>.jsonl` is a file.
        """
        return table.pocket is not None and self._path(table).is_file()

    def where(self, table: Table) -> str:
        """The bundled file that is (or would be) read.

        Args:
            table: The table.

        Returns:
            Its place in the package, or why there is none.
        """
        if table.pocket is None:
            return "the bundled data has no stand-in for it"
        location = self._location(table)
        return location if self.has(table) else f"no file {location} in this installation"

    def identity(self, table: Table) -> str:
        """SHA-256 of the stand-in's bytes.

        Args:
            table: A table that has a stand-in.

        Returns:
            64 hexadecimal digits.

        Raises:
            DataError: There is no stand-in, or its file is missing or broken.
        """
        return rows_.sha256(self._path(table))

    def count(self, table: Table) -> int:
        """Number of rows, without parsing them.

        Args:
            table: A table that has a stand-in.

        Returns:
            The number of lines in its file.

        Raises:
            DataError: There is no stand-in, or its file is missing or broken.
        """
        return rows_.count(self._path(table))

    def read(self, table: Table) -> Rows:
        """The stand-in's rows; their provenance names the stand-in, not the table it stands for.

        Args:
            table: A table that has a stand-in.

        Returns:
            The declared columns and their provenance.

        Raises:
            DataError: There is no stand-in, or its file is missing or broken, or lacks a column.
        """
        path, location = self._path(table), self._location(table)
        columns, digest = rows_.read_jsonl(path, table.columns, location=location)
        n = len(columns[table.columns[0]])
        name = f"pocket/{table.pocket}"
        return Rows(columns, Provenance(name, self.name, location, None, digest, n))

    def _path(self, table: Table) -> Path:
        """The stand-in's file."""
        if table.pocket is None:
            raise DataError(f"{table.name}: the bundled pocket data has no stand-in for it.")
        return self.root / f"{table.pocket}.jsonl"

    def _location(self, table: Table) -> str:
        """The stand-in's place in the package, the same on every machine."""
        return f"adaptstilts/data/pocket/{table.pocket}.jsonl"
