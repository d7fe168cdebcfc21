"""Exclusive locks of files and directories, between processes and within one (flock)."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol


class OpenFile(Protocol):
    def fileno(self) -> int: ...


@contextmanager
def lock(file: OpenFile | int, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock of an open file, or of its descriptor, until the block or the process ends.

    The lock belongs to the opened file: whoever opens it once more waits for it, in the same
    process too; two threads that share one descriptor do not exclude each other.
    Raises BlockingIOError where another holds the lock and `wait` is False.
    """
    fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


@contextmanager
def lock_directory(directory: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a directory, which must exist, until the block or the process ends.

    The directory may be removed meanwhile. Raises BlockingIOError like `lock`.
    """
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        with lock(descriptor, wait=wait):
            yield
    finally:
        os.close(descriptor)
