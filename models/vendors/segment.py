"""Read calls of Segment: `track` by its specifications of ecommerce (V1, V2), and `identify`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from models.data.events import KINDS, RATING
from models.data.words import read_kind, squeeze
from models.vendors.cells import is_gift_card, is_yes, object_in, objects_in, text
from models.vendors.vendor import Found, OrderLine, Record, Shape, Variants, VendorCustomer

V1_ORDER: Final = "orderId"
V1_PRODUCT: Final = "id"
TRACK: Final = "track"
IDENTIFY: Final = "identify"
CANCELLED: Final = frozenset({"ordercancelled", "ordercanceled"})
REFUNDED: Final = "orderrefunded"
UPDATED: Final = "orderupdated"  # the order as it is now
# Events that hold products and are nothing that a customer did to one of them
NO_PRODUCT_EVENTS: Final = frozenset(
    {
        "cartviewed",
        "cartshared",
        "checkoutstarted",
        "checkoutstepviewed",
        "checkoutstepcompleted",
        "paymentinfoentered",
        "couponentered",
        "couponapplied",
        "coupondenied",
        "couponremoved",
        "productshared",
        "wishlistproductaddedtocart",
        "productremovedfromwishlist",
    }
)
NO_MAILS: Final = ("unsubscribed", "email_unsubscribed")  # traits
MAILS: Final = ("subscribed", "email_subscribed", "marketing_opt_in", "email_opt_in")


def read_call(documents: Sequence[Record], variants: Variants) -> Found:
    """Read one call: a line for each product of a `track`.

    Without a `userId` the customer is the device, `anonymousId`. A refund without products is of
    the whole order. With variants a product is its `sku`.
    """
    call = documents[0]
    properties = object_in(call, "properties")
    name = squeeze(text(call.get("event")) or "")
    order_id = text(properties.get("order_id")) or text(properties.get(V1_ORDER))
    products = objects_in(properties, "products")
    if not products and text(properties.get("product_id") or properties.get("sku")):
        products = [properties]
    is_cancelled = name in CANCELLED or (name == REFUNDED and not products)
    if is_cancelled and order_id:
        return Found(lines=[_other(call)], cancelled_orders=[order_id])
    if call.get("type") != TRACK or not products or name in NO_PRODUCT_EVENTS:
        return Found(lines=[_other(call)])
    lines = [
        _line(call, order_id, product, number, variants)
        for number, product in enumerate(products, 1)
    ]
    return Found(lines=lines)


def _line(
    call: Record, order_id: str | None, product: Record, number: int, variants: Variants
) -> OrderLine:
    properties = object_in(call, "properties")
    product_id = text(product.get("product_id")) or text(product.get(V1_PRODUCT))
    sku = text(product.get("sku"))
    name = text(call.get("event")) or ""
    is_rating = read_kind(name) == RATING
    return OrderLine(
        product_id=(sku or product_id) if variants == "variant" else (product_id or sku),
        timestamp=_time(call),
        customer_id=_customer(call),
        order_id=order_id,
        line_id=str(number) if order_id else text(call.get("messageId")),
        quantity=text(product.get("quantity")) if order_id else None,
        unit_price=text(product.get("price")),
        currency=text(properties.get("currency")),
        kind=KINDS[0] if squeeze(name) == UPDATED else name,
        rating=text(properties.get("rating")) if is_rating else None,
        left_out="gift_card" if is_gift_card(product.get("name")) else None,
    )


def _other(call: Record) -> OrderLine:
    return OrderLine(
        timestamp=_time(call),
        customer_id=_customer(call),
        line_id=text(call.get("messageId")),
        kind=text(call.get("event")) or text(call.get("type")),
        left_out="other_event",
    )


def _time(call: Record) -> str | None:
    return text(call.get("timestamp")) or text(call.get("originalTimestamp"))


def _customer(call: Record) -> str | None:
    return text(call.get("userId")) or text(call.get("anonymousId"))


def read_identify(documents: Sequence[Record], _: Variants) -> Found:
    """Read the customer of an `identify`; other calls hold none."""
    call = documents[0]
    if call.get("type") != IDENTIFY or not text(call.get("userId")):
        return Found()
    traits = object_in(call, "traits")
    answer = next(filter(None, (text(traits.get(name)) for name in MAILS)), None)
    if any(is_yes(traits.get(name)) for name in NO_MAILS):
        answer = "no"
    time = _time(call) if answer else None
    return Found(customers=[VendorCustomer(text(call.get("userId")), answer, time)])


SHAPES: Final = (
    Shape(
        vendor="segment",
        title="calls of Segment",
        kind="purchases",
        told_by=("type", "messageid", "timestamp"),
        read=read_call,
        cells={"timestamp": "timestamp", "kind": "event", "customer_id": "userid"},
    ),
    Shape(
        vendor="segment",
        title="calls of Segment",
        kind="customers",
        told_by=("type", "messageid", "timestamp"),
        read=read_identify,
        cells={"customer_id": "userid"},
    ),
)
