"""Calls of Segment, read without one option."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from models.data.events import VIEW
from tests.support.vendor_reading import consents_in, kept_in, pieces, read, write_json_lines
from tests.support.vendor_shop import Line, Order, Variant, VendorShop, make_shop

pytestmark = pytest.mark.slow


def track(order: Order, name: str, time: datetime, properties: dict[str, Any]) -> dict[str, Any]:
    customer = order.customer
    return {
        "type": "track",
        "event": name,
        "messageId": f"{order.number}-{name}",
        "userId": customer.customer_id if customer else None,
        "anonymousId": f"device-{order.number}",
        "timestamp": time.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "properties": properties,
    }


def product(shop: VendorShop, line: Line, quantity: int) -> dict[str, Any]:
    return {
        "product_id": shop.product(line).product_id,
        "sku": line.variant.sku,
        "name": shop.product(line).title,
        "price": float(line.variant.price),
        "quantity": quantity,
    }


def calls(shop: VendorShop) -> Iterator[dict[str, Any]]:
    for customer in shop.customers:
        traits = {"email": customer.email, "unsubscribed": customer.accepts_mail == "no"}
        yield {
            "type": "identify",
            "userId": customer.customer_id,
            "anonymousId": "device",
            "messageId": f"identify-{customer.number}",
            "timestamp": "2025-02-01T00:00:00Z",
            "traits": traits,
        }
    for order in shop.orders:
        time = order.time
        products = [product(shop, line, line.quantity) for line in order.lines]
        whole = {"order_id": f"o{order.number}", "currency": "EUR", "products": products}
        yield track(order, "Product Viewed", time - timedelta(minutes=5), products[0])
        yield track(order, "Checkout Started", time - timedelta(minutes=1), whole)
        if order.status == "voided":
            continue
        yield track(order, "Order Completed", time, whole)
        later = time + timedelta(days=1)
        if order.status == "cancelled":
            yield track(order, "Order Cancelled", later, whole)
        if order.status == "refunded":
            yield track(order, "Order Refunded", later, {"order_id": whole["order_id"]})
        back = [product(shop, line, line.refunded) for line in order.lines if line.refunded]
        if order.is_sale and back:
            yield track(order, "Order Refunded", later, whole | {"products": back})


def views(shop: VendorShop) -> Iterator[tuple[str, Variant, str]]:
    """Yield who looked at what on which day: as often as that be, it is one line."""
    for o in shop.orders:
        buyer = o.customer.customer_id if o.customer else f"device-{o.number}"
        yield buyer, o.lines[0].variant, f"{o.time:%Y-%m-%d}"


def test_every_order_that_stands_is_read(tmp_path: Path) -> None:
    shop = make_shop()
    path = write_json_lines(tmp_path / "calls.jsonl", calls(shop))
    learned = read(path, None, path)
    assert kept_in(learned) == pieces(
        shop.sales(
            lambda variant: shop.products[variant.product].product_id,
            lambda customer: customer.customer_id,
            guest=lambda order: f"device-{order.number}",
        )
    )
    assert (learned.kind == VIEW).sum() == len({(v[0], v[1].product, v[2]) for v in views(shop)})
    told = [order for order in shop.orders if order.status != "voided"]
    whole = [order for order in told if not order.is_sale]
    assert learned.report.dropped.counts == {
        "other_event": len(shop.customers) + len(shop.orders) + len(whole),
        "not_sold": sum(not line.is_gift_card for order in whole for line in order.lines),
        "gift_card": sum(line.is_gift_card for order in told for line in order.lines),
    }


def test_who_unsubscribed_stays_unsubscribed(tmp_path: Path) -> None:
    shop = make_shop()
    path = write_json_lines(tmp_path / "calls.jsonl", calls(shop))
    consents = consents_in(read(path, None, path))
    # Who did not unsubscribe has not said yes either.
    assert {consents[customer.customer_id] for customer in shop.customers} == {False}
    assert (read(path, None, path).consent[:, 2] == 2).sum() == sum(
        customer.accepts_mail == "no" for customer in shop.customers
    )


def test_an_event_of_an_unknown_name_is_counted_with_its_name(tmp_path: Path) -> None:
    shop = make_shop()
    order = shop.orders[1]
    documents = [
        *calls(shop),
        track(order, "Product Zoomed", order.time, {"product_id": "7000000001"}),
    ]
    dropped = read(write_json_lines(tmp_path / "calls.jsonl", documents)).report.dropped
    assert dropped.counts["unknown_kind"] == 1
    assert "'Product Zoomed'" in dropped.examples["unknown_kind"]


def test_an_order_is_cancelled_in_a_later_file_with_other_names(tmp_path: Path) -> None:
    shop = make_shop()
    folder = tmp_path / "logs"
    folder.mkdir()
    documents = list(calls(shop))
    cancelled = [d for d in documents if d.get("event") in ("Order Cancelled", "Order Refunded")]
    others = [d for d in documents if d not in cancelled]
    identified = [d for d in others if d["type"] == "identify"]
    write_json_lines(folder / "1.jsonl", [d for d in others if d["type"] == "track"])
    write_json_lines(folder / "2.jsonl", [d | {"version": 2} for d in cancelled])
    write_json_lines(folder / "3.jsonl", identified)
    apart, together = read(folder), read(write_json_lines(tmp_path / "calls.jsonl", documents))
    assert kept_in(apart) == kept_in(together)
    assert apart.report.dropped.counts == together.report.dropped.counts
