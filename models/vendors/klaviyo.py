"""Read events and profiles of Klaviyo: answers of its API, webhooks, and the export of profiles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from models.data.events import KINDS, PURCHASE, RETURN
from models.data.words import squeeze
from models.vendors.cells import (
    is_gift_card,
    known_texts,
    object_in,
    objects_in,
    text,
)
from models.vendors.vendor import Found, OrderLine, Record, Shape, Variants, VendorCustomer

PLACED: Final = "placedorder"
ORDERED: Final = "orderedproduct"  # one for each line of an order that was placed
CANCELLED: Final = frozenset({"cancelledorder", "canceledorder"})
REFUNDED: Final = "refundedorder"
KIND_OF_ORDERS: Final = {PLACED: KINDS[PURCHASE], ORDERED: KINDS[PURCHASE], REFUNDED: KINDS[RETURN]}
# Events that hold items and are nothing that a customer did to one of them
NO_ITEM_EVENTS: Final = frozenset(
    {
        "fulfilledorder",
        "fulfilledpartialorder",
        "confirmedshipment",
        "deliveredshipment",
        "startedcheckout",
        "checkoutstarted",
        "subscribedtobackinstock",
    }
)
NO_CONSENT: Final = "no"


def read_events(documents: Sequence[Record], variants: Variants) -> Found:
    """Read an answer with events, or one event.

    The customer is the profile's `external_id`, or else its id. Items tell the products of an
    order; an event for each line counts where its order was not told.
    """
    lines: list[OrderLine] = []
    cancelled: list[str] = []
    for event in _resources(documents[0], "event"):
        name = squeeze(event.metric)
        order_id = event.order_id
        items = list(_items(event))
        is_whole = name in CANCELLED or (name == REFUNDED and not items)
        if is_whole and order_id:
            cancelled.append(order_id)
        if is_whole or not items or name in NO_ITEM_EVENTS:
            lines.append(event.other())
            continue
        lines += [_line(event, item, number, variants) for number, item in enumerate(items, 1)]
    return Found(lines=lines, cancelled_orders=cancelled)


class _Event:
    """An event with what its answer includes."""

    def __init__(self, resource: Record, included: Mapping[tuple[str, str], Record]) -> None:
        attributes = object_in(resource, "attributes")
        relationships = object_in(resource, "relationships")
        self.properties = object_in(attributes, "event_properties") or object_in(
            attributes, "properties"
        )
        self.time = text(attributes.get("datetime") or attributes.get("time")) or text(
            attributes.get("timestamp")
        )
        self.event_id = text(resource.get("id")) or text(attributes.get("uuid"))
        self.currency = text(attributes.get("value_currency")) or text(
            self.properties.get("$currency_code")
        )
        metric = _related(attributes, relationships, "metric", included)
        named = text(object_in(metric, "attributes").get("name"))
        # A metric without a name is no kind of event, and is counted under its id.
        self.metric = named or text(metric.get("id")) or "no metric"
        profile = _related(attributes, relationships, "profile", included)
        external = text(object_in(profile, "attributes").get("external_id"))
        self.customer_id = external or text(profile.get("id"))

    @property
    def order_id(self) -> str | None:
        """Return the id of the order, if it is about one."""
        extra = object_in(self.properties, "$extra")
        names = ("OrderId", "OrderID", "order_id", "$order_id")
        known = (text(self.properties.get(name)) for name in names)
        return next(filter(None, known), None) or text(extra.get("id"))

    def other(self) -> OrderLine:
        """Return the line of an event about no product."""
        return OrderLine(
            timestamp=self.time,
            customer_id=self.customer_id,
            line_id=self.event_id,
            kind=self.metric,
            left_out="other_event",
        )


def _related(
    attributes: Record, relationships: Record, name: str, included: Mapping[Any, Record]
) -> Record:
    """Return a resource that an event names, with what is included of it."""
    resource = object_in(attributes, name, "data") or object_in(relationships, name, "data")
    return included.get((name, text(resource.get("id"))), resource)


def _resources(document: Record, kind: str) -> Iterator[_Event]:
    included = {
        (str(resource.get("type")), text(resource.get("id")) or ""): resource
        for resource in objects_in(document, "included")
    }
    for resource in _data(document):
        if resource.get("type") == kind:
            yield _Event(resource, included)


def _data(document: Record) -> list[Record]:
    """Return the resources of an answer, or the one that a document is."""
    if "data" not in document:
        return [document]
    return objects_in(document, "data") or [object_in(document, "data")]


def _items(event: _Event) -> Iterator[Mapping[str, str]]:
    """Yield the products of an event under names of their own."""
    properties = event.properties
    items = objects_in(properties, "Items") or objects_in(properties, "items")
    for item in items or ([properties] if text(properties.get("ProductID")) else []):
        yield known_texts(
            product=item.get("ProductID") or item.get("ProductId"),
            variant=item.get("VariantID") or item.get("VariantId") or item.get("SKU"),
            name=item.get("ProductName") or item.get("Name"),
            quantity=item.get("Quantity"),
            price=item.get("ItemPrice") or item.get("Price"),
        )
    if not items:
        for item in objects_in(object_in(properties, "$extra"), "line_items"):
            yield known_texts(
                product=item.get("product_id"),
                variant=item.get("variant_id"),
                name=item.get("title"),
                quantity=item.get("quantity"),
                price=item.get("price"),
            )


def _line(event: _Event, item: Mapping[str, str], number: int, variants: Variants) -> OrderLine:
    product, variant = item.get("product"), item.get("variant")
    name = squeeze(event.metric)
    is_of_order = name in KIND_OF_ORDERS
    return OrderLine(
        product_id=(variant or product) if variants == "variant" else (product or variant),
        timestamp=event.time,
        customer_id=event.customer_id,
        order_id=event.order_id if is_of_order else None,
        line_id=event.event_id if name == ORDERED else str(number),
        quantity=item.get("quantity") if is_of_order else None,
        unit_price=item.get("price"),
        currency=event.currency,
        kind=KIND_OF_ORDERS.get(name, event.metric),
        left_out="gift_card" if is_gift_card(item.get("name")) else None,
        repeats=name == ORDERED,
    )


def read_profiles(documents: Sequence[Record], _: Variants) -> Found:
    """Read an answer with profiles, or one profile."""
    customers = []
    for resource in _data(documents[0]):
        if resource.get("type") == "profile":
            attributes = object_in(resource, "attributes")
            marketing = object_in(attributes, "subscriptions", "email", "marketing")
            answer = text(marketing.get("consent"))
            if objects_in(marketing, "suppression"):
                answer = NO_CONSENT
            time = marketing.get("consent_timestamp") or marketing.get("timestamp")
            customer_id = text(attributes.get("external_id")) or text(resource.get("id"))
            customers.append(VendorCustomer(customer_id, answer, text(time) if answer else None))
    return Found(customers=customers)


def read_profile_row(rows: Sequence[Record], _: Variants) -> Found:
    """Read a row of the export of profiles."""
    row = rows[0]
    answer = text(row.get("email_marketing_consent"))
    if text(row.get("email_suppressions")) not in (None, "[]"):
        answer = NO_CONSENT
    customer_id = text(row.get("external_id")) or text(row.get("klaviyo_id"))
    time = text(row.get("email_marketing_consent_timestamp"))
    return Found(customers=[VendorCustomer(customer_id, answer, time)])


def _shapes() -> Iterator[Shape]:
    for told_by in (("data", "links"), ("data", "meta"), ("type", "attributes", "relationships")):
        yield Shape(
            vendor="klaviyo",
            title="events of Klaviyo",
            kind="purchases",
            told_by=told_by,
            read=read_events,
        )
    for told_by in (("data", "links"), ("type", "attributes", "links")):
        yield Shape(
            vendor="klaviyo",
            title="profiles of Klaviyo (JSON)",
            kind="customers",
            told_by=told_by,
            read=read_profiles,
        )


SHAPES: Final = (
    *_shapes(),
    Shape(
        vendor="klaviyo",
        title="profiles of Klaviyo (CSV)",
        kind="customers",
        told_by=("klaviyo_id", "email", "email_marketing_consent"),
        read=read_profile_row,
        reads=(
            "klaviyo_id",
            "external_id",
            "email_marketing_consent",
            "email_marketing_consent_timestamp",
            "email_suppressions",
        ),
        cells={
            "customer_id": "klaviyo_id",
            "personalize_email": "email_marketing_consent",
            "personalize_email_time": "email_marketing_consent_timestamp",
        },
    ),
)
