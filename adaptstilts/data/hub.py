"""Tables from the Hugging Face hub, at the declared commit and no other.

`datasets` is imported only when rows are read, and by name, so that planning a run stays light.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from adaptstilts.data.rows import Provenance, Rows, jsonl, require_columns
from adaptstilts.errors import DataError, HubError
from adaptstilts.task.declaration import HubAddress, Table

REASON_CHARACTERS = 300
ANSWER_SECONDS = 10.0


@dataclass(frozen=True)
class Hub:
    """Reads tables through `datasets`, which keeps what it downloads in its cache.

    `HF_ENDPOINT`, `HF_HOME`, `HF_TOKEN` and `HF_HUB_OFFLINE` mean what they mean to `datasets`.

    Attributes:
        name: Always `hub`.
    """

    name: str = "hub"

    def has(self, table: Table) -> bool:
        """Whether the hub should have the table; asks nobody.

        Args:
            table: The table.

        Returns:
            True when a hub address is declared.
        """
        return table.hub is not None

    def where(self, table: Table) -> str:
        """The table's address on the hub.

        Args:
            table: The table.

        Returns:
            `repo@revision/config/split`, or that there is none.
        """
        return "no hub address is declared for it" if table.hub is None else address(table.hub)

    def identity(self, table: Table) -> str:
        """What decides the content: a commit on the hub never changes.

        Args:
            table: A table with a hub address.

        Returns:
            `repo@revision/config/split`.

        Raises:
            DataError: No hub address is declared.
        """
        return address(_required(table))

    def is_cached(self, table: Table) -> bool:
        """Whether the table can be read without a network; imports nothing heavy.

        Args:
            table: The table.

        Returns:
            True when the cache of `datasets` holds it at its commit.
        """
        return table.hub is not None and _cache_folder(table.hub) is not None

    def count(self, table: Table) -> int | None:
        """Number of rows: not known without a download.

        Args:
            table: The table.

        Returns:
            None.
        """
        return None

    def read(self, table: Table) -> Rows:
        """The table's rows, from the cache or the network.

        The digest in the provenance is that of the table as JSON Lines (`rows.jsonl`): all of the
        hub's columns, in the hub's order. A mirror's file has the same digest where it was written
        from the same columns in that order.

        Args:
            table: A table with a hub address.

        Returns:
            The declared columns and their provenance.

        Raises:
            DataError: No hub address is declared, or the table lacks a declared column.
            HubError: The table could not be had at its commit; says what was asked and what to do.
        """
        hub = _required(table)
        columns = _load(hub, table)
        require_columns(columns, table.columns, address(hub))
        digest = hashlib.sha256(jsonl(columns)).hexdigest()
        kept = {column: columns[column] for column in table.columns}
        n = len(kept[table.columns[0]])
        return Rows(kept, Provenance(table.name, self.name, address(hub), hub.revision, digest, n))


def address(hub: HubAddress) -> str:
    """A hub address in one line.

    Args:
        hub: The address.

    Returns:
        `repo@revision/config/split`, with `default` for a data set without configurations.
    """
    return f"{hub.repo}@{hub.revision}/{hub.config or 'default'}/{hub.split}"


def _required(table: Table) -> HubAddress:
    """The table's hub address."""
    if table.hub is None:
        raise DataError(
            f"{table.name}: no hub address is declared for it; use a mirror (--data DIR)."
        )
    return table.hub


def _load(hub: HubAddress, table: Table) -> dict[str, list[Any]]:
    """All columns of a table at its commit."""
    try:
        with _quiet():
            builder = _cached(hub) or _downloaded(hub)
            dataset = builder.as_dataset(split=hub.split)
            return {name: list(dataset[name]) for name in dataset.column_names}
    except Exception as err:
        # `datasets` raises a dozen unrelated classes here (ConnectionError, DatasetNotFoundError,
        # ValueError for a bad split, httpx and pyarrow errors): all are told in one way.
        raise _failure(hub, table, _reason(err)) from err


def _cached(hub: HubAddress) -> Any:
    """A builder over the local cache, if that holds exactly the commit; else None.

    A commit never changes, so there is nothing to ask the hub: no requests for each of 36 small
    tables, and no minutes of retries where the hub cannot be reached.
    """
    folder = _cache_folder(hub)
    if folder is None:
        return None
    config, version, commit = folder.parts[-3:]
    return import_module("datasets.packaged_modules.cache.cache").Cache(
        dataset_name=hub.repo.split("/")[-1],
        config_name=config,
        version=version,
        hash=commit,
        repo_id=hub.repo,
    )


def _cache_folder(hub: HubAddress) -> Path | None:
    """The folder in which `datasets` keeps a prepared table: root/repo/config/version/commit."""
    home = os.environ.get("HF_HOME") or (
        Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    )
    root = Path(os.environ.get("HF_DATASETS_CACHE") or Path(home) / "datasets").expanduser()
    *owner, name = hub.repo.split("/")
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    name = re.sub(r"([a-z\d])([A-Z])", r"\1_\2", name).lower()
    repo = root / "___".join([*owner, name])
    found = list(repo.glob(f"{hub.config or '*'}/*/{hub.revision}/dataset_info.json"))
    return found[0].parent if len(found) == 1 else None


def _downloaded(hub: HubAddress) -> Any:
    """A builder whose files were fetched from the hub at the commit."""
    datasets = _datasets()
    if datasets.config.HF_HUB_OFFLINE:
        raise ConnectionError(
            "HF_HUB_OFFLINE is set, and the local cache does not hold that commit"
        )
    require_answer(datasets.config.HF_ENDPOINT)
    builder = datasets.load_dataset_builder(hub.repo, hub.config, revision=hub.revision)
    # When anything goes wrong, `datasets` takes the newest copy in its cache, whatever its
    # revision (datasets 5.2, load.py, `CachedDatasetModuleFactory`): never accept that.
    if builder.hash != hub.revision:
        raise ConnectionError(
            f"the hub did not give that commit (the local cache has another, {builder.hash})"
        )
    builder.download_and_prepare()
    return builder


def _datasets() -> Any:
    """The library that talks to the hub; it takes more than a second to import."""
    return import_module("datasets")


@cache
def require_answer(endpoint: str) -> None:
    """Check once that anything answers there: `huggingface_hub` retries for half a minute.

    Args:
        endpoint: The hub's address.

    Raises:
        Exception: What the HTTP library raises where nothing answers.
    """
    from huggingface_hub import get_session

    get_session().head(endpoint, timeout=ANSWER_SECONDS)


def _reason(err: BaseException) -> str:
    """The first line of an error, with its class; `datasets` may list 200 configurations in it."""
    line = next(iter(str(err).strip().splitlines()), "")
    short = line if len(line) <= REASON_CHARACTERS else f"{line[:REASON_CHARACTERS]}…"
    return f"{type(err).__name__}: {short.rstrip('.')}" if short else type(err).__name__


def _failure(hub: HubAddress, table: Table, reason: str) -> HubError:
    """What was asked, why it failed, what to do."""
    datasets = _datasets()
    way = "connect this machine and run again"
    if datasets.config.HF_HUB_OFFLINE:
        way = "unset HF_HUB_OFFLINE on a connected machine and run again"
    pocket = "; or `--profile pocket` for the bundled stand-in" if table.pocket is not None else ""
    return HubError(
        f"{table.name} could not be read from the hub at {datasets.config.HF_ENDPOINT}.\n"
        f"  asked for: {address(hub)}\n"
        f"  because: {reason}.\n"
        f"What to do: {way}; or give a mirror that holds "
        f"{table.mirror}.jsonl.gz (--data DIR or $ADAPTSTILTS_DATA){pocket}."
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars or warnings from `datasets`, which prints three for each small table."""
    datasets = _datasets()
    verbosity, bars = datasets.logging.get_verbosity(), datasets.are_progress_bars_disabled()
    datasets.logging.set_verbosity_error()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        datasets.logging.set_verbosity(verbosity)
        if not bars:
            datasets.enable_progress_bars()
