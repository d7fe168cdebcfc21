"""Reads every byte of a model once per host and version, however many workers load it.

A marker in a private directory remembers that it was done. Its name holds path, inode, size and time of every file, so
a file that was touched is read again. A lock makes the second worker wait instead of reading too.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import stat
from io import FileIO
from pathlib import Path
from typing import Final

from models.artifact.files import verify_artifact

VERIFIED: Final = b"verified"
Signature = tuple[tuple[str, int, int, int], ...]


def signature_of(directory: Path) -> Signature:
    """Name, inode, size and time of each file; empty where there can be no such directory."""
    try:
        entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        return tuple((entry.name, *_facts(entry.stat())) for entry in entries)
    except (OSError, ValueError):  # ValueError: a name that cannot be a file's
        return ()


def _facts(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns


def verify_once(directory: Path, runtime: Path) -> None:
    """Raises ArtifactError naming the file that is damaged; where no marker can be kept it always reads."""
    marker = _locked(directory, runtime)
    if marker is None:
        verify_artifact(directory)
        return
    with marker:
        if marker.read(len(VERIFIED)) == VERIFIED:
            return
        verify_artifact(directory)
        with contextlib.suppress(OSError):  # a full disk: the next one reads again
            marker.seek(0)
            marker.write(VERIFIED)


def marker_of(directory: Path) -> str:
    """The name of its marker: another one once a file was touched."""
    identity = repr((str(directory.resolve()), signature_of(directory))).encode()
    return f"verified-{hashlib.blake2b(identity, digest_size=16).hexdigest()}"


def _locked(directory: Path, runtime: Path) -> FileIO | None:
    """The marker, locked until it is closed; None where there can be none."""
    if not _private(runtime):
        return None
    try:
        descriptor = os.open(
            runtime / marker_of(directory), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600
        )
    except OSError:
        return None
    marker = FileIO(descriptor, "r+b")
    try:
        fcntl.flock(marker, fcntl.LOCK_EX)
    except OSError:
        marker.close()
        return None
    return marker


def _private(runtime: Path) -> bool:
    """Whether it is a directory that nobody else could have put a marker into."""
    with contextlib.suppress(OSError):
        runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = runtime.lstat()
        return (
            stat.S_ISDIR(status.st_mode)
            and status.st_uid == os.getuid()
            and not status.st_mode & 0o077
        )
    return False
