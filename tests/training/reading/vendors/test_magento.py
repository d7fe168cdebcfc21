"""Documents and exports of Magento, read without one option."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.vendor_reading import (
    consents_in,
    read,
    shown_in,
    sold_in,
    write_csv,
    write_json_lines,
)
from tests.support.vendor_shop import Order, Product, Variant, VendorShop, make_shop
from training.errors import InputError

pytestmark = pytest.mark.slow

PRODUCT_COLUMNS = [
    "sku",
    "store_view_code",
    "attribute_set_code",
    "product_type",
    "categories",
    "product_websites",
    "name",
    "description",
    "short_description",
    "weight",
    "product_online",
    "tax_class_name",
    "visibility",
    "price",
    "special_price",
    "special_price_from_date",
    "special_price_to_date",
    "url_key",
    "meta_title",
    "meta_keywords",
    "meta_description",
    "base_image",
    "base_image_label",
    "small_image",
    "thumbnail_image",
    "created_at",
    "updated_at",
    "additional_attributes",
    "qty",
    "out_of_stock_qty",
    "allow_backorders",
    "is_in_stock",
    "manage_stock",
    "website_id",
    "related_skus",
    "configurable_variations",
    "configurable_variation_labels",
]
STATE = {
    "paid": "complete",
    "voided": "pending_payment",
    "cancelled": "canceled",
    "refunded": "closed",
    "partially_refunded": "processing",
}


def parent_sku(product: Product) -> str:
    return f"SKU-{product.number:03}"


def order_document(shop: VendorShop, order: Order) -> dict[str, Any]:
    items: list[dict[str, Any]] = []
    for line in order.lines:
        common = {
            "sku": line.variant.sku,
            "name": shop.product(line).title,
            "qty_ordered": line.quantity,
            "qty_refunded": line.refunded if order.is_sale else 0,
            "qty_canceled": 0,
        }
        kind = "giftcard" if line.is_gift_card else "configurable"
        item_id = 2 * line.line_id + 1
        price = float(line.variant.price)
        items.append(common | {"item_id": item_id, "product_type": kind, "price": price})
        if not line.is_gift_card:
            piece = {"item_id": item_id + 1, "product_type": "simple", "price": 0}
            items.append(common | piece | {"parent_item_id": item_id})
    return {
        "entity_id": order.number,
        "increment_id": f"{order.number:09}",
        "created_at": f"{order.time:%Y-%m-%d %H:%M:%S}",
        "state": STATE[order.status],
        "status": STATE[order.status],
        "customer_is_guest": int(order.customer is None),
        "customer_email": order.customer.email if order.customer else "guest@example.com",
        "order_currency_code": "EUR",
        "items": items,
    } | ({"customer_id": int(order.customer.customer_id)} if order.customer else {})


def product_rows(product: Product) -> Iterator[dict[str, object]]:
    online = 1 if product.status == "active" else 2
    common = {"attribute_set_code": "Default", "product_online": online, "qty": 1}
    if product.is_gift_card:
        yield common | {"sku": "GIFT", "product_type": "giftcard", "name": product.title}
        return
    for variant in product.variants:
        yield common | {
            "sku": variant.sku,
            "product_type": "simple",
            "name": f"{product.title}-{variant.size}",
            "visibility": "Not Visible Individually",
            "price": variant.price,
            "additional_attributes": f"color=Red,text=soft, light,size={variant.size}",
            "is_in_stock": int(variant.pieces > 0),
        }
    sizes = "|".join(f"sku={v.sku},size={v.size}" for v in product.variants)
    yield common | {
        "sku": parent_sku(product),
        "product_type": "configurable",
        "categories": "Default Category/Home,Default Category/Home/Living",
        "name": product.title,
        "visibility": "Catalog, Search",
        "url_key": product.handle,
        "base_image": "/l/a/lamp.jpg",
        "is_in_stock": int(any(v.pieces for v in product.variants)),
        "configurable_variations": sizes,
    }
    yield {"sku": parent_sku(product), "store_view_code": "de", "name": "Lampe"}


def product_documents(product: Product) -> Iterator[dict[str, Any]]:
    if product.is_gift_card:
        return
    status = 1 if product.status == "active" else 2
    common = {"attribute_set_id": 4, "status": status}
    for variant in product.variants:
        yield common | {
            "id": int(variant.variant_id),
            "sku": variant.sku,
            "name": product.title,
            "type_id": "simple",
            "visibility": 1,
            "price": float(variant.price),
            "extension_attributes": {"stock_item": {"is_in_stock": variant.pieces > 0}},
        }
    in_stock = any(variant.pieces for variant in product.variants)
    yield common | {
        "id": product.number,
        "sku": parent_sku(product),
        "name": product.title,
        "type_id": "configurable",
        "visibility": 4,
        "extension_attributes": {
            "stock_item": {"is_in_stock": in_stock},
            "configurable_product_links": [int(v.variant_id) for v in product.variants],
        },
        "custom_attributes": [{"attribute_code": "url_key", "value": product.handle}],
    }


def orders_of(folder: Path, shop: VendorShop) -> Path:
    documents = [order_document(shop, order) for order in shop.orders]
    path = folder / "orders.json"
    path.write_text(json.dumps({"items": documents, "search_criteria": {}, "total_count": 200}))
    return path


def products_of(folder: Path, shop: VendorShop, kind: str) -> Path:
    if kind == "csv":
        rows = [row for product in shop.products for row in product_rows(product)]
        return write_csv(folder / "catalog_product.csv", PRODUCT_COLUMNS, rows)
    documents = [one for product in shop.products for one in product_documents(product)]
    return write_json_lines(folder / "products.jsonl", documents)


def customer_id(customer: Any) -> str:
    return str(customer.customer_id)


@pytest.mark.parametrize("kind", ["csv", "json"])
@pytest.mark.parametrize("variants", ["parent", "variant"])
def test_every_line_that_is_a_sale_is_read_and_no_other(
    tmp_path: Path, kind: str, variants: str
) -> None:
    shop = make_shop()
    names: dict[str, Callable[[Variant], str]] = {
        "parent": lambda variant: parent_sku(shop.products[variant.product]),
        "variant": lambda variant: variant.sku,
    }
    products = products_of(tmp_path, shop, kind)
    learned = read(orders_of(tmp_path, shop), products, variants=variants)
    assert sold_in(learned) == shop.sales(names[variants], customer_id)
    assert shown_in(learned) == {
        names[variants](variant)
        for product in shop.products
        if product.is_on_sale
        for variant in product.variants
        if variants == "parent" or variant.pieces
    }
    lines = [(order, line) for order in shop.orders for line in order.lines]
    products_sold = [(order, line) for order, line in lines if not line.is_gift_card]
    assert learned.report.dropped.counts == {
        "gift_card": len(lines) - len(products_sold),
        "part_of_line": len(products_sold),
        "refunded": sum(order.is_sale and not line.left for order, line in products_sold),
        "not_sold": sum(not order.is_sale for order, _ in products_sold),
    }


def test_attributes_and_addresses_of_the_export_are_read(tmp_path: Path) -> None:
    shop = make_shop()
    orders = orders_of(tmp_path, shop)
    learned = read(orders, products_of(tmp_path, shop, "csv"), variants="variant")
    item = learned.product_ids.find("SKU-001-M")
    assert json.loads(learned.catalogue.attributes[item]) == {
        "color": "Red",
        "text": "soft, light",
        "size": "M",
    }
    parents = read(orders, products_of(tmp_path, shop, "csv"))
    item = parents.product_ids.find("SKU-001")
    catalogue = parents.catalogue
    assert catalogue.url[item] == "/product-1.html"
    assert catalogue.image_url[item] == "/media/catalog/product/l/a/lamp.jpg"
    assert catalogue.category_names[catalogue.category[item]] == "Living"


def test_who_is_not_subscribed_said_no(tmp_path: Path) -> None:
    shop = make_shop()
    documents = [
        {
            "id": int(customer.customer_id),
            "group_id": 1,
            "email": customer.email,
            "website_id": 1,
            "extension_attributes": {"is_subscribed": customer.accepts_mail == "yes"},
        }
        for customer in shop.customers
    ]
    customers = write_json_lines(tmp_path / "customers.jsonl", documents)
    consents = consents_in(read(orders_of(tmp_path, shop), None, customers))
    assert consents == {c.customer_id: c.accepts_mail == "yes" for c in shop.customers}


def test_the_grid_of_orders_is_refused_with_the_page_that_helps(tmp_path: Path) -> None:
    columns = ["ID", "Purchase Point", "Purchase Date", "Bill-to Name", "Grand Total", "Status"]
    path = write_csv(tmp_path / "export.csv", columns, [dict.fromkeys(columns, "1")])
    with pytest.raises(InputError, match=r"grid of orders of Magento.*docs/formats/magento\.md"):
        read(path)
