"""Documents of vendors with a damaged value: nothing breaks, and what is not understood is told."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from models.vendors.registry import find_shape
from models.vendors.vendor import Kind, Variants
from tests.support.vendor_reading import read, write_json_lines
from tests.support.vendor_shop import make_shop
from tests.training.reading.vendors import (
    test_ga4,
    test_klaviyo,
    test_magento,
    test_segment,
    test_shopify,
    test_woocommerce,
)

JUNK: tuple[Any, ...] = (None, "x", "", -1, 1.5, True, [], {}, [1, None], {"a": {}}, [["b"]], "0")
SHOP = make_shop()
PRODUCTS = [SHOP.products[1], SHOP.products[9], SHOP.products[30]]


def klaviyo_page() -> dict[str, Any]:
    page = next(test_klaviyo.answers(SHOP))
    return page | {"data": page["data"][:12]}


DOCUMENTS: dict[str, tuple[Kind, Callable[[], list[Any]]]] = {
    "shopify orders": (
        "purchases",
        lambda: [test_shopify.order_document(SHOP, order) for order in SHOP.orders[:9]],
    ),
    "shopify products": (
        "products",
        lambda: [test_shopify.product_document(product) for product in PRODUCTS],
    ),
    "woocommerce orders": (
        "purchases",
        lambda: [test_woocommerce.order_document(SHOP, order) for order in SHOP.orders[:9]],
    ),
    "magento orders": (
        "purchases",
        lambda: [test_magento.order_document(SHOP, order) for order in SHOP.orders[:9]],
    ),
    "magento products": (
        "products",
        lambda: [one for p in PRODUCTS for one in test_magento.product_documents(p)],
    ),
    "ga4": ("purchases", lambda: list(test_ga4.events(SHOP))[:30]),
    "segment": ("purchases", lambda: list(test_segment.calls(SHOP))[40:70]),
    "klaviyo": ("purchases", lambda: [klaviyo_page()]),
}


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every container of a document with a key in it."""
    keys = list(node) if isinstance(node, dict) else range(len(node))
    for key in keys:
        yield node, key
        if isinstance(node[key], (dict, list)):
            yield from places(node[key])


@pytest.mark.parametrize("variants", ["parent", "variant"])
@pytest.mark.parametrize("name", list(DOCUMENTS))
def test_whatever_stands_in_a_document_only_texts_come_out(name: str, variants: Variants) -> None:
    kind, make = DOCUMENTS[name]
    draw = random.Random(name)
    documents = make()
    for _ in range(120):
        document = copy.deepcopy(draw.choice(documents))
        shape = find_shape(document, kind=kind)
        assert shape is not None
        for _ in range(draw.randint(1, 3)):
            container, key = draw.choice(list(places(document)))
            container[key] = copy.deepcopy(draw.choice(JUNK))
        found = shape.read([document], variants)
        for row in (*found.lines, *found.products, *found.names, *found.customers):
            for field in fields(row):
                value = getattr(row, field.name)
                assert value is None or isinstance(value, (str, bool, dict)), (field.name, value)


def test_a_refund_of_an_unreadable_quantity_leaves_nobody_knows_what(tmp_path: Path) -> None:
    documents = [test_shopify.order_document(SHOP, order) for order in SHOP.orders[:9]]
    order = next(d for d in documents if d["refunds"] and d["financial_status"] != "refunded")
    order["refunds"][0]["refund_line_items"][0]["quantity"] = "some"
    dropped = read(write_json_lines(tmp_path / "orders.jsonl", documents)).report.dropped
    assert dropped.counts["bad_quantity"] == 1
