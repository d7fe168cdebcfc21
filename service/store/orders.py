"""Orders as a shop system tells them: the whole order, each time that something of it changes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from sqlalchemy import Connection, case, func, select

from models.data.events import PURCHASE, RETURN, Standing
from service.store.deliveries import is_newest
from service.store.events import Event, EventLine, write
from service.store.tables import events
from service.store.writer import Change


@dataclass(frozen=True)
class OrderedProduct:
    """How much of a product an order holds now, and what a piece costs."""

    quantity: float
    unit_price: float | None


@dataclass
class OrderState:
    """An order as it stands now; without products where it is no sale any more."""

    order_id: str
    time: int = 0  # of the order, seconds since 1970
    customer_id: str | None = None  # None: a guest
    currency: str | None = None
    updated: int | None = None  # when it was last changed at the vendor; None: not told
    products: dict[str, OrderedProduct] = field(default_factory=dict)


def bring_up_to_date(
    change: Change, order: OrderState, vendor: str, delivery: str, now: int
) -> int:
    """Write purchases and returns until the store holds an order as it stands; return how many.

    An older state of an order that was taken already changes nothing. `now`: seconds since 1970,
    when a return happened.
    """
    if not is_newest(change, vendor, f"order {order.order_id}", order.updated, now):
        return 0
    held = _read_quantities(change.connection, order.order_id)
    bought, returned = [], []
    for product_id in sorted(held.keys() | order.products.keys()):
        product = order.products.get(product_id, OrderedProduct(0.0, None))
        more = product.quantity - held.get(product_id, 0.0)
        if more > 0:
            bought.append(EventLine(product_id, more, product.unit_price))
        elif more < 0:
            returned.append(EventLine(product_id, -more))
    customer_id = order.customer_id or _read_customer(change.connection, order.order_id)
    changes = []
    for kind, lines, time in (
        (PURCHASE, bought, order.time),
        (RETURN, returned, max(now, order.time)),
    ):
        if lines:
            facts = f"{vendor} {delivery} {order.order_id} {kind}"
            event = Event(
                f"{vendor} {hashlib.blake2b(facts.encode(), digest_size=16).hexdigest()}",
                kind,
                time,
                tuple(lines),
                customer_id=customer_id,
                order_id=order.order_id,
                currency=order.currency,
            )
            changes.append(event)
    written = write(change, changes)
    return len(changes) - len(written.repeated) - len(written.of_erased)


def _read_quantities(connection: Connection, order_id: str) -> dict[str, float]:
    """Return how much of each product the shop's reports leave in an order."""
    amount = func.coalesce(events.c.quantity, 1.0)
    signed = case((events.c.kind == RETURN, -amount), else_=amount)
    query = (
        select(events.c.product_id, func.sum(signed))
        .where(
            events.c.order_id == order_id,
            events.c.kind.in_((PURCHASE, RETURN)),
            events.c.standing == Standing.SHOP,
        )
        .group_by(events.c.product_id)
    )
    return {product_id: float(quantity) for product_id, quantity in connection.execute(query)}


def _read_customer(connection: Connection, order_id: str) -> str | None:
    query = select(events.c.customer_id).where(
        events.c.order_id == order_id, events.c.customer_id.is_not(None)
    )
    return connection.execute(query.limit(1)).scalar()
