"""A page of counters that all workers of a host share: how far the changes have come, for whom.

Every counter holds the number of the newest change of those it stands for. An answer that was
made from everything up to number p is up to date while its counters hold p or less: nothing has to
be deleted, and a slow writer cannot bring an old answer back.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Final

from models.artifact.locks import lock
from service.runtime.room import take_room

FOLLOWED: Final = 0  # up to this number every change is in the counters
CATALOGUE: Final = 1
RULES: Final = 2
KEYS: Final = 3
ERASED: Final = 4
SHARED: Final = {"catalogue": CATALOGUE, "rules": RULES, "keys": KEYS, "erased": ERASED}
FIRST_HASHED: Final = 8
# Of customers and the like. Two that share one cost each other an answer from the cache, no more.
HASHED_COUNTERS: Final = 1 << 16
COUNTERS: Final = FIRST_HASHED + HASHED_COUNTERS
COUNTER_BYTES: Final = 8
FILE_BYTES: Final = COUNTER_BYTES * COUNTERS


def counter_of(kind: str, name: str) -> int:
    """Return the counter of a "customer", their "consent", a "session", "order" or "campaign"."""
    digest = hashlib.blake2b(f"{kind} {name}".encode(), digest_size=4).digest()
    return FIRST_HASHED + int.from_bytes(digest, "little") % HASHED_COUNTERS


class ChangeCounters:
    """Counters in a mapped file.

    Reading takes no lock: a counter is eight aligned bytes, and it only grows.
    """

    def __init__(self, path: Path | None = None) -> None:
        """Map the file at `path`; without one, no other process sees the counters.

        Raises OSError where the file has no room.
        """
        self._threads = Lock()  # which share the opened file, and so its lock
        self._file: int | None = None
        with ExitStack() as on_error:
            if path is not None:
                self._file = _open(path)
                on_error.callback(os.close, self._file)
                with self._locked():
                    take_room(self._file, FILE_BYTES)
            self._map = mmap.mmap(-1 if self._file is None else self._file, FILE_BYTES)
            on_error.pop_all()
        self._numbers = memoryview(self._map).cast("Q")

    def __getitem__(self, counter: int) -> int:
        return self._numbers[counter]

    def newest(self, counters: Iterable[int]) -> int:
        """Return the largest number of some counters."""
        return max(map(self._numbers.__getitem__, counters))

    def raise_to(self, changes: Iterable[tuple[int, int]], followed: int = 0) -> None:
        """Raise each counter of (counter, number) that holds less than the number."""
        with self._locked():
            for counter, number in (*changes, (FOLLOWED, followed)):
                if number > self._numbers[counter]:
                    self._numbers[counter] = number

    def begin_at(self, number: int) -> None:
        """Set every counter to a number, where it is not known what has changed before it."""
        content = number.to_bytes(COUNTER_BYTES, "little") * COUNTERS
        with self._locked():
            self._numbers[:] = memoryview(content).cast("Q")

    def close(self) -> None:
        self._numbers.release()
        self._map.close()
        if self._file is not None:
            os.close(self._file)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._threads, nullcontext() if self._file is None else lock(self._file):
            yield


def _open(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
