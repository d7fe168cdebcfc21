"""Audit log: who changed what, and when.

It holds no customer's id: a change that concerns one is kept under a keyed hash of the id, and an
erasure removes these changes.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import orjson
from sqlalchemy import Connection, insert, select

from models.data.events import HOUR
from models.data.timestamps import format_timestamp
from service.store.tables import audit
from service.store.tombstones import make_tombstone, read_tombstone_key
from service.store.writer import Change

PRICE_CHANGED: Final = "price changed"
LOOKED_AT: Final = "customer looked at"


class AuditedPrice(NamedTuple):
    """A price that a shop has changed, as it was before."""

    number: int
    time: int  # seconds since 1970
    product_id: str
    price: float | None
    currency: str | None


def record_change(
    change: Change,
    *,
    time: int,
    actor: str,
    action: str,
    subject: str,
    before: Any = None,
    after: Any = None,
) -> None:
    """Add a change to the log. `before` and `after` are what JSON can hold, and no secret."""
    (number,) = change.take_numbers(1)
    change.connection.execute(
        insert(audit).values(
            number=number,
            time=time,
            actor=actor,
            action=action,
            subject=subject,
            before=_encode(before),
            after=_encode(after),
        )
    )


def record_look(change: Change, actor: str, subject: str, time: int) -> None:
    """Note that somebody has read what is known of a customer, unless it was noted within an hour.

    `subject`: see name_customer.
    """
    if not find_look(change.connection, actor, subject, since=time - HOUR):
        record_change(change, time=time, actor=actor, action=LOOKED_AT, subject=subject)


def find_look(connection: Connection, actor: str, subject: str, since: int) -> bool:
    """Return whether somebody has read what is known of a customer since a moment."""
    is_look = (audit.c.action == LOOKED_AT) & (audit.c.subject == subject)
    query = select(audit.c.number).where(is_look, audit.c.actor == actor, audit.c.time >= since)
    return connection.execute(query.limit(1)).first() is not None


def read_price_changes(connection: Connection, above: int, limit: int) -> list[AuditedPrice]:
    """Return the newest changes of prices numbered above one, oldest first."""
    query = (
        select(audit.c.number, audit.c.time, audit.c.subject, audit.c.before)
        .where(audit.c.number > above, audit.c.action == PRICE_CHANGED)
        .order_by(audit.c.number.desc())
        .limit(limit)
    )
    changes = []
    for number, time, product_id, before in connection.execute(query):
        old = _decode(before) or {}
        changes.append(
            AuditedPrice(number, time, product_id, old.get("price"), old.get("currency"))
        )
    return changes[::-1]


def list_newest(connection: Connection, limit: int, below: int | None) -> list[dict[str, Any]]:
    """Return the changes, newest first, or those numbered below `below`."""
    query = select(*audit.columns).order_by(audit.c.number.desc()).limit(limit)
    if below is not None:
        query = query.where(audit.c.number < below)
    return [_describe(row) for row in connection.execute(query)]


def name_customer(connection: Connection, customer_id: str) -> str:
    """Return the subject of changes that concern a customer: it says who to nobody without the id.

    The key never leaves the store.
    """
    return f"customer {make_tombstone(read_tombstone_key(connection), customer_id).hex()[:32]}"


def list_of_customer(connection: Connection, customer_id: str) -> list[dict[str, Any]]:
    """Return the changes that concern a customer, oldest first."""
    is_theirs = audit.c.subject == name_customer(connection, customer_id)
    query = select(*audit.columns).where(is_theirs).order_by(audit.c.number)
    return [_describe(row) for row in connection.execute(query)]


def _describe(row: Any) -> dict[str, Any]:
    return {
        "number": row.number,
        "time": format_timestamp(row.time),
        "actor": row.actor,
        "action": row.action,
        "subject": row.subject,
        "before": _decode(row.before),
        "after": _decode(row.after),
    }


def _encode(content: Any) -> str | None:
    return None if content is None else orjson.dumps(content).decode()


def _decode(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)
