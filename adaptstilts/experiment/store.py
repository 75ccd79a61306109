"""Finished stages on disk, each in a folder named by its key; nothing half-done has that name."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock
from platformdirs import user_cache_path

CACHE_VARIABLE = "ADAPTSTILTS_CACHE"
SUMMARY = "stage.json"


@dataclass(frozen=True)
class Summary:
    """What a finished stage says of itself.

    Attributes:
        kind: `train`, `align` or `score`.
        name: What it is called in a plan.
        key: Hash of all that decides its result.
        seconds: Time that it took, over all runs that worked on it.
        peak_memory_bytes: Most memory that the process held meanwhile.
        base: The base as it was loaded, for stages that loaded one.
        data: The tables that it read.
        details: What else the kind of stage reports.
    """

    kind: str
    name: str
    key: str
    seconds: float
    peak_memory_bytes: int | None
    base: dict[str, Any] | None
    data: list[dict[str, Any]]
    details: dict[str, Any]


def cache_folder() -> Path:
    """Where stages are kept: `$ADAPTSTILTS_CACHE`, or the user's cache folder."""
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named) if named else user_cache_path("adaptstilts")


def stage_folder(kind: str, key: str) -> Path:
    """Where a finished stage lies."""
    return cache_folder() / "stages" / kind / key


def is_finished(kind: str, key: str) -> bool:
    """Whether a stage is there; a folder has its final name only when it is whole."""
    return (stage_folder(kind, key) / SUMMARY).is_file()


def read_summary(kind: str, key: str) -> Summary:
    """What a finished stage says of itself."""
    text = (stage_folder(kind, key) / SUMMARY).read_text(encoding="utf-8")
    return Summary(**json.loads(text))


@contextmanager
def working_folder(kind: str, key: str) -> Iterator[Path]:
    """A folder for an unfinished stage, kept when the work is cut off so that it can go on.

    Another process at work on the same stage is waited for.
    """
    final = stage_folder(kind, key)
    final.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(final.with_name(f"{key}.lock")):
        partial = final.with_name(f"{key}.partial")
        partial.mkdir(exist_ok=True)
        yield partial


def finish(partial: Path, summary: Summary, *, scratch: tuple[str, ...] = ()) -> Path:
    """Gives a stage its final name, after all its files are safely on disk.

    Args:
        partial: The folder that `working_folder` gave.
        summary: What the stage says of itself.
        scratch: Names in the folder that were for the work only; they are removed.

    Returns:
        The final folder.
    """
    for name in scratch:
        path = partial / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    text = json.dumps(asdict(summary), indent=2, ensure_ascii=False)
    (partial / SUMMARY).write_text(text + "\n", encoding="utf-8")
    for path in [*partial.rglob("*"), partial, partial.parent]:
        _sync(path)
    final = stage_folder(summary.kind, summary.key)
    if is_finished(summary.kind, summary.key):
        # Another process finished the same stage while this one waited for it; keep the first.
        shutil.rmtree(partial)
        return final
    partial.rename(final)
    _sync(final.parent)
    return final


def _sync(path: Path) -> None:
    """Flushes a file or a folder to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
