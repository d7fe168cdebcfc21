"""Finished answers, kept for a while. Losing them costs speed, never an answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from cachetools import TTLCache

KEY_PREFIX: Final = b"regulars:"
# What an entry takes besides its value: the key of 57 bytes, and the objects around both.
ENTRY_BYTES: Final = 400


class Cache(Protocol):
    """A cache of bytes under keys that show nobody's id."""

    async def get(self, key: bytes) -> bytes | None:
        """Return the value; None where there is none or where it cannot be had soon enough."""

    def put(self, key: bytes, value: bytes) -> None:
        """Have a value kept, at once; it may be dropped."""

    def state(self) -> str:
        """Return one word for /readyz."""

    async def close(self) -> None: ...


class MemoryCache:
    """A cache in this process, for one event loop.

    Where there are more bytes than allowed, the least recently used entries go; a value that is
    larger than all of it is not kept.
    """

    def __init__(self, limit_bytes: int, ttl_seconds: float, clock: Callable[[], float]) -> None:
        self._entries: TTLCache[bytes, bytes] = TTLCache(
            limit_bytes, ttl_seconds, timer=clock, getsizeof=_size
        )

    @property
    def size_bytes(self) -> float:
        """Bytes of all entries that are still alive."""
        return self._entries.currsize

    async def get(self, key: bytes) -> bytes | None:
        try:
            return self._entries[key]  # `get` of a TTLCache takes twice as long
        except KeyError:
            return None

    def put(self, key: bytes, value: bytes) -> None:
        if _size(value) <= self._entries.maxsize:
            self._entries[key] = value

    def state(self) -> str:
        return "memory"

    async def close(self) -> None:
        self._entries.clear()


def _size(value: bytes) -> int:
    return ENTRY_BYTES + len(value)
