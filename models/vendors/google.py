"""Read product feeds of the Google Merchant Center: XML (RSS, Atom) and text in columns (TSV)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from models.vendors.cells import UNTOLD, is_gift_card, known_texts, last_part, text
from models.vendors.vendor import Found, ProductName, Record, Shape, Variants, VendorProduct

CURRENCY: Final = re.compile(r"\b[A-Z]{3}\b")
# Of attributes that describe a product to people
DESCRIBING: Final = (
    "color",
    "size",
    "material",
    "pattern",
    "gender",
    "age_group",
    "condition",
    "gtin",
    "mpn",
    "custom_label_0",
    "custom_label_1",
    "custom_label_2",
    "custom_label_3",
    "custom_label_4",
)


def read_item(rows: Sequence[Record], variants: Variants) -> Found:
    """Read one item. Items with the same `item_group_id` are variants of one product."""
    item = rows[0]
    item_id, group_id = text(item.get("id")), text(item.get("item_group_id"))
    product_id = group_id if variants == "parent" and group_id else item_id
    price = _price(item)
    currency = CURRENCY.search((price or "").upper())
    category = last_part(item.get("product_type")) or last_part(item.get("google_product_category"))
    product = VendorProduct(
        product_id=product_id,
        title=text(item.get("title")),
        category=category,
        brand=text(item.get("brand")),
        price=price,
        currency=currency[0] if currency else None,
        url=text(item.get("link")),
        image_url=text(item.get("image_link")),
        in_stock=text(item.get("availability")) or UNTOLD,
        available_until=text(item.get("expiration_date")),
        cost=text(item.get("cost_of_goods_sold")),
        is_shown=not is_gift_card(item.get("title")),
        variant_id=item_id,
        attributes=known_texts(**{name: item.get(name) for name in DESCRIBING}),
    )
    names = [ProductName(item_id, product_id)] if item_id and product_id else []
    return Found(products=[product], names=names)


def _price(item: Record) -> str | None:
    """Return the price; that of a sale where it holds without dates, which nobody compares here."""
    sale = text(item.get("sale_price"))
    has_dates = text(item.get("sale_price_effective_date")) is not None
    return sale if sale and not has_dates else text(item.get("price"))


SHAPES: Final = (
    Shape(
        vendor="google",
        title="a product feed of Google Merchant Center",
        kind="products",
        told_by=("id", "title", "link", "availability", "price"),
        read=read_item,
        reads=(
            "id",
            "item_group_id",
            "title",
            "link",
            "image_link",
            "availability",
            "price",
            "sale_price",
            "sale_price_effective_date",
            "brand",
            "product_type",
            "google_product_category",
            "expiration_date",
            "cost_of_goods_sold",
            *DESCRIBING,
        ),
        cells={
            "product_id": "id",
            "title": "title",
            "price": "price",
            "currency": "price",
            "url": "link",
            "image_url": "image_link",
            "in_stock": "availability",
            "available_until": "expiration_date",
            "cost": "cost_of_goods_sold",
            "brand": "brand",
        },
    ),
)
