"""A page of numbers that all workers of a host share: how far the changes have come, for whom.

Every slot holds the number of the newest change of those it stands for. An answer that was made from everything up to
number p is as good as new while its slots hold p or less: nothing has to be deleted, and a slow writer cannot bring
an old answer back.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final

from models.artifact.locks import lock

FOLLOWED: Final = 0  # up to here every change is in the slots
CATALOGUE: Final = 1
RULES: Final = 2
KEYS: Final = 3
ERASED: Final = 4
SHARED: Final = {"catalogue": CATALOGUE, "rules": RULES, "keys": KEYS, "erased": ERASED}
FIRST_HASHED: Final = 8
HASHED_COUNTERS: Final = (
    1 << 16
)  # of customers and the like; those that share one cost each other an answer, no more
FILE_BYTES: Final = 8 * (FIRST_HASHED + HASHED_COUNTERS)


def _opened(path: Path) -> int:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _nameless() -> int:
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def counter_of(kind: str, name: str) -> int:
    """The slot of a "customer", their "consent", a "session", an "order" or a "campaign"."""
    digest = hashlib.blake2b(f"{kind} {name}".encode(), digest_size=4).digest()
    return FIRST_HASHED + int.from_bytes(digest, "little") % HASHED_COUNTERS


class ChangeCounters:
    """A mapped file. Reading takes no lock: a slot is eight aligned bytes, and it only grows."""

    def __init__(self, path: Path | None = None) -> None:
        """Without a path nobody else sees them."""
        self._threads = Lock()  # which share the opened file, and so its lock
        self._file = _opened(path) if path else _nameless()
        with self._locked():
            if os.fstat(self._file).st_size < FILE_BYTES:
                os.ftruncate(self._file, FILE_BYTES)
        self._map = mmap.mmap(self._file, FILE_BYTES)
        self._slots = memoryview(self._map).cast("Q")

    def __getitem__(self, slot: int) -> int:
        return self._slots[slot]

    def newest(self, slots: Iterable[int]) -> int:
        return max(map(self._slots.__getitem__, slots))

    def raise_to(self, changes: Iterable[tuple[int, int]], followed: int = 0) -> None:
        """Each (slot, number), where that is more than it holds."""
        with self._locked():
            for slot, number in (*changes, (FOLLOWED, followed)):
                if number > self._slots[slot]:
                    self._slots[slot] = number

    def begin_at(self, number: int) -> None:
        """Nothing that was made before `number` is good: where it is not known what has changed."""
        with self._locked():
            self._slots[:] = memoryview(
                bytes(number.to_bytes(8, "little")) * (FIRST_HASHED + HASHED_COUNTERS)
            ).cast("Q")

    def close(self) -> None:
        self._slots.release()
        self._map.close()
        os.close(self._file)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._threads, lock(self._file):
            yield
