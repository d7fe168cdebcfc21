"""Erase a customer: delete what the store holds under an id, and leave a tombstone."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, insert, select, update

from models.data.customers import consent_slot
from service.store import exposures, offers
from service.store.audit import name_customer
from service.store.change_counters import ERASED, counter_of
from service.store.refusal_journal import RefusalKind, refusal_of
from service.store.tables import (
    audit,
    consents,
    erased,
    events,
    preferences,
    sessions,
    slates,
    unused,
    used_again,
)
from service.store.tombstones import make_tombstone, read_tombstone_key
from service.store.writer import Change


@dataclass(frozen=True)
class Erasure:
    """Hold what was deleted under an id, and whether it had been erased before."""

    counts: Mapping[str, int]  # number of rows by kind
    earlier: int | None  # when it was erased first, seconds since 1970


def erase(change: Change, customer_id: str, time: int) -> Erasure:
    """Delete everything under an id, and leave a tombstone."""
    connection = change.connection
    own_sessions = select(sessions.c.session_id).where(sessions.c.customer_id == customer_id)
    session_ids = connection.execute(own_sessions).scalars().all()
    # On its own: PostgreSQL would read every event for one or the other condition.
    before_login = delete(events).where(
        events.c.customer_id.is_(None), events.c.session_id.in_(own_sessions)
    )
    deletions: dict[str, Any] = {
        "events": delete(events).where(events.c.customer_id == customer_id),
        "sessions": delete(sessions).where(sessions.c.customer_id == customer_id),
        "consents": delete(consents).where(consents.c.customer_id == customer_id),
        "struck_out": delete(unused).where(unused.c.customer_id == customer_id),
        "used_again": delete(used_again).where(used_again.c.customer_id == customer_id),
        "preferences": delete(preferences).where(preferences.c.customer_id == customer_id),
        "mails": delete(slates).where(slates.c.customer_id == customer_id),
        "audited": delete(audit).where(audit.c.subject == name_customer(connection, customer_id)),
    }
    exposed = exposures.erase(change, customer_id)
    codes = connection.execute(offers.forget_customer(customer_id)).rowcount
    events_before_login = connection.execute(before_login).rowcount
    counts = {
        name: int(connection.execute(deletion).rowcount) for name, deletion in deletions.items()
    }
    counts["events"] += events_before_login
    counts["exposures"] = exposed
    counts["offers"] = codes
    erasure = Erasure(counts, _bury(change, customer_id, time))
    change.touch(counter_of("customer", customer_id))
    change.touch(counter_of("consent", customer_id))  # they refuse, also while the store is away
    change.touch(ERASED)
    change.refuse(refusal_of(connection, RefusalKind.ERASURE, customer_id, time))
    for session_id in session_ids:
        change.touch(counter_of("session", session_id))
    return erasure


def _bury(change: Change, customer_id: str, time: int) -> int | None:
    """Leave a tombstone, or return the time of the one that there is already."""
    tombstone = make_tombstone(read_tombstone_key(change.connection), customer_id)
    (number,) = change.take_numbers(1)  # in any case: what was deleted now must be seen too
    known = {"number": number, "slot": consent_slot(customer_id)}
    query = select(erased.c.time).where(erased.c.customer == tombstone)
    earlier: int | None = change.connection.execute(query).scalar()
    if earlier is None:
        change.connection.execute(insert(erased).values(customer=tombstone, time=time, **known))
    else:
        change.connection.execute(update(erased).filter_by(customer=tombstone).values(**known))
    return earlier


def bury_again(change: Change, key: bytes, tombstones: Set[bytes], time: int) -> None:
    """Put tombstones back that a store has lost, unless their key is not the one of the store."""
    if read_tombstone_key(change.connection) != key:
        return
    known = set(map(bytes, change.connection.execute(select(erased.c.customer)).scalars()))
    for tombstone in sorted(tombstones - known):
        (number,) = change.take_numbers(1)
        change.connection.execute(
            insert(erased).values(customer=tombstone, time=time, number=number)
        )
        change.touch(ERASED)
