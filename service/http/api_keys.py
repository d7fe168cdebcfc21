"""API keys: 256 random bits, shown once, stored as a hash, held in memory by every worker."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

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
NO_HASH: Final = bytes(32)  # no key has it


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

    The id finds the hash, so nothing is compared but one hash with another. `now`: seconds since
    1970.
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
        self._following = Following(store, KEYS, _read_by_id, "keys")

    async def exist(self) -> bool:
        """Return whether any key was ever made: revoking the last one must not open the service."""
        return bool(await self._current_keys())

    async def find(self, text: bytes) -> Caller | None:
        """Return whose key it is, None if it opens nothing."""
        key = await self.get(_key_id(text))
        is_right = hmac.compare_digest(hash_key(text), key.hash if key else NO_HASH)
        return caller_of(key) if key is not None and is_right else None

    async def get(self, key_id: str) -> StoredKey | None:
        """Return a key by its id, None if there is none or it was revoked."""
        key = (await self._current_keys()).get(key_id)
        return None if key is None or key.revoked is not None else key

    async def _current_keys(self) -> Mapping[str, StoredKey]:
        try:
            return await self._following.current()
        except StoreDownError:  # there may be keys, so nobody comes in without one
            raise StoreUnavailable from None


def _read_by_id(connection: Connection) -> dict[str, StoredKey]:
    return {key.key_id: key for key in table.list_all(connection)}


def _key_id(text: bytes) -> str:
    prefix, _, rest = text.partition(b"_")
    is_key = prefix.partition(b"-")[0] == PREFIX.encode()
    return rest.partition(b"_")[0].decode("latin-1") if is_key else ""


def find_shop_in_key(text: bytes) -> str | None:
    """Return the name of the shop that a key says it is of, None where it names none."""
    prefix, _, name = text.partition(b"_")[0].partition(b"-")
    return name.decode("latin-1") if prefix == PREFIX.encode() and name else None
