"""Purchases of all customers since a moment, as the shop reported them."""

from __future__ import annotations

from typing import NamedTuple

from sqlalchemy import Connection, func, select

from service.store.tables import IS_SALE, events, sessions


class BoughtLine(NamedTuple):
    """A product that a customer bought."""

    customer_id: str
    product_id: str
    time: int  # seconds since 1970


def read_bought(
    connection: Connection, after: int, until: int, above: int, most: int
) -> list[BoughtLine]:
    """Return the first lines that customers bought after a time and by another, oldest first.

    Their numbers are above one, up to which a model has learned. What was bought in a visit is of
    the customer who logged in there; what guests bought is not among them.
    """
    buyer = func.coalesce(events.c.customer_id, sessions.c.customer_id)
    query = (
        select(buyer, events.c.product_id, events.c.time)
        .outerjoin_from(events, sessions, sessions.c.session_id == events.c.session_id)
        .where(
            IS_SALE,
            events.c.time > after,
            events.c.time <= until,
            events.c.number > above,
            buyer.is_not(None),
        )
        .order_by(events.c.time, events.c.number)
        .limit(most)
    )
    return [BoughtLine(*row) for row in connection.execute(query)]
