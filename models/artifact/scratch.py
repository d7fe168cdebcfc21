"""Directories that exist no longer than the process that made them, even when it is killed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from models.artifact.locks import lock_directory


@contextmanager
def scratch_directory(parent: Path, prefix: str) -> Iterator[Path]:
    """Make a directory that is removed when the block ends, whatever happens in it.

    What killed processes left under the same prefix is removed first.
    """
    with ExitStack() as own_lock:
        with lock_directory(parent):  # so that no other process sweeps it before it is locked
            for leftover in parent.glob(f"{prefix}*"):
                _sweep(leftover)
            directory = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            own_lock.enter_context(lock_directory(directory))
        try:
            yield directory
        finally:
            # Before the lock ends: a sweeper would trip over files that vanish.
            shutil.rmtree(directory, ignore_errors=True)


def remove(directory: Path) -> None:
    """Remove a directory with everything in it, or the link where it is one."""
    if directory.is_symlink():
        directory.unlink()
    else:
        shutil.rmtree(directory)


def _sweep(leftover: Path) -> None:
    if leftover.is_symlink():
        remove(leftover)
        return
    removed_or_in_use = suppress(FileNotFoundError, BlockingIOError)
    with removed_or_in_use, lock_directory(leftover, wait=False):
        remove(leftover)
