"""A page of counters that all workers of a host share: how far the changes have come, for whom.

Every counter holds the number of the newest change of those it stands for. An answer that was
made from everything up to number p is up to date while its counters hold p or less: nothing has to
be deleted, and a slow writer cannot bring an old answer back.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from types import MappingProxyType
from typing import Final

from models.artifact.locks import lock
from models.data.customers import CONSENT_SLOTS, consent_slot
from service.runtime.room import take_room

FOLLOWED: Final = 0  # up to this number every change is in the counters
CATALOGUE: Final = 1
RULES: Final = 2
KEYS: Final = 3
ERASED: Final = 4
# The newest point of the store's lineage that this host has seen, and where the counters began.
POINT_NUMBER: Final = 5
POINT_MARK: Final = 6
BEGUN: Final = 7
SHARED: Final = {"catalogue": CATALOGUE, "rules": RULES, "keys": KEYS, "erased": ERASED}
FIRST_HASHED: Final = 8
# Of customers and the like. Two that share one cost each other an answer from the cache, no more.
HASHED_COUNTERS: Final = 1 << 16
# Of consents alone: it is known who may have refused, also while the store is away.
FIRST_CONSENT: Final = FIRST_HASHED + HASHED_COUNTERS
CONSENT_COUNTERS: Final = range(FIRST_CONSENT, FIRST_CONSENT + CONSENT_SLOTS)
# Of consents that the store has lost: only answers with a larger number count.
FIRST_LOST: Final = FIRST_CONSENT + CONSENT_SLOTS
COUNTERS: Final = FIRST_LOST + CONSENT_SLOTS
COUNTER_BYTES: Final = 8
NO_CONSENTS: Final[Mapping[int, int]] = MappingProxyType({})
FILE_BYTES: Final = COUNTER_BYTES * COUNTERS
NO_MARK: Final = bytes(COUNTER_BYTES)


def counter_of(kind: str, name: str) -> int:
    """Return the counter of a "customer", their "consent", a "session", "order" or "campaign".

    Of a "product" it tells that what is shown of it has changed.
    """
    if kind == "consent":
        return FIRST_CONSENT + consent_slot(name)
    digest = hashlib.blake2b(f"{kind} {name}".encode(), digest_size=4).digest()
    return FIRST_HASHED + int.from_bytes(digest, "little") % HASHED_COUNTERS


RATINGS: Final = ("ratings", "of all products")  # a kind and a name
# Changes of products that any answer may depend on. After others, such as another price, only
# those are old that show the product: its own counter tells.
ASSORTMENT: Final = ("assortment", "all products")


def lost_consent_of(customer_id: str) -> int:
    """Return the counter up to which a customer's consents may have been lost by the store."""
    return FIRST_LOST + consent_slot(customer_id)


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

    @property
    def point(self) -> tuple[int, bytes]:
        """Number and mark of the newest point that this host has seen; 0 and zeros at first."""
        with self._locked():
            return self._numbers[POINT_NUMBER], self.mark

    @property
    def seen(self) -> tuple[int, bytes]:
        """Return the same as `point`, nearly always without the lock."""
        mark = self.mark
        number = self._numbers[POINT_NUMBER]
        # While a point is set there is no mark: what stands between two equal ones is of one point
        return (number, mark) if mark == self.mark != NO_MARK else self.point

    @property
    def mark(self) -> bytes:
        return self._numbers[POINT_MARK].to_bytes(COUNTER_BYTES, "little")

    def reach(self, number: int, mark: bytes) -> None:
        """Note the newest point of the lineage, unless one with a larger number is known."""
        with self._locked():
            if number > self._numbers[POINT_NUMBER]:
                self._set_point(number, mark)

    def begin_at(self, number: int, mark: bytes, consents: Mapping[int, int] = NO_CONSENTS) -> None:
        """Set every counter to a number, where it is not known what has changed before it.

        `consents`: the counters of all consents, and their numbers.
        """
        with self._locked():
            self._begin(number, mark, consents)

    def begin_again(self, number: int, mark: bytes, consents: Mapping[int, int]) -> dict[int, int]:
        """Begin anew with a store that has lost changes, or with another one.

        `number`: larger than any that was seen. Consents that were known here and are not among
        those of the store are noted as lost up to that number. Returns the slots of all that were
        ever lost, with the numbers.
        """
        with self._locked():
            lost = []
            for counter in CONSENT_COUNTERS:
                known = self._numbers[counter]
                if known and known != consents.get(counter):
                    lost.append(counter)
                    self._numbers[counter - FIRST_CONSENT + FIRST_LOST] = number
            self._begin(number, mark, dict(consents) | dict.fromkeys(lost, number))
            numbers = self._numbers[FIRST_LOST:].tolist()
        return {slot: number for slot, number in enumerate(numbers) if number}

    def _begin(self, number: int, mark: bytes, consents: Mapping[int, int]) -> None:
        begun = number.to_bytes(COUNTER_BYTES, "little")
        self._numbers[FIRST_HASHED:FIRST_CONSENT] = memoryview(begun * HASHED_COUNTERS).cast("Q")
        for counter in CONSENT_COUNTERS:
            self._numbers[counter] = consents.get(counter, 0)
        for counter in (FOLLOWED, *SHARED.values(), BEGUN):
            self._numbers[counter] = number
        self._set_point(number, mark)

    def _set_point(self, number: int, mark: bytes) -> None:
        self._numbers[POINT_MARK] = 0
        self._numbers[POINT_NUMBER] = number
        self._numbers[POINT_MARK] = int.from_bytes(mark, "little")

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
