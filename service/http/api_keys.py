"""API keys: 256 random bits, shown once, stored as a hash, held in memory by every worker."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from models.artifact.shops import MAIN
from models.data.timestamps import format_timestamp
from service.errors import StoreUnavailable
from service.http.authorization import Caller, Scope
from service.store import keys as table
from service.store.change_counters import KEYS
from service.store.database import StoreDownError
from service.store.following import Following
from service.store.keys import StoredKey
from service.store.store import Store

PREFIX: Final = "regulars"
KEY_BYTES: Final = 32


@dataclass(frozen=True)
class NewKey:
    """A key with its secret, as it is made."""

    text: str  # shown once and stored nowhere
    stored: StoredKey


def create_key(
    name: str,
    scopes: Iterable[Scope],
    calls_a_minute: int | None,
    now: int,
    *,
    shop: str = MAIN,
) -> NewKey:
    """Return a new key, which reads `regulars_ID_SECRET`, or `regulars-SHOP_ID_SECRET`.

    The id is what people call it by; its hash finds it. `now`: seconds since 1970.
    """
    key_id = secrets.token_hex(6)
    prefix = PREFIX if shop == MAIN else f"{PREFIX}-{shop}"
    text = f"{prefix}_{key_id}_{secrets.token_urlsafe(KEY_BYTES)}"
    scope_names = tuple(sorted({scope.value for scope in scopes}))
    key_hash = hash_key(text.encode())
    return NewKey(text, StoredKey(key_id, name, key_hash, scope_names, calls_a_minute, now))


def hash_key(text: bytes) -> bytes:
    """Return the hash of a key. A plain one is enough: nobody guesses 256 random bits."""
    return hashlib.sha256(text).digest()


def describe_key(key: StoredKey) -> dict[str, Any]:
    """Return a key without its hash, as calls and commands list it."""
    return {
        "key_id": key.key_id,
        "name": key.name,
        "scopes": list(key.scopes),
        "calls_a_minute": key.calls_a_minute,
        "created": format_timestamp(key.created),
        "revoked": None if key.revoked is None else format_timestamp(key.revoked),
    }


def caller_of(key: StoredKey) -> Caller:
    """Return who calls with a key."""
    return Caller(key.key_id, frozenset(map(Scope, key.scopes)), key.calls_a_minute)


class ApiKeys:
    """Hold the keys of a store, for one event loop.

    They are read again when any worker or host has changed one. While the store is unreachable, the
    keys that were read last hold; methods raise StoreUnavailable if they were never read.
    """

    def __init__(self, store: Store) -> None:
        self._following = Following(store, KEYS, _read_keys, "keys")

    async def exist(self) -> bool:
        """Return whether any key was ever made: revoking the last one must not open the service."""
        return bool((await self._current_keys()).by_id)

    async def find(self, text: bytes) -> Caller | None:
        """Return whose key it is, None if it opens nothing."""
        return (await self._current_keys()).callers.get(hash_key(text))

    async def get(self, key_id: str) -> StoredKey | None:
        """Return a key by its id, None if there is none or it was revoked."""
        key = (await self._current_keys()).by_id.get(key_id)
        return None if key is None or key.revoked is not None else key

    @property
    def revision(self) -> int:
        """Return which keys callers were found among last."""
        return self._following.revision

    def are_at(self, revision: int) -> bool:
        """Return whether callers would be found among the same keys now."""
        return self._following.is_at(revision)

    async def _current_keys(self) -> _Keys:
        try:
            return await self._following.current()
        except StoreDownError:  # there may be keys, so nobody comes in without one
            raise StoreUnavailable from None


class _Keys(NamedTuple):
    """All keys, and who calls with those that are valid, by the hash of their text."""

    by_id: Mapping[str, StoredKey]
    callers: Mapping[bytes, Caller]


def _read_keys(connection: Connection) -> _Keys:
    keys = table.list_all(connection)
    callers = {key.hash: caller_of(key) for key in keys if key.revoked is None}
    return _Keys({key.key_id: key for key in keys}, callers)


def find_shop_in_key(text: bytes) -> str | None:
    """Return the name of the shop that a key says it is of, None where it names none."""
    prefix, _, name = text.partition(b"_")[0].partition(b"-")
    return name.decode("latin-1") if prefix == PREFIX.encode() and name else None
