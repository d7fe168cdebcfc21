"""Other shops of a deployment, as the store of its main shop lists them."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from sqlalchemy import Connection, delete, insert, select, update

from service.store.audit import record_change
from service.store.change_counters import KEYS
from service.store.refusal_journal import Refusal, RefusalKind
from service.store.tables import shops
from service.store.writer import Change

SECRET_BYTES: Final = 32


@dataclass(frozen=True)
class ShopRecord:
    """Hold what the deployment knows of a shop."""

    name: str
    settings: Mapping[str, Any]  # that differ from those of the deployment
    secret: bytes  # another one each time that a shop of this name is made
    created: int  # seconds since 1970, like the next one
    ending: int | None = None  # since when it answers no more

    @property
    def mark(self) -> str:
        """Return what tells it from shops of its name that were made before or after it."""
        return hashlib.sha256(b"shop " + self.secret).hexdigest()


def list_all(connection: Connection) -> dict[str, ShopRecord]:
    """Return every shop besides the main one by its name, in the order of names."""
    records = {}
    for row in connection.execute(select(shops).order_by(shops.c.name)):
        settings, secret = orjson.loads(row.document), bytes(row.secret)
        records[row.name] = ShopRecord(row.name, settings, secret, row.created, row.ending)
    return records


def put(
    change: Change, name: str, settings: Mapping[str, Any], *, time: int, actor: str
) -> ShopRecord:
    """Make a shop, or replace the settings of one that is not ending; return it as it is then.

    Who may come in changes with the shops, so they share the counter of the keys.
    """
    before = list_all(change.connection).get(name)
    document = orjson.dumps(settings, option=orjson.OPT_SORT_KEYS).decode()
    if before is not None and (before.ending is not None or before.settings == settings):
        return before
    if before is None:
        secret = secrets.token_bytes(SECRET_BYTES)
        values = {"name": name, "document": document, "secret": secret, "created": time}
        change.connection.execute(insert(shops).values(**values))
    else:
        query = update(shops).where(shops.c.name == name)
        change.connection.execute(query.values(document=document))
    record_change(
        change,
        time=time,
        actor=actor,
        action="shop changed" if before else "shop made",
        subject=name,
        before=before.settings if before else None,
        after=settings,
    )
    change.touch(KEYS)
    return list_all(change.connection)[name]


def begin_to_end(change: Change, name: str, *, time: int, actor: str) -> ShopRecord | None:
    """Have a shop answer no more, from the next call on; return None where there is none."""
    record = list_all(change.connection).get(name)
    if record is not None and record.ending is None:
        query = update(shops).where(shops.c.name == name)
        change.connection.execute(query.values(ending=time))
        record_change(change, time=time, actor=actor, action="shop ending", subject=name)
        change.touch(KEYS)
        change.refuse(Refusal(RefusalKind.SHOP, time, shop=record.mark))
    return record


def remove(change: Change, name: str, *, time: int, actor: str) -> None:
    """Take a shop off the list, of which nothing else is left."""
    change.connection.execute(delete(shops).where(shops.c.name == name))
    record_change(change, time=time, actor=actor, action="shop ended", subject=name)
    change.touch(KEYS)
