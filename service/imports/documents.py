"""Documents of shop systems in the words of the API: orders, events, products and consents."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from models.data.events import KINDS, PURCHASE
from models.data.numbers import read_number
from models.data.timestamps import format_timestamp, read_timestamp
from models.data.words import (
    is_nobody,
    plain_name,
    read_consent,
    read_kind,
    read_status,
    read_stock,
)
from models.vendors.registry import find_shape, is_answer
from models.vendors.vendor import OrderLine, Record, Shape, Variants, VendorCustomer, VendorProduct
from service.schemas.parameters import Id
from service.store.orders import OrderedProduct, OrderState

NOT_UNDERSTOOD: Final = frozenset({"unknown_status", "unreadable_line", "bad_timestamp"})
ID: Final = TypeAdapter[str](Id)
CHANGED_AT: Final = ("updated_at", "date_modified_gmt", "date_modified")


@dataclass(frozen=True)
class GivenConsent:
    """What a customer told the shop system about mails."""

    customer_id: str
    allowed: bool
    time: int | None  # seconds since 1970; None: not told


@dataclass(frozen=True)
class Imported:
    """Hold what documents say, and why some of it is left out."""

    orders: list[OrderState] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)  # bodies of POST /v1/events
    products: list[dict[str, Any]] = field(default_factory=list)  # bodies of PUT /v1/products
    updated: list[int | None] = field(default_factory=list)  # of each product, seconds since 1970
    consents: list[GivenConsent] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


def find_document_shape(vendor: str, document: Any) -> Shape | None:
    """Return what a document of a vendor is; None where it is none that is read."""
    if not isinstance(document, dict):
        return None
    return find_shape(document.keys(), is_table=False, vendor=vendor)


def unpack(document: Record, shape: Shape) -> Sequence[Record]:
    """Return the records of a document: itself, or those of an answer of the vendor's API."""
    if not is_answer(set(map(plain_name, document)), shape):
        return [document]
    records = document[shape.answered_in[0]]
    return [record for record in records if isinstance(record, dict)]


def read_documents(
    imported: Imported, shape: Shape, records: Iterable[Record], variants: Variants
) -> None:
    """Add what records of one shape say. A line that cannot be read is counted as left out."""
    for record in records:
        found, updated = shape.read([record], variants), _find_updated(record)
        _add_lines(imported, shape.vendor, found.lines, updated)
        _add_products(imported, found.products, updated)
        for customer in found.customers:
            _add_consent(imported, customer)
        for order_id in found.cancelled_orders:
            imported.orders.append(OrderState(order_id, updated=updated))


def _find_updated(record: Record) -> int | None:
    """Return when a record was last changed at the vendor, in seconds since 1970."""
    for name in CHANGED_AT:
        if isinstance(record.get(name), str):
            try:
                return read_timestamp(record[name])
            except ValueError:
                return None
    return None


def _add_lines(
    imported: Imported, vendor: str, lines: Sequence[OrderLine], updated: int | None
) -> None:
    states: dict[str, OrderState] = {}
    unread: set[str] = set()  # orders of which a line is not understood: they stay as they are
    for line in lines:
        kind = PURCHASE if line.kind is None else read_kind(line.kind)
        if kind is None:
            imported.left_out["unknown_kind"] += 1
        elif kind == PURCHASE and line.order_id is not None:
            if not line.repeats:
                order = states.setdefault(line.order_id, OrderState(line.order_id, updated=updated))
                if _add_to_order(imported, order, line) in NOT_UNDERSTOOD:
                    unread.add(line.order_id)
        elif line.left_out is not None:
            imported.left_out[line.left_out] += 1
        else:
            imported.events.append(_event_body(vendor, line, kind))
    imported.orders.extend(order for name, order in states.items() if name not in unread)


def _add_to_order(imported: Imported, order: OrderState, line: OrderLine) -> str | None:
    """Add a line to the state of its order, or return why it is none of it."""
    reason = line.left_out or _why_unsold(line.status)
    quantity, price = _number(line.quantity, 1.0), _number(line.unit_price, None)
    try:
        order.time = read_timestamp(line.timestamp or "")
    except ValueError:
        reason = reason or "bad_timestamp"
    if reason is not None or line.product_id is None or quantity is None:
        reason = reason or "unreadable_line"
        imported.left_out[reason] += 1
        return reason
    if line.customer_id is not None and not is_nobody(line.customer_id):
        order.customer_id = line.customer_id
    order.currency = line.currency or order.currency
    known = order.products.get(line.product_id, OrderedProduct(0.0, price))
    order.products[line.product_id] = OrderedProduct(known.quantity + quantity, price)
    return None


def _why_unsold(status: str | None) -> str | None:
    if status is None:
        return None
    sold = read_status(status)
    return None if sold else "unknown_status" if sold is None else "not_a_sale"


def _number(text: str | None, default: float | None) -> float | None:
    """Return a number, the default where there is none, None for a text that is no number."""
    if text is None:
        return default
    try:
        return read_number(text)
    except ValueError:
        return None


def _event_body(vendor: str, line: OrderLine, kind: int) -> dict[str, Any]:
    """Return the event of a line; equal lines are one event, however often they are sent."""
    facts = (vendor, line.order_id, line.line_id, line.product_id, line.customer_id, line.timestamp)
    name = hashlib.blake2b(repr((*facts, kind)).encode(), digest_size=16).hexdigest()
    body: dict[str, Any] = {"event_id": f"{vendor} {name}", "kind": KINDS[kind]}
    body |= _known(time=_time_text(line.timestamp), customer_id=line.customer_id)
    order = _known(order_id=line.order_id, currency=line.currency)
    quantity, price = _number(line.quantity, None), _number(line.unit_price, None)
    product = _known(product_id=line.product_id, quantity=quantity, unit_price=price)
    if KINDS[kind] in ("purchase", "return"):
        return body | order | {"lines": [product]}
    return body | _known(product_id=line.product_id, rating=_number(line.rating, None))


def _known(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _time_text(text: str | None) -> str | None:
    try:
        return None if text is None else format_timestamp(read_timestamp(text))
    except ValueError:
        return text  # it is refused where events are, by name


def _add_products(
    imported: Imported, products: Sequence[VendorProduct], updated: int | None
) -> None:
    """Add each product once: with the cells of its first variant that is on sale."""
    chosen: dict[str, VendorProduct] = {}
    for product in products:
        if product.product_id is None:
            imported.left_out["product_without_id"] += 1
            continue
        known = chosen.get(product.product_id)
        if known is None or (_is_on_sale(product) and not _is_on_sale(known)):
            chosen[product.product_id] = product
    imported.products.extend(map(_product_body, chosen.values()))
    imported.updated.extend([updated] * len(chosen))


def _is_on_sale(product: VendorProduct) -> bool:
    in_stock = product.in_stock is None or read_stock(product.in_stock) is True
    return product.is_shown and in_stock


def _product_body(product: VendorProduct) -> dict[str, Any]:
    in_stock = None if product.in_stock is None else read_stock(product.in_stock) is True
    return {
        "product_id": product.product_id,
        "hidden": not product.is_shown,
        "attributes": dict(product.attributes),
        **_known(
            title=product.title,
            category=product.category,
            brand=product.brand,
            price=_number(product.price, None),
            currency=product.currency,
            url=product.url,
            image_url=product.image_url,
            in_stock=in_stock,
            available_until=_time_text(product.available_until),
            cost=_number(product.cost, None),
        ),
    }


def _add_consent(imported: Imported, customer: VendorCustomer) -> None:
    """Add what a customer said about mails; what is not understood is no yes."""
    if customer.customer_id is None or customer.personalize_email is None:
        return
    if not is_id(customer.customer_id):
        imported.left_out["bad_customer_id"] += 1
        return
    allowed = read_consent(customer.personalize_email)
    if allowed is None:
        imported.left_out["unknown_consent"] += 1
        return
    try:
        time = read_timestamp(customer.personalize_email_time or "")
    except ValueError:
        time = None
    imported.consents.append(GivenConsent(customer.customer_id, allowed, time))


def order_body(order: OrderState, now: int) -> dict[str, Any]:
    """Return the purchase of an order as POST /v1/events takes it, to have it checked alike.

    One without products stands for its id alone. `now`: seconds since 1970.
    """
    lines = [
        {"product_id": name} | _known(quantity=product.quantity, unit_price=product.unit_price)
        for name, product in order.products.items()
    ]
    body = {"event_id": "order", "kind": "purchase", "order_id": order.order_id}
    body |= _known(customer_id=order.customer_id, currency=order.currency)
    time = format_timestamp(order.time if order.products else now)
    return body | {"time": time, "lines": lines or [{"product_id": "none"}]}


def redacted_ids(document: Mapping[str, Any]) -> list[str]:
    """Return the ids under which the customer of a privacy request may be known."""
    customer = document.get("customer")
    if not isinstance(customer, dict):
        return []
    names = (customer.get("id"), customer.get("email"))
    return [str(name) for name in names if name is not None and is_id(str(name))]


def is_id(text: str) -> bool:
    """Tell whether a text may be an id here."""
    try:
        ID.validate_python(text)
    except ValidationError:
        return False
    return True
