"""Where rows come from: one interface to mirror, hub and pocket, and the search through them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

from adaptstilts.data.hub import Hub
from adaptstilts.data.mirror import Mirror
from adaptstilts.data.pocket import Pocket
from adaptstilts.data.rows import Rows
from adaptstilts.errors import DataError
from adaptstilts.task.declaration import Table

Profile = Literal["full", "pocket"]
MIRROR_VARIABLE = "ADAPTSTILTS_DATA"


class Source(Protocol):
    """A place that tables can be read from."""

    @property
    def name(self) -> str:
        """`mirror`, `hub` or `pocket`."""

    def has(self, table: Table) -> bool:
        """Whether the table is there; downloads nothing."""

    def where(self, table: Table) -> str:
        """Where the table is, or why it is not there, in words for a user."""

    def identity(self, table: Table) -> str:
        """What decides the table's content, cheaply: a part of the key of cached stages."""

    def count(self, table: Table) -> int | None:
        """Number of rows, where that is cheap to know."""

    def read(self, table: Table) -> Rows:
        """The table's rows."""


def open_sources(profile: Profile, mirror: Path | None = None) -> list[Source]:
    """The sources of a profile, in the order in which they are asked.

    Args:
        profile: `full` (mirror, then hub) or `pocket` (mirror, then the bundled stand-ins).
        mirror: Folder of a mirror; None takes `$ADAPTSTILTS_DATA`; none where that is unset.

    Returns:
        One or two sources.

    Raises:
        DataError: The mirror is not a folder.
    """
    last: Source = Hub() if profile == "full" else Pocket()
    root = mirror_root(mirror)
    return [last] if root is None else [Mirror(root), last]


def mirror_root(mirror: Path | None = None) -> Path | None:
    """The folder of the mirror in use.

    Args:
        mirror: What the user gave as `--data`; None takes `$ADAPTSTILTS_DATA`.

    Returns:
        The folder, or None where no mirror is named.

    Raises:
        DataError: What is named is not a folder.
    """
    named = os.environ.get(MIRROR_VARIABLE, "")
    if mirror is None and not named:
        return None
    root = mirror if mirror is not None else Path(named)
    if not root.is_dir():
        origin = "--data" if mirror is not None else f"${MIRROR_VARIABLE}"
        what = "is a file" if root.exists() else "does not exist"
        raise DataError(
            f"The mirror {root} (from {origin}) {what}; "
            "give the folder that holds `<dataset>/<split>.jsonl.gz` files."
        )
    return root


def find(table: Table, sources: Sequence[Source]) -> Source:
    """The first source that has a table.

    Args:
        table: The table.
        sources: Where to look, in order.

    Returns:
        One of `sources`.

    Raises:
        DataError: None has it; says every place that was looked at and how to get the table.
    """
    for source in sources:
        if source.has(table):
            return source
    looked = [f"  {source.name}: {source.where(table)}" for source in sources]
    names = {source.name for source in sources}
    ways = []
    if "mirror" in names:
        ways.append(f"put {table.mirror}.jsonl.gz into the mirror")
    else:
        ways.append(
            f"name a mirror that holds {table.mirror}.jsonl.gz (--data DIR or ${MIRROR_VARIABLE})"
        )
    if "hub" not in names and table.hub is not None:
        ways.append("run with `--profile full` on a connected machine (the hub has it)")
    if "pocket" not in names and table.pocket is not None:
        ways.append("run with `--profile pocket`, which uses a bundled stand-in")
    lines = [f"{table.name} is in none of the places looked at:", *looked]
    raise DataError("\n".join([*lines, f"What to do: {'; or '.join(ways)}."]))
