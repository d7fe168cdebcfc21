"""Exports and documents of Shopify, read without one option."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.vendor_reading import (
    NOW,
    consents_in,
    read,
    shown_in,
    sold_in,
    write_csv,
    write_json_lines,
)
from tests.support.vendor_shop import Order, Product, VendorShop, make_shop
from training.errors import InputError
from training.reading.oddities import find_oddities
from training.reading.options import ReadingOptions
from training.reading.purchases import read_purchases

pytestmark = pytest.mark.slow

# As help.shopify.com lists them, and in the spelling of the files
ORDER_COLUMNS = [
    "Name",
    "Email",
    "Financial Status",
    "Paid at",
    "Fulfillment Status",
    "Fulfilled at",
    "Accepts Marketing",
    "Currency",
    "Subtotal",
    "Shipping",
    "Taxes",
    "Total",
    "Discount Code",
    "Discount Amount",
    "Shipping Method",
    "Created at",
    "Lineitem quantity",
    "Lineitem name",
    "Lineitem price",
    "Lineitem compare at price",
    "Lineitem sku",
    "Lineitem requires shipping",
    "Lineitem taxable",
    "Lineitem fulfillment status",
    "Billing Name",
    "Billing Street",
    "Billing City",
    "Billing Zip",
    "Billing Country",
    "Shipping Name",
    "Shipping City",
    "Shipping Country",
    "Notes",
    "Note Attributes",
    "Cancelled at",
    "Payment Method",
    "Payment Reference",
    "Refunded Amount",
    "Vendor",
    "Outstanding Balance",
    "Employee",
    "Location",
    "Device ID",
    "Id",
    "Tags",
    "Risk Level",
    "Source",
    "Lineitem discount",
    "Tax 1 Name",
    "Tax 1 Value",
    "Phone",
    "Receipt Number",
    "Duties",
]
PRODUCT_COLUMNS = [
    "Handle",
    "Title",
    "Body (HTML)",
    "Vendor",
    "Product Category",
    "Type",
    "Tags",
    "Published",
    "Option1 Name",
    "Option1 Value",
    "Option2 Name",
    "Option2 Value",
    "Variant SKU",
    "Variant Grams",
    "Variant Inventory Tracker",
    "Variant Inventory Qty",
    "Variant Inventory Policy",
    "Variant Fulfillment Service",
    "Variant Price",
    "Variant Compare At Price",
    "Variant Requires Shipping",
    "Variant Taxable",
    "Variant Barcode",
    "Image Src",
    "Image Position",
    "Image Alt Text",
    "Gift Card",
    "SEO Title",
    "SEO Description",
    "Variant Image",
    "Variant Weight Unit",
    "Variant Tax Code",
    "Cost per item",
    "Status",
]
CUSTOMER_COLUMNS = [
    "Customer ID",
    "First Name",
    "Last Name",
    "Email",
    "Accepts Email Marketing",
    "Default Address Company",
    "Default Address City",
    "Default Address Country Code",
    "Phone",
    "Accepts SMS Marketing",
    "Total Spent",
    "Total Orders",
    "Note",
    "Tax Exempt",
    "Tags",
]


def order_rows(shop: VendorShop, order: Order) -> Iterator[dict[str, object]]:
    total = sum(line.quantity * float(line.variant.price) for line in order.lines)
    time = f"{order.time:%Y-%m-%d %H:%M:%S} +0000"
    of_order = {
        "Email": order.customer.email if order.customer else "",
        "Financial Status": "paid" if order.status == "cancelled" else order.status,
        "Paid at": time,
        "Accepts Marketing": "no",
        "Currency": "EUR",
        "Shipping": "4.90",
        "Total": f"{total:.2f}",
        "Created at": time,
        "Notes": 'rings twice,\nsays "hello"',
        "Cancelled at": time if order.status in ("cancelled", "voided") else "",
        "Id": 5_000_000_000 + order.number,
        "Risk Level": "Low",
    }
    for place, line in enumerate(order.lines):
        product = shop.product(line)
        size = "" if line.is_gift_card else f" - {line.variant.size}"
        yield {
            "Name": f"#{1001 + order.number}",
            "Lineitem quantity": line.quantity,
            "Lineitem name": f"{product.title}{size}",
            "Lineitem price": line.variant.price,
            "Lineitem sku": "" if line.is_gift_card else line.variant.sku,
            "Lineitem requires shipping": str(not line.is_gift_card).lower(),
            "Vendor": "Casa",
        } | (of_order if place == 0 else {})


def product_rows(product: Product) -> Iterator[dict[str, object]]:
    of_product = {
        "Title": product.title,
        "Body (HTML)": "<p>For you, &amp; yours</p>",
        "Vendor": "Casa",
        "Type": "Living",
        "Tags": "home, new",
        "Published": "true",
        "Option1 Name": "Size",
        "Image Src": f"https://cdn.example/{product.handle}.jpg",
        "Gift Card": str(product.is_gift_card).lower(),
        "Status": product.status,
    }
    for place, variant in enumerate(product.variants):
        yield {
            "Handle": product.handle,
            "Option1 Value": "Default Title" if product.is_gift_card else variant.size,
            "Variant SKU": "" if product.is_gift_card else variant.sku,
            "Variant Inventory Tracker": "shopify",
            "Variant Inventory Qty": variant.pieces,
            "Variant Inventory Policy": "deny",
            "Variant Price": variant.price,
        } | (of_product if place == 0 else {})
    yield {"Handle": product.handle, "Image Src": "https://cdn.example/more.jpg"}


def exports(folder: Path, shop: VendorShop) -> tuple[Path, Path, Path]:
    orders = [row for order in shop.orders for row in order_rows(shop, order)]
    products = [row for product in shop.products for row in product_rows(product)]
    customers = [
        {
            "Customer ID": f"'{customer.customer_id}",
            "First Name": "Anna",
            "Email": customer.email,
            "Accepts Email Marketing": customer.accepts_mail,
        }
        for customer in shop.customers
    ]
    return (
        write_csv(folder / "orders_export_1.csv", ORDER_COLUMNS, orders),
        write_csv(folder / "products_export_1.csv", PRODUCT_COLUMNS, products),
        write_csv(folder / "customers_export.csv", CUSTOMER_COLUMNS, customers),
    )


def order_document(shop: VendorShop, order: Order) -> dict[str, Any]:
    customer = order.customer
    items = [
        {
            "id": line.line_id,
            "product_id": int(shop.product(line).product_id),
            "variant_id": int(line.variant.variant_id),
            "title": shop.product(line).title,
            "sku": line.variant.sku,
            "quantity": line.quantity,
            "price": line.variant.price,
            "gift_card": line.is_gift_card,
            "requires_shipping": not line.is_gift_card,
        }
        for line in order.lines
    ]
    refunds = [
        {"line_item_id": line.line_id, "quantity": line.refunded, "restock_type": "return"}
        for line in order.lines
        if line.refunded
    ]
    return {
        "id": 5_000_000_000 + order.number,
        "name": f"#{1001 + order.number}",
        "email": customer.email if customer else "guest@example.com",
        "created_at": order.time.isoformat(),
        "cancelled_at": order.time.isoformat() if order.status == "cancelled" else None,
        "currency": "EUR",
        "financial_status": "paid" if order.status == "cancelled" else order.status,
        "test": False,
        "customer": {"id": int(customer.customer_id)} if customer else None,
        "line_items": items,
        "shipping_lines": [{"id": 900_000 + order.number, "title": "Standard", "price": "4.90"}],
        "refunds": [{"id": 1, "refund_line_items": refunds}] if refunds else [],
    }


def product_document(product: Product) -> dict[str, Any]:
    variants = [
        {
            "id": int(variant.variant_id),
            "title": variant.size,
            "price": variant.price,
            "sku": variant.sku,
            "inventory_policy": "deny",
            "inventory_management": "shopify",
            "inventory_quantity": variant.pieces,
            "image_id": None,
        }
        for variant in product.variants
    ]
    return {
        "id": int(product.product_id),
        "title": product.title,
        "vendor": "Casa",
        "product_type": "gift_card" if product.is_gift_card else "Living",
        "handle": product.handle,
        "status": product.status,
        "published_at": "2025-01-01T00:00:00Z",
        "tags": "home, new",
        "variants": variants,
        "images": [{"id": 1, "src": "https://cdn.example/1.jpg"}],
        "image": {"id": 1, "src": "https://cdn.example/1.jpg"},
    }


def test_every_line_of_an_export_that_is_a_sale_is_read_and_no_other(tmp_path: Path) -> None:
    shop = make_shop()
    orders, products, customers = exports(tmp_path, shop)
    learned = read(orders, products, customers)
    # The export does not tell which lines of an order were refunded.
    expected = shop.sales(
        lambda variant: shop.products[variant.product].handle,
        lambda customer: customer.email,
        refunds_are_told=False,
    )
    assert sold_in(learned) == expected
    lines = [line for order in shop.orders for line in order.lines]
    not_sold = [line for order in shop.orders if not order.is_sale for line in order.lines]
    cards = [line for line in lines if line.is_gift_card]
    assert learned.report.dropped.counts == {
        "gift_card": len(cards),
        "not_sold": sum(not line.is_gift_card for line in not_sold),
    }
    assert learned.report.rows == len(lines)


def test_sizes_are_recommended_where_they_are_wanted(tmp_path: Path) -> None:
    shop = make_shop()
    orders, products, _ = exports(tmp_path, shop)
    learned = read(orders, products, variants="variant")
    expected = shop.sales(
        lambda variant: variant.sku, lambda customer: customer.email, refunds_are_told=False
    )
    assert sold_in(learned) == expected
    assert shown_in(learned) == {
        variant.sku
        for product in shop.products
        if product.is_on_sale
        for variant in product.variants
        if variant.pieces
    }


def test_what_is_a_draft_or_sold_out_in_every_size_is_not_shown(tmp_path: Path) -> None:
    shop = make_shop()
    orders, products, _ = exports(tmp_path, shop)
    learned = read(orders, products)
    assert shown_in(learned) == {p.handle for p in shop.products if p.is_on_sale}
    item = learned.product_ids.find("product-1")
    catalogue = learned.catalogue
    assert catalogue.title[item] == "Bulb, clear 1"
    assert catalogue.url[item] == "/products/product-1"
    assert json.loads(catalogue.attributes[item]) == {"tags": "home, new"}


def test_a_no_to_mails_stays_a_no(tmp_path: Path) -> None:
    shop = make_shop()
    orders, _, customers = exports(tmp_path, shop)
    consents = consents_in(read(orders, None, customers))
    assert consents == {c.email: c.accepts_mail == "yes" for c in shop.customers}


@pytest.mark.parametrize("is_answer", [True, False], ids=["answer of the API", "webhooks"])
def test_documents_tell_what_was_refunded(tmp_path: Path, is_answer: bool) -> None:
    shop = make_shop()
    documents = [order_document(shop, order) for order in shop.orders]
    if is_answer:
        orders = tmp_path / "orders.json"
        orders.write_text(json.dumps({"orders": documents}, indent=1))
    else:
        orders = write_json_lines(tmp_path / "orders.jsonl", documents)
    products = write_json_lines(tmp_path / "p.jsonl", map(product_document, shop.products))
    learned = read(orders, products)
    expected = shop.sales(
        lambda variant: shop.products[variant.product].product_id,
        lambda customer: customer.customer_id,
    )
    assert sold_in(learned) == expected
    assert shown_in(learned) == {p.product_id for p in shop.products if p.is_on_sale}
    lines = [(order, line) for order in shop.orders for line in order.lines]
    products_sold = [(order, line) for order, line in lines if not line.is_gift_card]
    assert learned.report.dropped.counts == {
        "gift_card": len(lines) - len(products_sold),
        "shipping_or_fee": len(shop.orders),
        "refunded": sum(line.left == 0 for _, line in products_sold),
        "not_sold": sum(line.left > 0 and not order.is_sale for order, line in products_sold),
    }


def test_consents_of_documents_hold_for_mails(tmp_path: Path) -> None:
    states = {"1": "subscribed", "2": "not_subscribed", "3": "unsubscribed", "4": "pending"}
    documents = [
        {
            "id": int(number),
            "email": f"{number}@example.com",
            "email_marketing_consent": {
                "state": state,
                "consent_updated_at": "2025-01-01T00:00:00Z",
            },
        }
        for number, state in states.items()
    ]
    shop = make_shop()
    orders = write_json_lines(
        tmp_path / "orders.jsonl", [order_document(shop, order) for order in shop.orders[:9]]
    )
    customers = write_json_lines(tmp_path / "customers.jsonl", documents)
    consents = consents_in(read(orders, None, customers))
    assert {number: consents[number] for number in states} == {
        "1": True,
        "2": False,
        "3": False,
        "4": False,
    }


def test_what_the_file_was_taken_for_is_told(tmp_path: Path) -> None:
    orders, products, _ = exports(tmp_path, make_shop())
    assert read(orders, products).report.taken_for == {
        str(orders): "orders of Shopify (CSV)",
        str(products): "products of Shopify (CSV)",
    }


def test_products_given_as_orders_are_told_apart(tmp_path: Path) -> None:
    _, products, _ = exports(tmp_path, make_shop())
    with pytest.raises(InputError, match=r"holds products of Shopify.*give it by --products"):
        read(products)


def test_a_bad_moment_is_told_with_its_line_in_the_export(tmp_path: Path) -> None:
    shop = make_shop()
    rows = [row for order in shop.orders[:12] for row in order_rows(shop, order)]
    rows[0]["Created at"] = "someday"
    path = write_csv(tmp_path / "orders.csv", ORDER_COLUMNS, rows)
    problem = read(path).report.dropped
    assert problem.counts["bad_timestamp"] == sum(
        not line.is_gift_card for line in shop.orders[0].lines
    )
    assert "column 'Created at': 'someday'" in problem.examples["bad_timestamp"]


def test_the_export_of_the_cases_is_read_without_an_option(tmp_path: Path) -> None:
    path = tmp_path / "shopify_orders_export.csv"
    path.write_text(
        "Name,Email,Financial Status,Paid at,Currency,Total,Created at,Lineitem quantity,"
        "Lineitem name,Lineitem price,Lineitem sku,Cancelled at\n"
        "#2001,p1@example.com,paid,2025-03-04 08:15:00 +0100,EUR,58.00,2025-03-04 08:15:00 +0100,"
        "1,Lamp,40.00,LA-1,\n"
        "#2001,p1@example.com,,,,,,2,Bulb,4.00,BU-2,\n"
        "#2001,p1@example.com,,,,,,1,Shade,10.00,SH-3,\n"
        "#2002,p2@example.com,paid,2025-03-05 19:40:00 +0100,EUR,8.00,2025-03-05 19:40:00 +0100,"
        "2,Bulb,4.00,BU-2,\n"
        "#2003,,voided,,EUR,40.00,2025-03-06 10:00:00 +0100,1,Lamp,40.00,LA-1,"
        "2025-03-06 11:00:00 +0100\n"
    )
    learned = read(path)
    morning, evening = 1741072500, 1741200000
    assert sold_in(learned) == {
        ("p1@example.com", "LA-1", morning): 1,
        ("p1@example.com", "BU-2", morning): 2,
        ("p1@example.com", "SH-3", morning): 1,
        ("p2@example.com", "BU-2", evening): 2,
    }
    assert learned.report.dropped.counts == {"not_sold": 1}


def test_consents_that_reach_nobody_are_told(tmp_path: Path) -> None:
    shop = make_shop()
    documents = (order_document(shop, order) for order in shop.orders)
    orders = write_json_lines(tmp_path / "orders.jsonl", documents)
    _, _, customers = exports(tmp_path, shop)
    oddities = find_oddities(read(orders, None, customers), NOW)
    assert any("none of 40 customers who said yes or no" in oddity for oddity in oddities)
    assert not find_oddities(read(*exports(tmp_path, shop)), NOW)


def test_an_export_that_went_through_a_spreadsheet_is_read(tmp_path: Path) -> None:
    shop = make_shop()
    rows = [row for order in shop.orders for row in order_rows(shop, order)]
    for row in rows:
        row["Lineitem price"] = str(row["Lineitem price"]).replace(".", ",")
    path = write_csv(tmp_path / "orders.csv", ORDER_COLUMNS, rows, delimiter=";")
    content = f"Bestellungen;März\n\n{path.read_text()}"
    path.write_bytes(content.replace("Casa", "Möbel").encode("cp1252"))
    learned = read(path)
    assert sum(sold_in(learned).values()) == sum(
        line.quantity
        for order in shop.orders
        for line in order.lines
        if order.is_sale and not line.is_gift_card
    )
    prices = {f"{price:.2f}" for price in learned.price.tolist()}
    assert prices <= {variant.price for product in shop.products for variant in product.variants}


def test_columns_named_by_hand_are_taken_at_their_word_and_the_format_is_told(
    tmp_path: Path,
) -> None:
    orders, _, _ = exports(tmp_path, make_shop())
    columns = {
        "customer_id": "Email",
        "product_id": "Lineitem sku",
        "timestamp": "Created at",
    }
    learned = read_purchases([orders], columns=columns, now=NOW)
    assert "looks like orders of Shopify (CSV) (--format auto)" in str(learned.report.taken_for)
    options = ReadingOptions(format="auto")
    known = read_purchases([orders], columns=columns, now=NOW, options=options)
    assert list(known.report.taken_for.values()) == ["orders of Shopify (CSV)"]
