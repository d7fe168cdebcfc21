"""Read documents (REST API) and the export of products (CSV) of Magento, or Adobe Commerce.

A product is its SKU everywhere: orders name variants by it, the export has no other id, and the
API addresses products by it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from models.vendors.cells import (
    is_gift_card,
    is_used_up,
    known_texts,
    last_part,
    object_in,
    objects_in,
    quantity_left,
    text,
    values_in,
)
from models.vendors.vendor import (
    Found,
    LeftOut,
    OrderLine,
    ProductName,
    Record,
    Shape,
    Variants,
    VendorCustomer,
    VendorProduct,
)

# States whose words mean something else in other systems
STATES: Final[Mapping[str, str]] = {"closed": "refunded", "holded": "on hold"}
FRAUD: Final = "fraud"  # a status; the state of such an order is that of one to be looked at
GIFT_CARD: Final = "giftcard"
NOT_VISIBLE: Final = ("1", "Not Visible Individually")  # as pieces of other products are
ENABLED: Final = "1"
# Of `color=Red,size=M`. An export with "Fields Enclosure" encloses values, other tools whole pairs,
# and doubles quotes in them; without it a quote is part of its value: `width=15"`.
PAIR: Final = re.compile(
    r""""(?P<pair>(?:[^"]|"")*)"(?=,|$)"""
    r"""|(?P<name>[^=,"]+)="(?P<value>(?:[^"]|"")*)"(?=,|$)"""
    r"""|(?P<plain>[^,]+)"""
)
VARIATION_SKU: Final = re.compile(r"(?:^|\|)sku=([^,|]+)")
ANSWER: Final = ("items", "search_criteria")


def read_order(documents: Sequence[Record], _: Variants) -> Found:
    """Read one order of the API. Items with a parent are pieces of a line that counts itself."""
    order = documents[0]
    status = text(order.get("status"))
    state = FRAUD if status == FRAUD else text(order.get("state")) or status
    lines = []
    for item in objects_in(order, "items"):
        quantity = quantity_left(
            item.get("qty_ordered"), item.get("qty_refunded"), item.get("qty_canceled")
        )
        lines.append(
            OrderLine(
                product_id=text(item.get("sku")),
                timestamp=text(order.get("created_at")),
                customer_id=text(order.get("customer_id")),
                order_id=text(order.get("increment_id")),
                line_id=text(item.get("item_id")),
                quantity=quantity,
                unit_price=text(item.get("price")),
                currency=text(order.get("order_currency_code")),
                status=STATES.get(state or "", state),
                left_out=_left_out(item, quantity),
            )
        )
    return Found(lines=lines)


def _left_out(item: Record, quantity: str | None) -> LeftOut | None:
    if text(item.get("parent_item_id")):
        return "part_of_line"
    if item.get("product_type") == GIFT_CARD or is_gift_card(item.get("name")):
        return "gift_card"
    return "refunded" if is_used_up(quantity) else None


def read_product_row(rows: Sequence[Record], variants: Variants) -> Found:
    """Read a row of the export of products; those of a store view are translations."""
    row = rows[0]
    sku, kind = text(row.get("sku")), text(row.get("product_type"))
    if text(row.get("store_view_code")):
        return Found()
    sizes = VARIATION_SKU.findall(text(row.get("configurable_variations")) or "")
    is_piece = text(row.get("visibility")) in NOT_VISIBLE
    names = [ProductName(size, sku) for size in sizes if sku and variants == "parent"]
    if (is_piece and variants == "parent") or (sizes and variants == "variant"):
        return Found(names=names)
    paths = (text(row.get("categories")) or "").split(",")
    url_key, image = text(row.get("url_key")), text(row.get("base_image"))
    is_card = kind == GIFT_CARD or is_gift_card(row.get("name"))
    product = VendorProduct(
        product_id=sku,
        title=text(row.get("name")),
        category=last_part(max(paths, key=lambda path: path.count("/")), "/"),
        price=text(row.get("special_price")) or text(row.get("price")),
        url=f"/{url_key}.html" if url_key else None,
        image_url=_picture(image),
        in_stock=(text(row.get("is_in_stock")) or "no") if "is_in_stock" in row else None,
        is_shown=text(row.get("product_online")) == ENABLED and not is_card,
        attributes=_additional(row),
    )
    return Found(products=[product], names=names)


def _additional(row: Record) -> dict[str, str]:
    """Return the names and values in `color=Red,size=M`; what has no name goes on."""
    attributes: dict[str, str] = {}
    known = ""
    for match in PAIR.finditer(text(row.get("additional_attributes")) or ""):
        enclosed = match["pair"] or f"{match['name']}={match['value']}"
        part = match["plain"] or enclosed.replace('""', '"')
        name, mark, value = part.partition("=")
        if mark:
            known = name
            attributes[known] = value
        elif known:
            attributes[known] += f",{part}"
    return {name: value for name, value in attributes.items() if value}


def _picture(path: str | None) -> str | None:
    is_address = path is not None and path.startswith(("http:", "https:", "//"))
    return path if is_address or path is None else f"/media/catalog/product/{path.lstrip('/')}"


def read_product(documents: Sequence[Record], variants: Variants) -> Found:
    """Read one product of the API. A configurable one names its variants by their ids."""
    product = documents[0]
    sku, product_id = text(product.get("sku")), text(product.get("id"))
    extension = object_in(product, "extension_attributes")
    links = values_in(extension, "configurable_product_links")
    is_piece = text(product.get("visibility")) in NOT_VISIBLE
    if is_piece and variants == "parent":
        return Found(names=[ProductName(sku, product_id)] if sku and product_id else ())
    names = [ProductName(link, sku) for link in links if sku and variants == "parent"]
    custom = {
        text(entry.get("attribute_code")): entry.get("value")
        for entry in objects_in(product, "custom_attributes")
    }
    url_key = text(custom.get("url_key"))
    is_card = product.get("type_id") == GIFT_CARD or is_gift_card(product.get("name"))
    stock = object_in(extension, "stock_item")
    found = VendorProduct(
        product_id=sku,
        title=text(product.get("name")),
        price=text(custom.get("special_price")) or text(product.get("price")),
        url=f"/{url_key}.html" if url_key else None,
        image_url=_picture(text(custom.get("image"))),
        in_stock=text(stock.get("is_in_stock")),
        is_shown=text(product.get("status")) == ENABLED and not is_card,
        attributes=known_texts(**{str(name): value for name, value in custom.items()}),
    )
    is_parent_of_sizes = bool(links) and variants == "variant"
    return Found(products=[] if is_parent_of_sizes else [found], names=names)


def read_customer(documents: Sequence[Record], _: Variants) -> Found:
    """Read one customer of the API."""
    customer = documents[0]
    answer = text(object_in(customer, "extension_attributes").get("is_subscribed"))
    return Found(customers=[VendorCustomer(text(customer.get("id")), answer)])


SHAPES: Final = (
    Shape(
        vendor="magento",
        title="orders of Magento (JSON)",
        kind="purchases",
        told_by=("increment_id", "items", "created_at", "state"),
        read=read_order,
        answered_in=ANSWER,
        cells={"timestamp": "created_at", "status": "state", "customer_id": "customer_id"},
    ),
    Shape(
        vendor="magento",
        title="the grid of orders of Magento",
        kind="purchases",
        told_by=("purchase_point", "purchase_date", "status"),
        read=read_order,
        reads=("status",),
        refusal="it names no products. Export the orders by the REST API, as "
        "docs/formats/magento.md says.",
    ),
    Shape(
        vendor="magento",
        title="products of Magento (CSV)",
        kind="products",
        told_by=("sku", "attribute_set_code", "product_type"),
        read=read_product_row,
        reads=(
            "sku",
            "store_view_code",
            "product_type",
            "categories",
            "name",
            "product_online",
            "visibility",
            "price",
            "special_price",
            "url_key",
            "base_image",
            "is_in_stock",
            "additional_attributes",
            "configurable_variations",
        ),
        cells={
            "product_id": "sku",
            "title": "name",
            "price": "price",
            "in_stock": "is_in_stock",
            "image_url": "base_image",
        },
    ),
    Shape(
        vendor="magento",
        title="products of Magento (JSON)",
        kind="products",
        told_by=("sku", "attribute_set_id", "type_id"),
        read=read_product,
        answered_in=ANSWER,
        cells={"product_id": "sku", "price": "price"},
    ),
    Shape(
        vendor="magento",
        title="customers of Magento (JSON)",
        kind="customers",
        told_by=("id", "group_id", "email", "website_id"),
        read=read_customer,
        answered_in=ANSWER,
        cells={"customer_id": "id", "personalize_email": "extension_attributes"},
    ),
    Shape(
        vendor="magento",
        title="the main file of customers of Magento",
        kind="customers",
        told_by=("email", "_website", "_store"),
        read=read_customer,
        reads=("email",),
        refusal="it has neither ids nor consents. Export the customers by the REST API, as "
        "docs/formats/magento.md says.",
    ),
)
