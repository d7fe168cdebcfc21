"""Events and profiles of Klaviyo, read without one option."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.vendor_reading import (
    consents_in,
    kept_in,
    pieces,
    read,
    write_csv,
    write_json_lines,
)
from tests.support.vendor_shop import Customer, Line, Order, VendorShop, make_shop

pytestmark = pytest.mark.slow

METRICS = ("Placed Order", "Ordered Product", "Cancelled Order", "Refunded Order", "Opened Email")
PROFILE_COLUMNS = [
    "Klaviyo ID",
    "Email",
    "Phone Number",
    "First Name",
    "Last Name",
    "Email Marketing Consent",
    "Email Marketing Consent Timestamp",
    "SMS Marketing Consent",
    "Date Added",
]


def profile_id(customer: Customer) -> str:
    return f"01GDDK{customer.number:04}"


def event(number: int, order: Order, name: str, time: datetime, properties: Any) -> dict[str, Any]:
    profile = profile_id(order.customer) if order.customer else f"guest{order.number}"
    return {
        "type": "event",
        "id": f"e{number}",
        "attributes": {
            "timestamp": int(time.timestamp()),
            "datetime": time.isoformat(),
            "event_properties": properties,
        },
        "relationships": {
            "profile": {"data": {"type": "profile", "id": profile}},
            "metric": {"data": {"type": "metric", "id": f"m{METRICS.index(name)}"}},
        },
    }


def item(shop: VendorShop, line: Line, quantity: int) -> dict[str, Any]:
    return {
        "ProductID": shop.product(line).product_id,
        "SKU": line.variant.sku,
        "ProductName": shop.product(line).title,
        "Quantity": quantity,
        "ItemPrice": float(line.variant.price),
    }


def events(shop: VendorShop) -> Iterator[dict[str, Any]]:
    number = 0
    for order in shop.orders:
        order_id, time = str(order.number), order.time
        items = [item(shop, line, line.quantity) for line in order.lines]
        later = time + timedelta(days=1)
        told: list[tuple[str, datetime, dict[str, Any]]] = [("Opened Email", time, {})]
        if order.status != "voided":
            told.append(("Placed Order", time, {"OrderId": order_id, "Items": items}))
            told += [("Ordered Product", time, {"OrderId": order_id} | line) for line in items]
        if order.status in ("cancelled", "refunded"):
            name = f"{order.status.title()} Order"
            told.append((name, later, {"OrderId": order_id, "Reason": "changed mind"}))
        back = [item(shop, line, line.refunded) for line in order.lines if line.refunded]
        if order.is_sale and back:
            told.append(("Refunded Order", later, {"OrderId": order_id, "Items": back}))
        for name, moment, properties in told:
            number += 1
            yield event(number, order, name, moment, properties)


def answers(shop: VendorShop) -> Iterator[dict[str, Any]]:
    """Yield the pages of an answer, with the names of metrics."""
    included = [
        {"type": "metric", "id": f"m{number}", "attributes": {"name": name}}
        for number, name in enumerate(METRICS)
    ]
    every = list(events(shop))
    for start in range(0, len(every), 200):
        page = every[start : start + 200]
        yield {"data": page, "included": included, "links": {"self": "", "next": None}}


def expected(shop: VendorShop) -> Any:
    return pieces(
        shop.sales(
            lambda variant: shop.products[variant.product].product_id,
            profile_id,
            guest=lambda order: f"guest{order.number}",
        )
    )


def test_every_order_that_stands_is_read_once(tmp_path: Path) -> None:
    shop = make_shop()
    learned = read(write_json_lines(tmp_path / "events.jsonl", answers(shop)))
    assert kept_in(learned) == expected(shop)
    told = [order for order in shop.orders if order.status != "voided"]
    lines = [(order, line) for order in told for line in order.lines]
    assert learned.report.dropped.counts == {
        "other_event": len(shop.orders) + sum(not order.is_sale for order in told),
        "gift_card": 2 * sum(line.is_gift_card for _, line in lines),
        "part_of_line": sum(not line.is_gift_card for _, line in lines),
        "not_sold": sum(not order.is_sale and not line.is_gift_card for order, line in lines),
    }


def test_ordered_products_count_where_their_orders_were_not_exported(tmp_path: Path) -> None:
    shop = make_shop()
    every = [document for page in answers(shop) for document in page["data"]]
    kept = [d for d in every if d["relationships"]["metric"]["data"]["id"] != "m0"]
    included = next(answers(shop))["included"]
    path = tmp_path / "events.json"
    path.write_text(json.dumps({"data": kept, "included": included, "links": {}}))
    assert kept_in(read(path)) == expected(shop)


def test_a_metric_without_a_name_is_no_purchase(tmp_path: Path) -> None:
    shop = make_shop()
    every = [document for page in answers(shop) for document in page["data"]]
    named = next(answers(shop))["included"]
    pages = [
        {"data": every[:50], "links": {}},
        {"data": every[50:], "included": named, "links": {}},
    ]
    dropped = read(write_json_lines(tmp_path / "events.jsonl", pages)).report.dropped
    assert dropped.counts["unknown_kind"] > 0
    assert "m0" in dropped.examples["unknown_kind"]


def test_consents_of_profiles_hold_for_mails(tmp_path: Path) -> None:
    shop = make_shop()
    events_file = write_json_lines(tmp_path / "events.jsonl", answers(shop))
    states = ("SUBSCRIBED", "UNSUBSCRIBED", "NEVER_SUBSCRIBED")
    rows = [
        {
            "Klaviyo ID": profile_id(customer),
            "Email": customer.email,
            "Email Marketing Consent": states[customer.number % 3],
            "Email Marketing Consent Timestamp": "2025-01-01 10:00:00",
        }
        for customer in shop.customers
    ]
    profiles = write_csv(tmp_path / "profiles.csv", PROFILE_COLUMNS, rows)
    consents = consents_in(read(events_file, None, profiles))
    wanted = {profile_id(c): c.number % 3 == 0 for c in shop.customers}
    assert {name: consents[name] for name in wanted} == wanted
    documents = [
        {
            "type": "profile",
            "id": row["Klaviyo ID"],
            "attributes": {
                "email": row["Email"],
                "subscriptions": {
                    "email": {"marketing": {"consent": row["Email Marketing Consent"]}}
                },
            },
        }
        for row in rows
    ]
    suppressed = [{"reason": "HARD_BOUNCE", "timestamp": "2025-01-01T00:00:00Z"}]
    marketing = documents[0]["attributes"]["subscriptions"]["email"]["marketing"]  # type: ignore[index]
    marketing["suppression"] = suppressed  # type: ignore[index]
    path = tmp_path / "profiles.json"
    path.write_text(json.dumps({"data": documents, "links": {}}))
    consents = consents_in(read(events_file, None, path))
    wanted[profile_id(shop.customers[0])] = False
    assert {name: consents[name] for name in wanted} == wanted
