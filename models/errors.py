"""Errors of a model on disk."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Final

# Errors of the system that say nothing about the files: descriptors, memory or room run out, or a
# disk, also one behind a network, does not answer. All others stay until somebody mends the cause.
PASSING_ERRORS: Final = frozenset(
    {
        errno.EAGAIN,
        errno.EBUSY,
        errno.EDQUOT,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.EINTR,
        errno.EIO,
        errno.EMFILE,
        errno.ENETDOWN,
        errno.ENETUNREACH,
        errno.ENFILE,
        errno.ENOBUFS,
        errno.ENOMEM,
        errno.ENOSPC,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)


def may_pass(error: OSError) -> bool:
    """Tell whether the same call may succeed later though nobody mends anything."""
    return error.errno in PASSING_ERRORS


class ArtifactError(Exception):
    """An artifact or a registry is damaged, incomplete or foreign; the message names the file."""


class UnreadableError(ArtifactError):
    """A file could not be read this time, and may be whole; the message names it."""


def reading_failed(path: Path, error: OSError) -> ArtifactError:
    """Return the error to raise where the system did not read a file."""
    kind = UnreadableError if may_pass(error) else ArtifactError
    return kind(f"{path}: {error.strerror or error}")
