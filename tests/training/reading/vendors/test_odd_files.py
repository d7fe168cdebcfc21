"""Small files in shapes that a vendor documents and few exports show, with what is right of each."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from models.vendors.registry import VENDORS
from tests.support.vendor_reading import consents_in, kept_in, read, shown_in
from training.reading.purchases import Purchases

pytestmark = pytest.mark.slow

FILES = Path(__file__).parent / "odd_files"
# What customers kept of what they bought, and the lines that are none of it
ORDERS: dict[str, tuple[dict[tuple[str, str], int], dict[str, int]]] = {
    # An edited order says how many are left of a line, beside its refunds
    "shopify_current_quantity.json": ({("26", "788"): 1}, {"refunded": 1}),
    # A line of one's own making, a tip, and an order without a customer
    "shopify_deleted_product.json": (
        {("guest", "788"): 1},
        {"missing_product_id": 1, "gift_card": 1, "shipping_or_fee": 2},
    ),
    # Notes over three lines, a line that was restocked, one that is known by its name alone
    "shopify_orders_restocked.csv": (
        {("anna@example.com", "LA-1"): 1, ("guest", "Custom shade"): 3},
        {"refunded": 1, "not_sold": 1},
    ),
    # On hold waits for money that is under way, pending and a draft of the checkout do not
    "woocommerce_checkout_draft.json": ({("26", "93"): 1}, {"not_sold": 3}),
    # A product that is gone has the id 0
    "woocommerce_deleted_product.json": (
        {("guest", "22"): 2},
        {"missing_product_id": 1, "shipping_or_fee": 2},
    ),
    # Pieces of a bundle, a cancelled piece, quantities as texts, a suspected fraud
    "magento_bundle.json": (
        {("26", "24-WG080-24-WG084"): 1, ("26", "240-LV04"): 1, ("27", "240-LV04"): 1},
        {"part_of_line": 2, "gift_card": 1, "not_sold": 2},
    ),
    # "(not set)" where a value is missing, and a purchase of nobody without an order
    "ga4_not_set.jsonl": (
        {("1.17", "Lamp"): 1, ("1.17", "BU-2"): 1},
        {"guest_without_order": 1, "exposure": 1},
    ),
    # The page of thanks was opened again an hour later
    "ga4_twice.jsonl": ({("26", "LA-1"): 1}, {"told_again": 1, "other_event": 1}),
    # The first specification of ecommerce: `id`, `orderId`, and words in another order
    "segment_v1.jsonl": ({("26", "507f1f77"): 1, ("26", "505bd767"): 2}, {"other_event": 1}),
    # A refund of one piece, a list that was filtered, a coupon that was denied
    "segment_filtered.jsonl": (
        {("26", "p1"): 2},
        {"exposure": 2, "gift_card": 1, "other_event": 3},
    ),
    # A refund of one piece, and a wish for what is sold out
    "klaviyo_back_in_stock.json": ({("26", "1111"): 1}, {"gift_card": 1, "other_event": 1}),
}
# Which products are shown, and cells of one of them
PRODUCTS: dict[str, tuple[set[str], str, dict[str, Any]]] = {
    # Rows of pictures alone, a second size in stock, one that is sold on below zero, an archived one
    "shopify_products_pictures.csv": ({"lamp", "bulb"}, "lamp", {"price": 45, "category": "Lamps"}),
    # Commas in a category and in a value of an attribute
    "woocommerce_products_commas.csv": (
        {"93", "94"},
        "93",
        {"category": "Tea, loose", "attributes": {"Color": "Black, matt, Oak"}},
    ),
    # To be ordered in advance, private, and planned
    "woocommerce_products.json": ({"22"}, "22", {"attributes": {"Watt": "5, 7"}}),
    # Enclosed values and pairs, quotes and commas in them, an inch; a translation is no product
    "magento_products_enclosed.csv": (
        {"24-MB01", "MS"},
        "24-MB01",
        {
            "title": "Duffle Bag",
            "category": "Bags",
            "attributes": {
                "color": "black",
                "features": 'Audio Pocket|Laptop "Sleeve", 15 inches',
                "width": '15"',
                "material": "Nylon, thick",
            },
        },
    ),
    # Elements of Atom beside those of Google, CDATA, two types of one product
    "google_atom.xml": (
        {"LA-1"},
        "LA-1",
        {
            "category": "Lamps",
            "url": "https://www.example.com/lamp",
            "image_url": "https://www.example.com/lamp.jpg?a=1&b=2",
        },
    ),
    # Names with spaces, a quote that is none, a group whose first item is sold out, an old sale
    "google_feed_spaces.txt": (
        {"LA-1"},
        "LA-1",
        {"title": 'Lamp "Luna", walnut', "price": 45, "url": "https://www.example.com/lamp?w"},
    ),
}
# Who said yes to mails
CONSENTS: dict[str, set[str]] = {
    # Ids with an apostrophe, and somebody without an address
    "shopify_customers.csv": {"anna@example.com"},
    "magento_customers.json": {"26"},
    # A bounce or a complaint is a no, whatever was said before
    "klaviyo_profiles.json": {"26"},
    "klaviyo_profiles.csv": {"26"},
}


def write_orders(folder: Path, customers: Sequence[str], products: Sequence[str]) -> Path:
    path = folder / "orders.csv"
    rows = [f"{customer},{product},2025-03-01" for customer in customers for product in products]
    path.write_text("\n".join(["customer_id,product_id,timestamp", *rows]) + "\n")
    return path


def cell_of(shop: Purchases, product_id: str, name: str) -> Any:
    """Return what the catalogue has of a product."""
    catalogue, item = shop.catalogue, shop.catalogue.ids.find(product_id)
    if name == "category":
        return catalogue.category_names[catalogue.category[item]]
    value = getattr(catalogue, name)[item]
    return json.loads(value) if name == "attributes" else value


@pytest.mark.parametrize("name", list(ORDERS))
def test_odd_orders_are_sales_as_far_as_they_are(name: str) -> None:
    kept, left_out = ORDERS[name]
    learned = read(FILES / name)
    assert kept_in(learned) == kept
    assert learned.report.dropped.counts == left_out


@pytest.mark.parametrize("name", list(PRODUCTS))
def test_odd_products_are_shown_as_far_as_they_can_be_bought(name: str, tmp_path: Path) -> None:
    shown, product_id, cells = PRODUCTS[name]
    shop = read(write_orders(tmp_path, ["anna"], [product_id]), FILES / name)
    assert shown_in(shop) == shown
    assert {cell: cell_of(shop, product_id, cell) for cell in cells} == cells


@pytest.mark.parametrize("name", list(CONSENTS))
def test_odd_customers_have_said_yes_where_they_have(name: str, tmp_path: Path) -> None:
    customers = ["26", "27", "28", "29", "01B", "01C", "anna@example.com", "bert@example.com"]
    shop = read(write_orders(tmp_path, customers, ["p"]), None, FILES / name)
    assert {customer for customer, said in consents_in(shop).items() if said} == CONSENTS[name]


def test_there_are_odd_files_of_every_vendor_and_each_is_expected_to_be_something() -> None:
    names = {path.name for path in FILES.iterdir()}
    assert names == {*ORDERS, *PRODUCTS, *CONSENTS}
    assert {name.partition("_")[0] for name in names} == set(VENDORS)
    assert len(names) >= 20
