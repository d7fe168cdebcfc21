"""Exports and documents of WooCommerce, read without one option."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.vendor_reading import read, shown_in, sold_in, write_csv, write_json_lines
from tests.support.vendor_shop import Order, Product, Variant, VendorShop, make_shop
from training.errors import InputError

pytestmark = pytest.mark.slow

PRODUCT_COLUMNS = (
    (
        'ID,Type,SKU,"GTIN, UPC, EAN, or ISBN",Name,Published,Is featured?,Visibility in catalog,'
        "Short description,Description,Date sale price starts,Date sale price ends,Tax status,"
        "Tax class,In stock?,Stock,Low stock amount,Backorders allowed?,Sold individually?,"
        "Weight (kg),Allow customer reviews?,Purchase note,Sale price,Regular price,Categories,Tags,"
        "Shipping class,Images,Download limit,Download expiry days,Parent,Grouped products,Upsells,"
        "Cross-sells,External URL,Button text,Position,Brands,Attribute 1 name,Attribute 1 value(s),"
        "Attribute 1 visible,Attribute 1 global"
    )
    .replace('"GTIN, UPC, EAN, or ISBN"', "GTIN")
    .split(",")
)
ORDER_ROW_COLUMNS = [
    "order_id",
    "order_number",
    "order_date",
    "paid_date",
    "status",
    "shipping_total",
    "shipping_tax_total",
    "fee_total",
    "fee_tax_total",
    "tax_total",
    "cart_discount",
    "order_discount",
    "discount_total",
    "order_total",
    "order_subtotal",
    "order_key",
    "order_currency",
    "payment_method",
    "payment_method_title",
    "transaction_id",
    "customer_ip_address",
    "customer_user_agent",
    "shipping_method",
    "customer_id",
    "customer_user",
    "customer_email",
    "billing_first_name",
    "billing_country",
    "customer_note",
    "shipping_items",
    "fee_items",
    "tax_items",
    "coupon_items",
    "refund_items",
    "order_notes",
    "download_permissions",
    "line_item_1",
    "line_item_2",
    "line_item_3",
    "line_item_4",
    "line_item_5",
    "line_item_6",
]
LINE_COLUMNS = [
    "Order Number",
    "Order Status",
    "Order Date",
    "Customer Note",
    "First Name (Billing)",
    "Last Name (Billing)",
    "Email (Billing)",
    "Phone (Billing)",
    "Payment Method Title",
    "Cart Discount Amount",
    "Order Subtotal Amount",
    "Order Shipping Amount",
    "Order Refund Amount",
    "Order Total Amount",
    "Order Total Tax Amount",
    "SKU",
    "Item #",
    "Item Name",
    "Quantity (- Refund)",
    "Item Cost",
    "Coupon Code",
    "Discount Amount",
    "Discount Amount Tax",
]
STATUS = {
    "paid": "completed",
    "voided": "pending",
    "cancelled": "cancelled",
    "refunded": "refunded",
    "partially_refunded": "processing",
}


def parent_id(variant: Variant) -> str:
    return str(100 + 10 * variant.product)


def variation_id(variant: Variant) -> str:
    return str(101 + 10 * variant.product + "SML".index(variant.size))


def order_document(shop: VendorShop, order: Order) -> dict[str, Any]:
    items = [
        {
            "id": line.line_id,
            "name": shop.product(line).title,
            "product_id": int(parent_id(line.variant)),
            "variation_id": int(variation_id(line.variant)),
            "quantity": line.quantity,
            "price": float(line.variant.price),
            "sku": line.variant.sku,
        }
        for line in order.lines
    ]
    refunds = [
        {
            "product_id": int(parent_id(line.variant)),
            "quantity": -line.refunded,
            "meta_data": [{"key": "_refunded_item_id", "value": str(line.line_id)}],
        }
        for line in order.lines
        if line.refunded and order.is_sale
    ]
    return {
        "id": 5000 + order.number,
        "status": STATUS[order.status],
        "currency": "EUR",
        "date_created": f"{order.time:%Y-%m-%dT%H:%M:%S}",
        "date_created_gmt": f"{order.time:%Y-%m-%dT%H:%M:%S}",
        "customer_id": 1 + order.customer.number if order.customer else 0,
        "billing": {"email": order.customer.email if order.customer else "guest@example.com"},
        "line_items": items,
        "shipping_lines": [{"id": 90_000 + order.number, "method_title": "Flat rate"}],
        "fee_lines": [],
        "refunds": [{"id": 1, "total": "-9.00", "line_items": refunds}] if refunds else [],
    }


def order_row(shop: VendorShop, order: Order) -> dict[str, object]:
    items = {
        f"line_item_{place}": f"name:{shop.product(line).title}|product_id:"
        f"{parent_id(line.variant)}|sku:{line.variant.sku}|quantity:{line.quantity}|total:1.00"
        for place, line in enumerate(order.lines, 1)
    }
    return {
        "order_id": 5000 + order.number,
        "order_number": 5000 + order.number,
        "order_date": f"{order.time:%Y-%m-%d %H:%M:%S}",
        "status": f"wc-{STATUS[order.status]}",
        "order_currency": "EUR",
        "customer_id": 1 + order.customer.number if order.customer else 0,
        "customer_email": order.customer.email if order.customer else "guest@example.com",
        "shipping_items": "items:|method_id:flat_rate|total:4.90",
    } | items


def line_rows(shop: VendorShop, order: Order) -> Iterator[dict[str, object]]:
    for place, line in enumerate(order.lines, 1):
        yield {
            "Order Number": 5000 + order.number,
            "Order Status": "Pending payment" if order.status == "voided" else STATUS[order.status],
            "Order Date": f"{order.time:%Y-%m-%d %H:%M:%S}",
            "Email (Billing)": order.customer.email.title() if order.customer else "",
            "SKU": line.variant.sku,
            "Item #": place,
            "Item Name": shop.product(line).title,
            "Quantity (- Refund)": line.left,
            "Item Cost": line.variant.price,
        }


def product_rows(product: Product) -> Iterator[dict[str, object]]:
    first = product.variants[0]
    yield {
        "ID": parent_id(first),
        "Type": "simple, virtual" if product.is_gift_card else "variable",
        "SKU": f"SKU-{product.number:03}",
        "Name": product.title,
        "Published": 1 if product.status == "active" else -1,
        "Visibility in catalog": "visible",
        "In stock?": int(any(variant.pieces for variant in product.variants)),
        "Regular price": first.price,
        "Categories": "Home, Home > Living",
        "Images": "https://shop.example/1.jpg, https://shop.example/2.jpg",
    }
    for variant in product.variants if not product.is_gift_card else ():
        yield {
            "ID": variation_id(variant),
            "Type": "variation",
            "SKU": variant.sku,
            "Name": f"{product.title} - {variant.size}",
            "Published": 1 if product.status == "active" else -1,
            "Visibility in catalog": "visible",
            "In stock?": int(variant.pieces > 0),
            "Regular price": variant.price,
            "Parent": f"SKU-{product.number:03}"
            if product.number % 2
            else f"id:{parent_id(first)}",
            "Attribute 1 name": "Size",
            "Attribute 1 value(s)": variant.size,
        }


def products_export(folder: Path, shop: VendorShop) -> Path:
    rows = [row for product in shop.products for row in product_rows(product)]
    return write_csv(folder / "wc-product-export.csv", PRODUCT_COLUMNS, rows)


def buyer(customer: Any) -> str:
    return str(1 + customer.number)


@pytest.mark.parametrize(
    ("variants", "product_id"), [("parent", parent_id), ("variant", variation_id)]
)
def test_documents_are_read_line_by_line(
    tmp_path: Path, variants: str, product_id: Callable[[Variant], str]
) -> None:
    shop = make_shop()
    documents = (order_document(shop, order) for order in shop.orders)
    orders = write_json_lines(tmp_path / "orders.jsonl", documents)
    learned = read(orders, products_export(tmp_path, shop), variants=variants)
    assert sold_in(learned) == shop.sales(product_id, buyer)
    lines = [(order, line) for order in shop.orders for line in order.lines]
    products_sold = [(order, line) for order, line in lines if not line.is_gift_card]
    assert learned.report.dropped.counts == {
        "gift_card": len(lines) - len(products_sold),
        "shipping_or_fee": len(shop.orders),
        "refunded": sum(order.is_sale and not line.left for order, line in products_sold),
        "not_sold": sum(not order.is_sale for order, _ in products_sold),
    }


def test_a_row_an_order_is_taken_apart(tmp_path: Path) -> None:
    shop = make_shop()
    rows = [order_row(shop, order) for order in shop.orders]
    orders = write_csv(tmp_path / "order_export.csv", ORDER_ROW_COLUMNS, rows)
    learned = read(orders)
    assert sold_in(learned) == shop.sales(parent_id, buyer, refunds_are_told=False)
    assert learned.report.dropped.counts["shipping_or_fee"] == len(shop.orders)


def test_a_row_a_line_tells_what_is_left_after_refunds(tmp_path: Path) -> None:
    shop = make_shop()
    rows = [row for order in shop.orders for row in line_rows(shop, order)]
    orders = write_csv(tmp_path / "orders.csv", LINE_COLUMNS, rows)
    learned = read(orders, products_export(tmp_path, shop))
    assert sold_in(learned) == shop.sales(parent_id, lambda customer: customer.email)


def test_what_is_not_published_is_not_shown(tmp_path: Path) -> None:
    shop = make_shop()
    documents = (order_document(shop, order) for order in shop.orders)
    orders = write_json_lines(tmp_path / "orders.jsonl", documents)
    learned = read(orders, products_export(tmp_path, shop))
    assert shown_in(learned) == {parent_id(p.variants[0]) for p in shop.products if p.is_on_sale}
    sized = read(orders, products_export(tmp_path, shop), variants="variant")
    assert shown_in(sized) == {
        variation_id(variant)
        for product in shop.products
        if product.is_on_sale
        for variant in product.variants
        if variant.pieces
    }


def test_products_of_the_api_are_read(tmp_path: Path) -> None:
    shop = make_shop()
    documents = [
        {
            "id": int(parent_id(product.variants[0])),
            "name": product.title,
            "permalink": f"https://shop.example/{product.handle}",
            "type": "variable",
            "status": "publish" if product.status == "active" else "draft",
            "catalog_visibility": "visible",
            "sku": "",
            "price": product.variants[0].price,
            "stock_status": "instock" if product.is_on_sale else "onbackorder",
            "categories": [{"id": 1, "name": "Living"}],
            "images": [{"id": 1, "src": "https://shop.example/1.jpg"}],
            "attributes": [{"name": "Size", "options": ["S", "M"]}],
            "variations": [int(variation_id(variant)) for variant in product.variants],
        }
        for product in shop.products
    ]
    orders = write_json_lines(
        tmp_path / "orders.jsonl", (order_document(shop, order) for order in shop.orders)
    )
    learned = read(orders, write_json_lines(tmp_path / "products.jsonl", documents))
    assert shown_in(learned) == {parent_id(p.variants[0]) for p in shop.products if p.is_on_sale}
    assert learned.catalogue.attributes[0] == '{"Size": "S, M"}'


def test_a_report_without_products_is_refused_with_the_page_that_helps(tmp_path: Path) -> None:
    columns = ["Date", "Order #", "Status", "Customer", "Product(s)", "Items sold", "Net Sales"]
    row = dict.fromkeys(columns, "1")
    path = write_csv(tmp_path / "report.csv", columns, [row])
    with pytest.raises(InputError, match=r"WooCommerce Analytics.*docs/formats/woocommerce\.md"):
        read(path)
