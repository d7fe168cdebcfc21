"""Events of Google Analytics 4, read without one option."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.data.events import VIEW
from tests.support.vendor_reading import kept_in, pieces, read, write_json_lines
from tests.support.vendor_shop import Order, Variant, VendorShop, make_shop

pytestmark = pytest.mark.slow


def event(order: Order, name: str, time: datetime, items: list[Any], **more: Any) -> dict[str, Any]:
    customer = order.customer
    return {
        "event_date": f"{time:%Y%m%d}",
        "event_timestamp": int(time.timestamp() * 1_000_000),
        "event_name": name,
        "event_params": [
            {"key": "currency", "value": {"string_value": "EUR", "int_value": None}},
            {"key": "ga_session_id", "value": {"string_value": None, "int_value": 17}},
        ],
        "user_id": customer.customer_id if customer else None,
        "user_pseudo_id": f"browser.{order.number}",
        "ecommerce": {"transaction_id": more.get("order_id", "(not set)")},
        "items": items,
    }


def item(shop: VendorShop, line: Any, quantity: int) -> dict[str, Any]:
    product = shop.product(line)
    return {
        "item_id": product.product_id,
        "item_name": product.title,
        "item_variant": line.variant.size,
        "price": float(line.variant.price),
        "quantity": quantity,
    }


def events(shop: VendorShop) -> Iterator[dict[str, Any]]:
    for order in shop.orders:
        order_id, time = f"T{order.number}", order.time
        items = [item(shop, line, line.quantity) for line in order.lines]
        yield event(order, "page_view", time - timedelta(minutes=9), [])
        yield event(order, "view_item", time - timedelta(minutes=8), items[:1])
        yield event(order, "begin_checkout", time - timedelta(minutes=2), items)
        if order.status == "voided":
            continue
        yield event(order, "purchase", time, items, order_id=order_id)
        if order.number % 10 == 0:  # the page of thanks was opened again
            again = time + timedelta(minutes=3)
            yield event(order, "purchase", again, items, order_id=order_id)
        later = time + timedelta(days=1)
        if not order.is_sale:
            yield event(order, "refund", later, [], order_id=order_id)
        back = [item(shop, line, line.refunded) for line in order.lines if line.refunded]
        if order.is_sale and back:
            yield event(order, "refund", later, back, order_id=order_id)


def expected(shop: VendorShop) -> Any:
    return pieces(
        shop.sales(
            lambda variant: shop.products[variant.product].product_id,
            lambda customer: customer.customer_id,
            guest=lambda order: f"browser.{order.number}",
        )
    )


def views(shop: VendorShop) -> Iterator[tuple[str, Variant, str]]:
    """Yield who looked at what on which day: as often as that be, it is one line."""
    for o in shop.orders:
        buyer = o.customer.customer_id if o.customer else f"browser.{o.number}"
        yield buyer, o.lines[0].variant, f"{o.time:%Y-%m-%d}"


def test_every_purchase_that_stands_is_read_once(tmp_path: Path) -> None:
    shop = make_shop()
    learned = read(write_json_lines(tmp_path / "events.jsonl", events(shop)))
    assert kept_in(learned) == expected(shop)
    assert (learned.kind == VIEW).sum() == len({(v[0], v[1].product, v[2]) for v in views(shop)})
    told = [order for order in shop.orders if order.status != "voided"]
    again = [order for order in told if order.number % 10 == 0]
    whole = [order for order in told if not order.is_sale]
    cards = [line for order in (*told, *again) for line in order.lines if line.is_gift_card]
    assert learned.report.dropped.counts == {
        "other_event": 2 * len(shop.orders) + len(whole),
        "told_again": sum(not line.is_gift_card for order in again for line in order.lines),
        "not_sold": sum(not line.is_gift_card for order in whole for line in order.lines),
        "gift_card": len(cards),
    }
    assert list(learned.report.taken_for.values()) == ["events of Google Analytics 4"]


def test_nested_parquet_is_read_like_json(tmp_path: Path) -> None:
    shop = make_shop()
    path = tmp_path / "events.parquet"
    pq.write_table(pa.Table.from_pylist(list(events(shop))), path)
    assert kept_in(read(path)) == expected(shop)
