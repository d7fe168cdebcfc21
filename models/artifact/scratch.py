"""Directories that exist no longer than the process that made them, even when it is killed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final

from models.artifact.locks import lock_directory

TEMPORARY_PREFIX: Final = "regulars-scratch-"


@contextmanager
def scratch_directory(parent: Path, prefix: str) -> Iterator[Path]:
    """Make a directory that is removed when the block ends, whatever happens in it.

    What killed processes left under the same prefix is removed first.
    """
    with ExitStack() as own_lock:
        with lock_directory(parent):  # so that no other process sweeps it before it is locked
            _sweep_all(parent, prefix)
            directory = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
            own_lock.enter_context(lock_directory(directory))
        try:
            yield directory
        finally:
            # Before the lock ends: a sweeper would trip over files that vanish.
            shutil.rmtree(directory, ignore_errors=True)


def temporary_directory() -> AbstractContextManager[Path]:
    """Make a scratch directory in the temporary folder of the system.

    It is locked itself: a registry needs a folder of its own in it.
    """
    return scratch_directory(Path(tempfile.gettempdir()), TEMPORARY_PREFIX)


def sweep_temporary_directories() -> None:
    """Remove what killed processes have left of their temporary directories.

    Raises OSError where it may not be removed.
    """
    parent = Path(tempfile.gettempdir())
    with lock_directory(parent):
        _sweep_all(parent, TEMPORARY_PREFIX)


def remove(directory: Path) -> None:
    """Remove a directory with everything in it, or the link where it is one."""
    if directory.is_symlink():
        directory.unlink()
    else:
        shutil.rmtree(directory)


def _sweep_all(parent: Path, prefix: str) -> None:
    """Sweep what is left under a prefix by this user; what another one left is not ours."""
    for leftover in parent.glob(f"{prefix}*"):
        with suppress(FileNotFoundError):
            if leftover.lstat().st_uid == os.geteuid():
                _sweep(leftover)


def _sweep(leftover: Path) -> None:
    if leftover.is_symlink():
        remove(leftover)
        return
    removed_or_in_use = suppress(FileNotFoundError, BlockingIOError)
    with removed_or_in_use, lock_directory(leftover, wait=False):
        remove(leftover)
