"""Finished answers, kept for a while. Losing them costs speed, never an answer."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol

ENTRY_BYTES: Final = 250  # what Python spends on an entry besides key and value


class Cache(Protocol):
    """Values are bytes under keys that show nobody's id."""

    async def get(self, key: bytes) -> bytes | None:
        """The value, or None where there is none or where it cannot be had soon enough."""

    def put(self, key: bytes, value: bytes) -> None:
        """Returns at once; the value may be dropped."""

    def state(self) -> str:
        """One word for /readyz."""

    async def close(self) -> None: ...


class MemoryCache:
    """In this process: the least recently used entries go when there are more bytes than allowed."""

    def __init__(self, limit_bytes: int, ttl_seconds: float, clock: Callable[[], float]) -> None:
        self._limit_bytes = limit_bytes
        self._ttl_seconds = ttl_seconds
        self._clock = clock
        self._entries: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()
        self.size_bytes = 0

    async def get(self, key: bytes) -> bytes | None:
        entry = self._entries.get(key)
        if entry is None:
            return None
        expires, value = entry
        if self._clock() >= expires:
            self._remove(key)
            return None
        self._entries.move_to_end(key)
        return value

    def put(self, key: bytes, value: bytes) -> None:
        if key in self._entries:
            self._remove(key)
        self._entries[key] = (self._clock() + self._ttl_seconds, value)
        self.size_bytes += _size(key, value)
        while self.size_bytes > self._limit_bytes:
            self._remove(next(iter(self._entries)))

    def state(self) -> str:
        return "memory"

    async def close(self) -> None:
        self._entries.clear()
        self.size_bytes = 0

    def _remove(self, key: bytes) -> None:
        _, value = self._entries.pop(key)
        self.size_bytes -= _size(key, value)


def _size(key: bytes, value: bytes) -> int:
    return len(key) + len(value) + ENTRY_BYTES
