"""Preferences of customers: what they say they like, avoid and need."""

from __future__ import annotations

from typing import Final, NamedTuple

from sqlalchemy import Connection, insert, select, update

from service.store.change_counters import counter_of
from service.store.tables import preferences
from service.store.writer import Change

COLUMNS: Final = (preferences.c.document, preferences.c.time)


class Said(NamedTuple):
    """What a customer has said, and when."""

    document: str  # JSON of models.rules.preferences
    time: int  # seconds since 1970


def read(connection: Connection, customer_id: str) -> Said | None:
    """Return what a customer has said last; None where they never said anything."""
    query = select(*COLUMNS).where(preferences.c.customer_id == customer_id)
    row = connection.execute(query).first()
    return None if row is None else Said(*row)


def say(change: Change, customer_id: str, said: Said) -> None:
    """Replace all that a customer has said. Who takes it back has said nothing: that is kept."""
    (number,) = change.take_numbers(1)
    values = {**said._asdict(), "number": number}
    again = update(preferences).filter_by(customer_id=customer_id).values(**values)
    if change.connection.execute(again).rowcount == 0:
        first = insert(preferences).values(customer_id=customer_id, **values)
        change.connection.execute(first)
    change.touch(counter_of("customer", customer_id))
