"""Finished stages on disk, each in a folder named by its key; nothing half-done has that name."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from platformdirs import user_cache_path

from adaptstilts.record.files import sync
from adaptstilts.record.provenance import git_state, hardware, utc_now

CACHE_VARIABLE = "ADAPTSTILTS_CACHE"
SUMMARY = "stage.json"


@dataclass(frozen=True)
class Summary:
    """What a finished stage says of itself.

    Attributes:
        kind: The stage's `kind`: `train`, `align`, `refer`, `mine` or `score`.
        name: What it is called in a plan.
        key: Hash of all that decides its result.
        seconds: Time that it took, over all runs that worked on it.
        peak_memory_bytes: Most memory that the process held meanwhile.
        base: The base as it was loaded, for stages that loaded one.
        data: The tables that it read.
        details: What else the kind of stage reports.
        made: When, on what processor or GPU, and from which commit; `finish` fills it in.
    """

    kind: str
    name: str
    key: str
    seconds: float
    peak_memory_bytes: int | None
    base: dict[str, Any] | None
    data: list[dict[str, Any]]
    details: dict[str, Any]
    made: str = ""


def cache_folder() -> Path:
    """Where stages are kept: `$ADAPTSTILTS_CACHE`, or the user's cache folder."""
    named = os.environ.get(CACHE_VARIABLE)
    return Path(named) if named else user_cache_path("adaptstilts")


def stage_folder(kind: str, key: str) -> Path:
    """Where a finished stage lies."""
    return cache_folder() / "stages" / kind / key


def snapshot_folder(training: Path, share: float | None) -> Path:
    """Where a training keeps its chosen adapter, or the snapshot at a share of its steps."""
    return training / "adapter" if share is None else training / "snapshots" / f"{share:.4f}"


def is_finished(kind: str, key: str) -> bool:
    """Whether a stage is there; a folder has its final name only when it is whole."""
    return (stage_folder(kind, key) / SUMMARY).is_file()


def read_summary(kind: str, key: str) -> Summary:
    """What a finished stage says of itself."""
    text = (stage_folder(kind, key) / SUMMARY).read_text(encoding="utf-8")
    return Summary(**json.loads(text))


@contextmanager
def stage_lock(kind: str, key: str, *, waiting: Callable[[], None]) -> Iterator[None]:
    """Holds a stage, so that no two processes work on it at once.

    Args:
        kind: The stage's kind.
        key: Its key.
        waiting: Called once when another process has to be waited for. Whoever waited must look
            again whether the stage is finished.
    """
    final = stage_folder(kind, key)
    final.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(final.with_name(f"{key}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        waiting()
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def working_folder(kind: str, key: str) -> Path:
    """A folder for an unfinished stage, kept when the work is cut off so that it can go on."""
    final = stage_folder(kind, key)
    partial = final.with_name(f"{key}.partial")
    partial.mkdir(parents=True, exist_ok=True)
    return partial


def finish(partial: Path, summary: Summary, *, scratch: tuple[str, ...] = ()) -> Path:
    """Gives a stage its final name, after all its files are safely on disk.

    Args:
        partial: The folder that `working_folder` gave.
        summary: What the stage says of itself.
        scratch: Names in the folder that were for the work only; they are removed at the end.

    Returns:
        The final folder.
    """
    text = json.dumps(asdict(replace(summary, made=_made())), indent=2, ensure_ascii=False)
    (partial / SUMMARY).write_text(text + "\n", encoding="utf-8")
    for cut_off in partial.rglob("*.partial"):  # a file whose writing a kill broke off
        cut_off.unlink()
    kept = [
        path for path in partial.rglob("*") if path.relative_to(partial).parts[0] not in scratch
    ]
    for path in [*kept, partial, partial.parent]:
        sync(path)
    final = stage_folder(summary.kind, summary.key)
    partial.rename(final)
    sync(final.parent)
    # Only now: a kill before would have cost the work that the scratch files let go on.
    for name in scratch:
        path = final / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return final


def _made() -> str:
    """When, on what and from which commit a stage is made: it may serve runs on other machines."""
    machine, git = hardware(), git_state(Path(__file__).parent)
    processor = machine["gpu"]["name"] if machine["gpu"] else machine["cpu"]
    commit = "no commit" if git is None else git["commit"][:10] + " changed" * git["is_dirty"]
    return f"{utc_now()}, {processor}, {commit}"
