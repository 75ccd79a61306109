"""Atomic writing: a file is there whole or not at all, also after a power cut."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; on leaving, put what was written there in its place.

    Missing parent folders are made. The file and its folder are fsynced. If the body raises, the
    temporary file is removed and `path` stays as it was.

    Args:
        path: The file to write or replace.

    Yields:
        Where to write: a name ending in `.partial` in the same folder.

    Raises:
        OSError: The disk refused, or the body wrote no file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{secrets.token_hex(4)}.partial")
    try:
        yield partial
        sync(partial)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # elsewhere a folder cannot be opened, and renames are ordered
        sync(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all.

    Args:
        path: The file to write or replace; missing parent folders are made.
        content: What it shall hold.

    Raises:
        OSError: The disk refused.
    """
    with replacing(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    r"""Write `text` to `path` as UTF-8, whole or not at all; line ends stay as they are.

    Args:
        path: The file to write or replace; missing parent folders are made.
        text: What it shall hold.

    Raises:
        OSError: The disk refused.
    """
    write_bytes(path, text.encode("utf-8"))


def sync(path: Path) -> None:
    """Flush a file or a folder to disk.

    Args:
        path: What was written.

    Raises:
        OSError: The disk refused.
    """
    # Windows syncs only what is open for writing; POSIX opens a folder only for reading.
    descriptor = os.open(path, os.O_RDONLY if os.name == "posix" else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
