"""Consents of customers, products they struck out of their profile, and erasure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from models.data.customers import PERSONALIZE_EMAIL, PERSONALIZE_WEB, TRAIN
from service.store.change_counters import ERASED, counter_of
from service.store.tables import consents, erased, events, sessions, slates, unused, used_again
from service.store.tombstones import make_tombstone, read_tombstone_key
from service.store.writer import Change

PURPOSES: Final = ("train", "personalize_web", "personalize_email")
assert (TRAIN, PERSONALIZE_WEB, PERSONALIZE_EMAIL) == (0, 1, 2)  # noqa: S101  # as in PURPOSES


class Consent(NamedTuple):
    """A customer's answer about one purpose."""

    value: int  # YES or NO
    time: int  # when they gave it, seconds since 1970


@dataclass(frozen=True)
class Erasure:
    """Hold what was deleted under an id, and whether it had been erased before."""

    counts: Mapping[str, int]  # number of rows by kind
    earlier: int | None  # when it was erased first, seconds since 1970


def read(connection: Connection, customer_id: str) -> dict[int, Consent]:
    """Return a customer's answers by purpose."""
    query = select(consents.c.purpose, consents.c.value, consents.c.time).where(
        consents.c.customer_id == customer_id
    )
    return {row.purpose: Consent(row.value, row.time) for row in connection.execute(query)}


def give(
    change: Change, customer_id: str, values: Mapping[int, int], time: int
) -> dict[int, Consent]:
    """Keep each answer unless a later one is known; return the answers that hold then."""
    answers = read(change.connection, customer_id)
    for purpose, value in values.items():
        earlier = answers.get(purpose)
        if earlier is not None and earlier.time > time:
            continue
        (number,) = change.take_numbers(1)
        columns = {"value": value, "time": time, "number": number}
        row = {"customer_id": customer_id, "purpose": purpose}
        if earlier is None:
            change.connection.execute(insert(consents).values(**row, **columns))
        else:
            change.connection.execute(update(consents).filter_by(**row).values(**columns))
        answers[purpose] = Consent(value, time)
        change.touch(counter_of("customer", customer_id))
        change.touch(counter_of("consent", customer_id))
    return answers


def strike_out(change: Change, customer_id: str, product_id: str, time: int) -> None:
    """Stop using a product: it says nothing about this customer any more."""
    row = {"customer_id": customer_id, "product_id": product_id}
    if change.connection.execute(select(unused.c.number).filter_by(**row)).first() is not None:
        return
    (number,) = change.take_numbers(1)
    change.connection.execute(insert(unused).values(**row, time=time, number=number))
    change.touch(counter_of("customer", customer_id))


def use_again(change: Change, customer_id: str, product_id: str) -> None:
    """Use a product again that a customer struck out."""
    row = {"customer_id": customer_id, "product_id": product_id}
    if change.connection.execute(delete(unused).filter_by(**row)).rowcount == 0:
        return
    (number,) = change.take_numbers(1)
    customer = {"customer_id": customer_id}
    renewed = update(used_again).filter_by(**customer).values(number=number)
    if change.connection.execute(renewed).rowcount == 0:
        change.connection.execute(insert(used_again).values(**customer, number=number))
    change.touch(counter_of("customer", customer_id))


def forget(change: Change, customer_id: str, time: int) -> Erasure:
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
        "mails": delete(slates).where(slates.c.customer_id == customer_id),
    }
    events_before_login = connection.execute(before_login).rowcount
    counts = {
        name: int(connection.execute(deletion).rowcount) for name, deletion in deletions.items()
    }
    counts["events"] += events_before_login
    erasure = Erasure(counts, _bury(change, customer_id, time))
    change.touch(counter_of("customer", customer_id))
    change.touch(ERASED)
    for session_id in session_ids:
        change.touch(counter_of("session", session_id))
    return erasure


def _bury(change: Change, customer_id: str, time: int) -> int | None:
    """Leave a tombstone, or return the time of the one that there is already."""
    tombstone = make_tombstone(read_tombstone_key(change.connection), customer_id)
    (number,) = change.take_numbers(1)  # in any case: what was deleted now must be seen too
    query = select(erased.c.time).where(erased.c.customer == tombstone)
    earlier: int | None = change.connection.execute(query).scalar()
    if earlier is None:
        change.connection.execute(
            insert(erased).values(customer=tombstone, time=time, number=number)
        )
    return earlier
