"""What customers allow, by purpose; what they struck out; and being forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from models.data.customers import PERSONALIZE_EMAIL, PERSONALIZE_WEB, TRAIN
from service.store.change_counters import ERASED, counter_of
from service.store.events import make_tombstone, read_tombstone_key
from service.store.tables import consents, erased, events, sessions, slates, unused
from service.store.writer import Change

PURPOSES = (
    "train",
    "personalize_web",
    "personalize_email",
)  # TRAIN, PERSONALIZE_WEB, PERSONALIZE_EMAIL
assert (TRAIN, PERSONALIZE_WEB, PERSONALIZE_EMAIL) == (0, 1, 2)  # noqa: S101


def read(connection: Connection, customer_id: str) -> dict[int, tuple[int, int]]:
    """purpose -> (YES or NO, when they said so)."""
    found = select(consents.c.purpose, consents.c.value, consents.c.time).where(
        consents.c.customer_id == customer_id
    )
    return {purpose: (value, time) for purpose, value, time in connection.execute(found)}


def give(
    change: Change, customer_id: str, values: Mapping[int, int], time: int
) -> dict[int, tuple[int, int]]:
    """Note each answer unless a later one is known; what holds then."""
    now = read(change.connection, customer_id)
    for purpose, value in values.items():
        if purpose in now and now[purpose][1] > time:
            continue
        (number,) = change.numbers(1)
        columns = {"value": value, "time": time, "number": number}
        same = (consents.c.customer_id == customer_id) & (consents.c.purpose == purpose)
        if purpose in now:
            change.connection.execute(update(consents).where(same).values(**columns))
        else:
            change.connection.execute(
                insert(consents).values(customer_id=customer_id, purpose=purpose, **columns)
            )
        now[purpose] = (value, time)
        change.touch(counter_of("customer", customer_id))
        change.touch(counter_of("consent", customer_id))
    return now


def strike_out(change: Change, customer_id: str, product_id: str, time: int) -> None:
    """From now on the product says nothing about this customer."""
    row = (unused.c.customer_id == customer_id) & (unused.c.product_id == product_id)
    if change.connection.execute(select(unused.c.number).where(row)).first() is None:
        (number,) = change.numbers(1)
        values = {
            "customer_id": customer_id,
            "product_id": product_id,
            "time": time,
            "number": number,
        }
        change.connection.execute(insert(unused).values(**values))
        change.touch(counter_of("customer", customer_id))


def forget(change: Change, customer_id: str, time: int) -> dict[str, int]:
    """Delete everything under this id and leave a tombstone; how many rows of what went."""
    connection = change.connection
    theirs = select(sessions.c.session_id).where(sessions.c.customer_id == customer_id)
    visits = connection.execute(theirs).scalars().all()
    before_login = delete(events).where(
        events.c.customer_id.is_(None), events.c.session_id.in_(theirs)
    )
    gone: dict[str, Any] = {
        "events": delete(events).where(events.c.customer_id == customer_id),
        "sessions": delete(sessions).where(sessions.c.customer_id == customer_id),
        "consents": delete(consents).where(consents.c.customer_id == customer_id),
        "struck_out": delete(unused).where(unused.c.customer_id == customer_id),
        "mails": delete(slates).where(slates.c.customer_id == customer_id),
    }
    before = connection.execute(
        before_login
    ).rowcount  # by itself: PostgreSQL reads every event for one or the other
    counts = {name: int(connection.execute(statement).rowcount) for name, statement in gone.items()}
    counts["events"] += before
    mark = make_tombstone(read_tombstone_key(connection), customer_id)
    if connection.execute(select(erased.c.number).where(erased.c.customer == mark)).first() is None:
        (number,) = change.numbers(1)
        connection.execute(insert(erased).values(customer=mark, time=time, number=number))
    else:
        change.numbers(1)  # what was deleted now must be seen too
    change.touch(counter_of("customer", customer_id))
    change.touch(ERASED)
    for session_id in visits:
        change.touch(counter_of("session", session_id))
    return counts
