"""Read events of Google Analytics 4, as its export to BigQuery has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from models.data.words import squeeze
from models.vendors.cells import is_gift_card, object_in, objects_in, text
from models.vendors.vendor import Found, OrderLine, Record, Shape, Variants

NOT_SET: Final = "(not set)"
PURCHASE: Final = "purchase"
REFUND: Final = "refund"
# Events that hold items and are nothing that a customer did to one of them
NO_ITEM_EVENTS: Final = frozenset(
    {
        "begin_checkout",
        "add_payment_info",
        "add_shipping_info",
        "view_cart",
        "view_promotion",
        "select_promotion",
    }
)


def read_event(documents: Sequence[Record], _: Variants) -> Found:
    """Read one event: a line for each of its items.

    Without a `user_id` the customer is the browser, `user_pseudo_id`. A refund without items is of
    the whole order.
    """
    event = documents[0]
    name = text(event.get("event_name"))
    items = objects_in(event, "items")
    order_id = _known(object_in(event, "ecommerce").get("transaction_id")) or _parameter(
        event, "transaction_id"
    )
    is_of_order = name in (PURCHASE, REFUND)
    if name == REFUND and not items and order_id:
        return Found(lines=[_other(event)], cancelled_orders=[order_id])
    if not items or name in NO_ITEM_EVENTS:
        return Found(lines=[_other(event)])
    lines = [
        OrderLine(
            product_id=_known(item.get("item_id")) or _known(item.get("item_name")),
            timestamp=text(event.get("event_timestamp")),
            customer_id=_customer(event),
            order_id=order_id if is_of_order else None,
            line_id=str(number),
            quantity=text(item.get("quantity")) if is_of_order else None,
            unit_price=text(item.get("price")) if is_of_order else None,
            currency=_parameter(event, "currency"),
            kind=name,
            left_out="gift_card" if is_gift_card(item.get("item_name")) else None,
        )
        for number, item in enumerate(items, 1)
    ]
    return Found(lines=lines)


def _other(event: Record) -> OrderLine:
    return OrderLine(
        timestamp=text(event.get("event_timestamp")),
        customer_id=_customer(event),
        kind=text(event.get("event_name")),
        line_id=text(event.get("event_bundle_sequence_id")),
        left_out="other_event",
    )


def _customer(event: Record) -> str | None:
    return text(event.get("user_id")) or text(event.get("user_pseudo_id"))


def _known(value: object) -> str | None:
    cell = text(value)
    return None if cell is None or squeeze(cell) == squeeze(NOT_SET) else cell


def _parameter(event: Record, name: str) -> str | None:
    """Return a parameter of an event, whichever type it has."""
    for parameter in objects_in(event, "event_params"):
        if parameter.get("key") == name:
            values = object_in(parameter, "value").values()
            return next(filter(None, map(text, values)), None)
    return None


SHAPES: Final = (
    Shape(
        vendor="ga4",
        title="events of Google Analytics 4",
        kind="purchases",
        told_by=("event_name", "event_timestamp"),
        read=read_event,
        cells={"timestamp": "event_timestamp", "kind": "event_name", "quantity": "items"},
    ),
)
