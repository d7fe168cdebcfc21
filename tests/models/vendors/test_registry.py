"""One document of a vendor, as a webhook brings it: read without training."""

from __future__ import annotations

from typing import Any

import pytest

from models.vendors.registry import SHAPES, VENDORS, find_shape
from models.vendors.vendor import Found, Kind, OrderLine, Variants

SHOPIFY_ORDER: dict[str, Any] = {
    "id": 820982911946154508,
    "created_at": "2025-03-01T10:00:00+01:00",
    "cancelled_at": None,
    "currency": "EUR",
    "financial_status": "partially_refunded",
    "customer": {"id": 115310627314723954, "email": "anna@example.com"},
    "line_items": [
        {"id": 1, "product_id": 5, "variant_id": 50, "title": "Lamp", "quantity": 3, "price": "40"},
        {"id": 2, "product_id": 6, "variant_id": 60, "title": "Bulb", "quantity": 1, "price": "4"},
        {"id": 3, "product_id": 7, "title": "Gift card", "quantity": 1, "gift_card": True},
    ],
    "refunds": [{"refund_line_items": [{"line_item_id": 1, "quantity": 1}]}] * 2
    + [{"refund_line_items": [{"line_item_id": 2, "quantity": 1}]}],
}


def read(document: dict[str, Any], kind: Kind, vendor: str, variants: Variants = "parent") -> Found:
    shape = find_shape(document, is_table=False, vendor=vendor, kind=kind)
    assert shape is not None
    return shape.read([document], variants)


def test_ids_beyond_what_a_float_can_hold_stay_as_they_are() -> None:
    line = read(SHOPIFY_ORDER, "purchases", "shopify").lines[0]
    assert (line.order_id, line.customer_id) == ("820982911946154508", "115310627314723954")


def test_refunds_of_a_line_are_taken_off_one_after_another() -> None:
    lines = read(SHOPIFY_ORDER, "purchases", "shopify").lines
    assert [(line.product_id, line.quantity, line.left_out) for line in lines] == [
        ("5", "1", None),
        ("6", "0", "refunded"),
        ("7", "1", "gift_card"),
    ]


def test_a_variant_is_named_where_it_is_wanted() -> None:
    lines = read(SHOPIFY_ORDER, "purchases", "shopify", "variant").lines
    assert [line.product_id for line in lines] == ["50", "60", "7"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"financial_status": "paid"}, "paid"),
        ({"cancelled_at": "2025-03-02T10:00:00Z"}, "cancelled"),
        ({"financial_status": "voided"}, "voided"),
    ],
)
def test_lines_carry_the_status_of_their_order(change: dict[str, Any], status: str) -> None:
    lines = read(SHOPIFY_ORDER | change, "purchases", "shopify").lines
    assert {line.status for line in lines} == {status}


def test_a_test_order_is_no_sale() -> None:
    lines = read(SHOPIFY_ORDER | {"test": True}, "purchases", "shopify").lines
    assert {line.left_out for line in lines} == {"test_order"}


def test_an_event_that_cancels_an_order_names_it() -> None:
    call = {
        "type": "track",
        "event": "Order Cancelled",
        "messageId": "m1",
        "userId": "26",
        "timestamp": "2025-03-01T09:00:00Z",
        "properties": {"order_id": "o1", "products": [{"product_id": "5", "quantity": 1}]},
    }
    found = read(call, "purchases", "segment")
    assert found.cancelled_orders == ["o1"]
    assert [line.left_out for line in found.lines] == ["other_event"]


def test_a_document_of_another_vendor_is_not_taken_for_ones_own() -> None:
    assert find_shape(SHOPIFY_ORDER, vendor="woocommerce") is None
    assert find_shape({"id": 1, "name": "Anna"}) is None


def test_no_export_is_told_by_what_another_one_has_too() -> None:
    for shape in SHAPES:
        found = find_shape(shape.told_by, is_table=shape.is_table, kind=shape.kind)
        assert found is not None
        assert found.vendor == shape.vendor, shape.title


def test_every_vendor_says_of_whom_each_export_is() -> None:
    assert VENDORS == (
        "shopify",
        "woocommerce",
        "magento",
        "google",
        "ga4",
        "segment",
        "klaviyo",
    )
    cells = {name for shape in SHAPES if shape.kind == "purchases" for name in shape.cells}
    assert cells <= set(OrderLine.__dataclass_fields__)
