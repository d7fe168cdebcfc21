"""Verification of every byte of a model, once per host and version, however many workers load it.

A marker in a private directory remembers that it was done. Its name holds path, inode, size and
times of every file, so a file that was touched is read again. A lock makes the second worker wait
instead of reading too.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Final

from models.artifact.files import verify_artifact
from models.artifact.locks import lock

VERIFIED: Final = b"verified"
Signature = tuple[tuple[str, int, int, int, int], ...]


def signature_of(directory: Path) -> Signature:
    """Return name, inode, size and times of each file; () where there can be no such directory.

    Whoever changes bytes, permissions or the time of a file changes one of them: nobody can set
    the time of the last change of the inode (ctime).
    """
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        return tuple((entry.name, *_facts(entry.stat())) for entry in entries)
    except (OSError, ValueError):  # ValueError: a name that cannot be a file's
        return ()


def _facts(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def is_overwritten(before: Signature, now: Signature) -> bool:
    """Tell whether a file that may be mapped was changed in its place.

    One that was removed or replaced is another file: the map shows the bytes of before.
    """
    changed = set(now) - set(before)
    inodes = {inode for _, inode, *_ in before}
    return any(inode in inodes for _, inode, *_ in changed)


def verify_once(directory: Path, runtime: Path) -> None:
    """Raise ArtifactError with the file that is damaged; without a marker it reads every time."""
    with _locked_marker(directory, runtime) as marker:
        if marker is None:
            verify_artifact(directory)
            return
        if marker.read(len(VERIFIED)) == VERIFIED:
            return
        verify_artifact(directory)
        with contextlib.suppress(OSError):  # a full disk: the next one reads again
            marker.seek(0)
            marker.write(VERIFIED)


def marker_of(directory: Path) -> str:
    """Return the name of its marker: another one once a file was touched."""
    identity = repr((str(directory.resolve()), signature_of(directory))).encode()
    return f"verified-{hashlib.blake2b(identity, digest_size=16).hexdigest()}"


@contextmanager
def _locked_marker(directory: Path, runtime: Path) -> Iterator[FileIO | None]:
    """Open and lock the marker; None where there can be none."""
    with contextlib.ExitStack() as stack:
        marker = None
        if _is_private(runtime):
            with contextlib.suppress(OSError):
                opened = stack.enter_context(_open_marker(runtime / marker_of(directory)))
                stack.enter_context(lock(opened))
                marker = opened
        yield marker


def _open_marker(path: Path) -> FileIO:
    return FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b")


def _is_private(runtime: Path) -> bool:
    """Tell whether nobody else could have put a marker into a directory."""
    with contextlib.suppress(OSError):
        runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = runtime.lstat()
        return (
            stat.S_ISDIR(status.st_mode)
            and status.st_uid == os.getuid()
            and not status.st_mode & 0o077
        )
    return False
