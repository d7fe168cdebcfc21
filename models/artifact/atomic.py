"""Files that appear whole or not at all: written beside, then renamed.

A rename alone keeps readers from a half-written file, also when the writer is killed. What must
outlast a power cut is durable as well: the bytes are on the disk (fsync) before the file gets its
name, and the name is (fsync of the directory) before the call returns.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, BinaryIO


@contextmanager
def atomic_write(path: Path, *, durable: bool) -> Iterator[BinaryIO]:
    """Open a file that takes the name `path` when the block ends, in place of an older one.

    After an error `path` is as it was and nothing stays beside it. Processes that write the same
    path at once do not disturb each other: the last one's file stays.
    `durable`: with an fsync of the file before the rename and of its directory after it.
    """
    beside = _beside(path)
    try:
        with beside.open("wb") as stream:
            yield stream
            if durable:
                sync_file(stream)
        if durable:
            durable_rename(beside, path)
        else:
            beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def check_writable(path: Path) -> None:
    """Create and remove the file that `atomic_write` would begin with. Raises OSError."""
    beside = _beside(path)
    beside.touch()
    beside.unlink()


def durable_rename(source: Path, target: Path) -> None:
    """Rename a file or a directory and fsync the directory it now stands in.

    Its own bytes are not synced: whoever wrote them has done so.
    """
    source.replace(target)
    sync_directory(target.parent)


def sync_file(stream: IO[Any]) -> None:
    """Write everything to the disk, what Python buffers and what the system does."""
    stream.flush()
    os.fsync(stream.fileno())


def sync_directory(directory: Path) -> None:
    """Write the names in a directory to the disk."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}")
