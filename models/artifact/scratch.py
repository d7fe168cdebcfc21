"""Directories that are there as long as whoever made them, also where they are killed."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def scratch_directory(parent: Path, prefix: str) -> Iterator[Path]:
    """A fresh directory, removed whatever happens. What killed processes left under the same prefix goes first."""
    with _locked(parent):  # so that none is taken for left before it is locked itself
        for left in parent.glob(f"{prefix}*"):
            _sweep(left)
        directory = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        held = os.open(directory, os.O_RDONLY)
        fcntl.flock(held, fcntl.LOCK_EX)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        os.close(held)  # only now, or who sweeps up would trip over files that vanish


def remove(directory: Path) -> None:
    """The directory with all that is in it; of a link to one that lies elsewhere, the link."""
    if directory.is_symlink():
        directory.unlink()
    else:
        shutil.rmtree(directory)


def _sweep(left: Path) -> None:
    if left.is_symlink():
        remove(left)
        return
    with (
        suppress(FileNotFoundError, BlockingIOError),
        _locked(left, fcntl.LOCK_NB),
    ):  # just removed, or in use
        remove(left)


@contextmanager
def _locked(directory: Path, flags: int = 0) -> Iterator[None]:
    """Raises BlockingIOError where another process holds it and LOCK_NB says not to wait."""
    held = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX | flags)
        yield
    finally:
        os.close(held)
