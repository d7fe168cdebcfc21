"""API keys: never the key itself, only its hash. A revoked key keeps its row."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from service.store.audit import record_change
from service.store.change_counters import KEYS
from service.store.refusal_journal import Refusal, RefusalKind
from service.store.tables import keys
from service.store.writer import Change


@dataclass(frozen=True)
class StoredKey:
    """An API key as the store holds it."""

    key_id: str
    name: str
    hash: bytes
    scopes: tuple[str, ...]
    calls_a_minute: int | None  # None: as the settings say
    created: int  # seconds since 1970
    revoked: int | None = None


def list_all(connection: Connection) -> list[StoredKey]:
    """Return every key there ever was, oldest first."""
    columns = (keys.c[name] for name in StoredKey.__dataclass_fields__)
    query = select(*columns).order_by(keys.c.created, keys.c.key_id)
    return [
        StoredKey(key_id, name, bytes(digest), tuple(scopes.split()), *rest)
        for key_id, name, digest, scopes, *rest in connection.execute(query)
    ]


def add(change: Change, key: StoredKey, actor: str) -> None:
    """Keep a new key."""
    scopes = " ".join(key.scopes)
    (number,) = change.take_numbers(1)
    values = {**vars(key), "scopes": scopes, "number": number}
    change.connection.execute(insert(keys).values(**values))
    record_change(
        change,
        time=key.created,
        actor=actor,
        action="key created",
        subject=key.key_id,
        after={"name": key.name, "scopes": scopes, "calls_a_minute": key.calls_a_minute},
    )
    change.touch(KEYS)


def revoke(change: Change, key_id: str, actor: str, time: int) -> bool:
    """Revoke a key from the next call on; return False where there is no such key.

    Revoking it a second time changes nothing.
    """
    is_key = keys.c.key_id == key_id
    row = change.connection.execute(select(keys.c.revoked).where(is_key)).first()
    if row is None:
        return False
    if row.revoked is None:
        (number,) = change.take_numbers(1)
        change.connection.execute(update(keys).where(is_key).values(revoked=time, number=number))
        record_change(change, time=time, actor=actor, action="key revoked", subject=key_id)
        change.touch(KEYS)
        change.refuse(Refusal(RefusalKind.KEY, time, key_id=key_id))
    return True
