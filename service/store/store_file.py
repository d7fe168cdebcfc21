"""The file of a SQLite store while it is open: it must stay the one at its path, and a database."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from service.store.database import StoreBrokenError

HEADERS: Final = (b"SQLite format 3\0", b"")  # "": not written yet, all is in the journal
# Of the journal, in either order of bytes; "" where it was emptied.
JOURNAL_HEADERS: Final = (b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83", b"")
NO_DATABASE: Final = "file is not a database"


class StoreFile:
    """A store file and its journal, opened to look at them.

    Moving another file to the path does not move what is open: what is written goes on to where
    the name no longer leads. It is closed after every connection, as closing drops the locks of
    this process.
    """

    def __init__(self, path: Path) -> None:
        """Open the file. Raises StoreBrokenError."""
        self.path = path
        self._parts = [_Part(path, path, HEADERS)]

    def watch_journal(self) -> None:
        """Look at the journal too, which is there once a connection has read."""
        journal = self.path.with_name(f"{self.path.name}-wal")
        self._parts.append(_Part(self.path, journal, JOURNAL_HEADERS))

    def check(self) -> None:
        """Raise StoreBrokenError where it is gone, another file, or no database any more."""
        for part in self._parts:
            part.check()

    def is_another(self) -> bool:
        """Tell whether another file, with or without a journal, stands at the path now."""
        return self.path.exists() and not all(part.stands() for part in self._parts)

    def close(self) -> None:
        for part in self._parts:
            os.close(part.descriptor)


class _Part:
    def __init__(self, store: Path, path: Path, headers: tuple[bytes, ...]) -> None:
        self._store, self._path, self._headers = store, path, headers
        try:
            self.descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise self._broken(f"cannot be opened: {error.strerror}") from error
        status = os.fstat(self.descriptor)
        self._identity = status.st_dev, status.st_ino

    def stands(self) -> bool:
        """Tell whether the file that was opened is the one at its path."""
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return False
        return (status.st_dev, status.st_ino) == self._identity

    def check(self) -> None:
        try:
            status = os.stat(self._path)
            header = os.pread(self.descriptor, len(self._headers[0]), 0)
        except FileNotFoundError as error:
            raise self._broken("is gone") from error
        except OSError as error:
            raise self._broken(f"cannot be read: {error.strerror}") from error
        if (status.st_dev, status.st_ino) != self._identity:
            raise self._broken("is another file than the one that was opened")
        if header not in self._headers:
            raise StoreBrokenError(str(self._store), NO_DATABASE)

    def _broken(self, problem: str) -> StoreBrokenError:
        return StoreBrokenError(str(self._store), f"{self._path.name} {problem}")
