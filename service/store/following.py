"""A value of the store that a process holds, and reads again when anyone has changed it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from sqlalchemy import Connection

from service.runtime.circuit_breaker import CircuitBreaker, CircuitOpenError
from service.store.database import StoreDownError
from service.store.store import Store

# Longest wait for the store when the value has changed; then what was read last holds on.
READ_TIMEOUT_SECONDS: Final = 1.0
NEVER_READ: Final = -1
T = TypeVar("T")
log: Final = logging.getLogger("regulars.store")


class Following(Generic[T]):
    """Hold a value for one event loop: read once, and again when its counter has moved on.

    While the store is unreachable, what was read last holds.
    """

    def __init__(
        self, store: Store, counter: int, read: Callable[[Connection], T], name: str
    ) -> None:
        self._store = store
        self._counter = counter
        self._read_value = read
        self._name = name  # for the log
        self._value: T | None = None
        self.revision = NEVER_READ  # of the value
        self._reading: asyncio.Task[bool] | None = None
        self._breaker = CircuitBreaker(failures=1, rest_seconds=1.0)

    async def current(self) -> T:
        """Return the value. Raises StoreDownError if it was never read."""
        if not self.is_current:
            await self._renew()
        if self.revision == NEVER_READ:
            raise StoreDownError(f"{self._name} were never read")
        return self._value  # type: ignore[return-value]  # it was read

    def is_at(self, revision: int) -> bool:
        """Return whether the value of a revision is still the newest."""
        return revision == self._store.counters[self._counter]

    @property
    def is_current(self) -> bool:
        """Return whether the value was read, and has not changed since."""
        return self.is_at(self.revision)

    async def _renew(self) -> None:
        until = time.monotonic() + READ_TIMEOUT_SECONDS
        while not self.is_current and time.monotonic() < until:
            reading = self._reading
            if reading is None or reading.done():
                reading = self._reading = asyncio.create_task(self._read())
            await asyncio.wait([reading], timeout=until - time.monotonic())
            if reading.done() and not reading.result():
                return

    async def _read(self) -> bool:
        """Return whether the value was read, in a thread."""
        revision = self._store.counters[self._counter]  # before the value: it is as new, or newer
        try:
            with self._breaker:
                value = await asyncio.to_thread(self._store.read, self._read_value)
        except CircuitOpenError:
            return False
        except Exception as error:  # whatever it is, what is known holds until it is over
            log.warning("%s have changed and cannot be read: %s", self._name, type(error).__name__)
            return False
        self._value, self.revision = value, revision
        return True
