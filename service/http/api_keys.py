"""API keys: made from 256 random bits, told once, kept as a hash, and in the memory of every worker."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from service.errors import StoreUnavailable
from service.http.authorization import Caller, Scope
from service.runtime.circuit_breaker import CircuitBreaker, CircuitOpenError
from service.store import keys as table
from service.store.change_counters import KEYS
from service.store.keys import StoredKey
from service.store.store import Store

PREFIX: Final = "regulars"
READ_TIMEOUT_SECONDS: Final = (
    1.0  # for the store, where keys have changed; then those that were known hold a little longer
)
NO_HASH: Final = bytes(32)  # the hash of no key
log: Final = logging.getLogger("regulars.keys")


@dataclass(frozen=True)
class NewKey:
    text: str  # to be told once and never kept
    stored: StoredKey


def create_key(name: str, scopes: Iterable[Scope], calls_a_minute: int | None, now: int) -> NewKey:
    """`regulars_ID_SECRET`: the id finds the hash, so that nothing is compared but one hash with another."""
    key_id = secrets.token_hex(6)
    text = f"{PREFIX}_{key_id}_{secrets.token_urlsafe(32)}"
    names = tuple(sorted({scope.value for scope in scopes}))
    return NewKey(
        text, StoredKey(key_id, name, hash_key(text.encode()), names, calls_a_minute, now)
    )


def hash_key(text: bytes) -> bytes:
    """A plain hash is enough: nobody guesses 256 random bits."""
    return hashlib.sha256(text).digest()


class ApiKeys:
    """For one event loop. Read again when any worker or host has changed a key. Raises StoreAway before the first time.

    While the store is away, those that were known hold.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen = -1  # revision of the keys that are known
        self._known: Mapping[str, StoredKey] = {}
        self._reading: asyncio.Task[bool] | None = None
        self._breaker = CircuitBreaker(failures=1, rest_seconds=1.0)

    async def exist(self) -> bool:
        """Whether any was ever made: revoking the last one must not open the door."""
        return bool(await self._all())

    async def find(self, sent: bytes) -> Caller | None:
        """Whose key it is; None where it opens nothing."""
        key = (await self._all()).get(_id_of(sent))
        right = hmac.compare_digest(hash_key(sent), key.hash if key else NO_HASH)
        if key is None or not right or key.revoked is not None:
            return None
        return Caller(key.key_id, frozenset(map(Scope, key.scopes)), key.calls_a_minute)

    async def _all(self) -> Mapping[str, StoredKey]:
        if self._seen != self._store.revisions[KEYS]:
            await self._renew()
        if self._seen < 0:
            raise StoreUnavailable  # never read: whether there are keys is not known, so the door stays closed
        return self._known

    async def _renew(self) -> None:
        """In a thread; the loop goes on."""
        until = time.monotonic() + READ_TIMEOUT_SECONDS
        while self._seen != self._store.revisions[KEYS] and time.monotonic() < until:
            reading = self._reading
            if reading is None or reading.done():
                reading = self._reading = asyncio.create_task(self._read())
            await asyncio.wait([reading], timeout=until - time.monotonic())
            if reading.done() and not reading.result():
                return

    async def _read(self) -> bool:
        """Return whether the keys were read."""
        seen = self._store.revisions[KEYS]  # first: what is read after it holds all that it counts
        try:
            with self._breaker:
                stored = await asyncio.to_thread(self._store.read, table.listed)
        except CircuitOpenError:
            return False
        except Exception as error:  # whatever it is, the keys that are known hold until it is over
            log.warning("keys have changed and cannot be read: %s", type(error).__name__)
            return False
        self._known = {key.key_id: key for key in stored}
        self._seen = seen
        return True


def _id_of(sent: bytes) -> str:
    prefix, _, rest = sent.partition(b"_")
    return rest.partition(b"_")[0].decode("latin-1") if prefix == PREFIX.encode() else ""
