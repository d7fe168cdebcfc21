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
from pathlib import Path

from models.artifact import verify

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
    """Raises ArtifactError naming the file that is damaged; without a usable runtime directory it always reads."""
    if not _private(runtime):
        verify(directory)
        return
    identity = repr((str(directory.resolve()), signature_of(directory))).encode()
    name = hashlib.blake2b(identity, digest_size=16).hexdigest()
    descriptor = os.open(runtime / f"verified-{name}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    with open(descriptor, "r+b") as marker:
        fcntl.flock(marker, fcntl.LOCK_EX)
        if marker.read() != b"verified":
            verify(directory)
            marker.seek(0)
            marker.write(b"verified")


def _private(runtime: Path) -> bool:
    """Whether it is a directory that nobody else could have put a marker into."""
    with contextlib.suppress(OSError):
        runtime.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = runtime.lstat()
        return stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077
    return False
