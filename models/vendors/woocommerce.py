"""Read exports (CSV) and documents (REST API, webhooks) of WooCommerce.

WooCommerce itself exports products. Orders come as CSV from two plugins: one row an order (Order
Export & Import, the Import Export Suite), and one row a line (Advanced Order Export).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from fnmatch import filter as matching
from typing import Any, Final

from models.data.words import squeeze
from models.vendors.cells import (
    UNTOLD,
    address_of_mail,
    first,
    is_gift_card,
    is_used_up,
    known_texts,
    last_part,
    object_in,
    objects_in,
    price_of_piece,
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

CHARGES: Final = ("shipping_lines", "fee_lines", "tax_lines", "coupon_lines")
# Not paid yet; other systems call an order so that waits to be sent.
UNPAID: Final = "pending"
NONE: Final = (None, "0")  # an id of no product, as of one that was deleted
COMMA: Final = re.compile(r"(?<!\\),")  # between values
SEEN: Final = ("visible", "catalog", "search")  # where a product is to be seen


def _status(value: object) -> str | None:
    status = (text(value) or "").removeprefix("wc-")
    return "pending payment" if squeeze(status) == UNPAID else text(status)


def _chosen(product_id: str | None, variation_id: str | None, variants: Variants) -> str | None:
    """Return the id of the variation where it is wanted, and there is one."""
    if variants == "variant" and variation_id not in NONE:
        return variation_id
    return product_id if product_id not in NONE else None


def _left_out(name: object, quantity: str | None) -> LeftOut | None:
    if is_gift_card(name):
        return "gift_card"
    return "refunded" if is_used_up(quantity) else None


def read_order(documents: Sequence[Record], variants: Variants) -> Found:
    """Read one order of the API.

    It tells refunds by their sum alone. Where the refunds of an order were put into it, with their
    `line_items`, their quantities are taken off.
    """
    order = documents[0]
    order_id = text(order.get("id"))
    refunded = _refunded(order)
    lines = []
    for item in objects_in(order, "line_items"):
        quantity = quantity_left(item.get("quantity"), *refunded[text(item.get("id"))])
        product_id, variation_id = text(item.get("product_id")), text(item.get("variation_id"))
        lines.append(
            OrderLine(
                product_id=_chosen(product_id, variation_id, variants),
                timestamp=text(order.get("date_created_gmt")) or text(order.get("date_created")),
                customer_id=text(order.get("customer_id")),
                order_id=order_id,
                line_id=text(item.get("id")),
                quantity=quantity,
                unit_price=text(item.get("price")),
                currency=text(order.get("currency")),
                status=_status(order.get("status")),
                left_out=_left_out(item.get("name"), quantity),
            )
        )
    charges = [charge for name in CHARGES for charge in objects_in(order, name)]
    lines += [
        OrderLine(order_id=order_id, line_id=text(charge.get("id")), left_out="shipping_or_fee")
        for charge in charges
    ]
    return Found(lines=lines)


def _refunded(order: Record) -> Mapping[str | None, list[Any]]:
    """Return the quantities refunded, by the id of the line that they were sold in."""
    quantities: defaultdict[str | None, list[Any]] = defaultdict(list)
    for refund in objects_in(order, "refunds"):
        for item in objects_in(refund, "line_items"):
            meta = {text(e.get("key")): e.get("value") for e in objects_in(item, "meta_data")}
            quantities[text(meta.get("_refunded_item_id"))].append(item.get("quantity"))
    return quantities


def read_order_row(rows: Sequence[Record], variants: Variants) -> Found:
    """Read a row of Order Export & Import: a line is `name:Lamp|product_id:12|quantity:1|…`."""
    row = rows[0]
    order_id = text(row.get("order_id"))
    lines = []
    for column in sorted(matching(row, "line_item_*")):
        item = _parts(row.get(column))
        if not item:
            continue
        quantity = quantity_left(item.get("quantity"), item.get("refunded_quantity"))
        product_id, variation_id = item.get("product_id"), item.get("variation_id")
        lines.append(
            OrderLine(
                product_id=_chosen(product_id, variation_id, variants) or item.get("sku"),
                timestamp=text(row.get("order_date")),
                customer_id=text(row.get("customer_id")),
                order_id=order_id,
                line_id=column,
                quantity=quantity,
                unit_price=price_of_piece(item.get("total"), item.get("quantity")),
                currency=text(row.get("order_currency")),
                status=_status(row.get("status")),
                left_out=_left_out(item.get("name"), quantity),
            )
        )
    charges = [name for name in ("shipping_items", "fee_items") if text(row.get(name))]
    lines += [
        OrderLine(order_id=order_id, line_id=name, left_out="shipping_or_fee") for name in charges
    ]
    return Found(lines=lines)


def _parts(cell: object) -> Mapping[str, str]:
    """Return the names and values of `name:Lamp|product_id:12`; a name may hold both marks."""
    parts: dict[str, str] = {}
    known = ""
    for part in (text(cell) or "").split("|"):
        name, mark, value = part.partition(":")
        if mark and name.isidentifier():
            known = name
            parts[known] = value
        elif known:
            parts[known] += f"|{part}"
    return {name: value for name, value in parts.items() if value}


def read_line_rows(rows: Sequence[Record], variants: Variants) -> Found:
    """Read the rows of one order of Advanced Order Export; cells of the order may stand in one."""
    order_id = first(rows, "order_number")
    customer_id = first(rows, "customer_user_id") if "customer_user_id" in rows[0] else None
    if "customer_user_id" not in rows[0]:
        customer_id = address_of_mail(first(rows, "email_(billing)"))
    lines = []
    for number, row in enumerate(rows, 1):
        name = row.get("item_name") or row.get("name")
        product_id, variation_id = text(row.get("product_id")), text(row.get("variation_id"))
        quantity = text(row.get("quantity_(-_refund)")) or text(row.get("quantity"))
        lines.append(
            OrderLine(
                product_id=_chosen(product_id, variation_id, variants)
                or text(row.get("sku"))
                or text(name),
                timestamp=first(rows, "order_date"),
                customer_id=customer_id,
                order_id=order_id,
                line_id=text(row.get("item_#")) or str(number),
                quantity=quantity,
                unit_price=text(row.get("item_cost")),
                currency=first(rows, "currency"),
                status=_status(first(rows, "order_status")),
                left_out=_left_out(name, quantity),
            )
        )
    return Found(lines=lines)


def read_product_row(rows: Sequence[Record], variants: Variants) -> Found:
    """Read a row of the export of products. A variation names its parent by id or SKU."""
    row = rows[0]
    product_id, sku = text(row.get("id")), text(row.get("sku"))
    parent = (text(row.get("parent")) or "").removeprefix("id:")
    types = {kind.strip() for kind in (text(row.get("type")) or "").split(",")}
    is_variation = "variation" in types
    names = [ProductName(sku, product_id)] if sku and product_id else []
    if is_variation and variants == "parent":
        if parent:
            called = [name for name in (product_id, sku) if name]
            names = [ProductName(name, parent) for name in called]
        return Found(names=names)
    product = VendorProduct(
        product_id=product_id,
        title=text(row.get("name")),
        category=last_part(next(iter(_values(row.get("categories"))), None)),
        brand=text(row.get("brands")),
        price=text(row.get("sale_price")) or text(row.get("regular_price")),
        image_url=text(row.get("images")),
        in_stock=_stock(row),
        is_shown=_is_published(row) and not is_gift_card(row.get("name")),
        attributes=known_texts(tags=row.get("tags")) | _attributes(row),
    )
    is_parent_of_sizes = "variable" in types and variants == "variant"
    return Found(products=[] if is_parent_of_sizes else [product], names=names)


def _stock(row: Record) -> str | None:
    return (text(row.get("in_stock?")) or UNTOLD) if "in_stock?" in row else None


def _is_published(row: Record) -> bool:
    seen = text(row.get("visibility_in_catalog") or row.get("visibility_in_catalogue"))
    is_seen = seen in SEEN or (seen is None and "visibility_in_catalog" not in row)
    return text(row.get("published")) == "1" and is_seen


def _attributes(row: Record) -> dict[str, str]:
    attributes = {}
    for column in sorted(matching(row, "attribute_*_name")):
        name, values = text(row[column]), _values(row.get(column.replace("_name", "_value(s)")))
        if name and values:
            attributes[name] = ", ".join(values)
    return attributes


def _values(cell: object) -> list[str]:
    """Return the values of a cell with several: commas part them, and `\\,` stands in one."""
    values = (part.replace("\\,", ",").strip() for part in COMMA.split(text(cell) or ""))
    return [value for value in values if value]


def read_product(documents: Sequence[Record], variants: Variants) -> Found:
    """Read one product, or one variation, of the API."""
    product = documents[0]
    product_id = text(product.get("id"))
    parent_id = text(product.get("parent_id"))
    is_variation = product.get("type") == "variation"
    sku = text(product.get("sku"))
    names = [ProductName(sku, product_id)] if sku and product_id else []
    if is_variation and variants == "parent":
        called = [name for name in (product_id, sku) if name and parent_id not in NONE]
        return Found(names=[ProductName(name, parent_id or "") for name in called])
    sizes = values_in(product, "variations") if variants == "parent" else []
    names += [ProductName(size, product_id) for size in sizes if product_id]
    pictures = [*objects_in(product, "images"), object_in(product, "image")]
    seen = text(product.get("catalog_visibility", SEEN[0])) in SEEN
    found = VendorProduct(
        product_id=product_id,
        title=text(product.get("name")),
        category=first(objects_in(product, "categories")[:1], "name"),
        brand=first(objects_in(product, "brands")[:1], "name"),
        price=text(product.get("price")),
        url=text(product.get("permalink")),
        image_url=first(pictures, "src"),
        in_stock=text(product.get("stock_status")) or UNTOLD,
        is_shown=product.get("status") == "publish"
        and seen
        and not is_gift_card(product.get("name")),
        attributes=_attributes_of(product),
    )
    has_sizes = product.get("type") == "variable" and variants == "variant"
    return Found(products=[] if has_sizes else [found], names=names)


def _attributes_of(product: Record) -> dict[str, str]:
    attributes = {}
    tags = [text(tag.get("name")) for tag in objects_in(product, "tags")]
    if tags:
        attributes["tags"] = ", ".join(filter(None, tags))
    for attribute in objects_in(product, "attributes"):
        name = text(attribute.get("name"))
        value = ", ".join(values_in(attribute, "options")) or text(attribute.get("option"))
        if name and value:
            attributes[name] = value
    return attributes


def read_customer(documents: Sequence[Record], _: Variants) -> Found:
    """Read one customer of the API, which knows of no consent."""
    return Found(customers=[VendorCustomer(text(documents[0].get("id")))])


SHAPES: Final = (
    Shape(
        vendor="woocommerce",
        title="orders of WooCommerce (JSON)",
        kind="purchases",
        told_by=("id", "status", "date_created", "line_items", "billing"),
        read=read_order,
        cells={"timestamp": "date_created_gmt", "status": "status", "customer_id": "customer_id"},
    ),
    Shape(
        vendor="woocommerce",
        title="orders of WooCommerce (CSV, a row an order)",
        kind="purchases",
        told_by=("order_id", "order_date", "status", "line_item_1"),
        read=read_order_row,
        reads=(
            "order_id",
            "order_date",
            "status",
            "customer_id",
            "order_currency",
            "shipping_items",
            "fee_items",
            "line_item_*",
        ),
        cells={
            "timestamp": "order_date",
            "customer_id": "customer_id",
            "order_id": "order_id",
            "status": "status",
            "product_id": "line_item_1",
        },
    ),
    Shape(
        vendor="woocommerce",
        title="orders of WooCommerce (CSV, a row a line)",
        kind="purchases",
        told_by=("order_number", "order_status", "order_date", "item_cost"),
        read=read_line_rows,
        reads=(
            "order_number",
            "order_status",
            "order_date",
            "customer_user_id",
            "email_(billing)",
            "currency",
            "item_#",
            "product_id",
            "variation_id",
            "sku",
            "item_name",
            "name",
            "quantity",
            "quantity_(-_refund)",
            "item_cost",
        ),
        joined_by="order_number",
        cells={
            "timestamp": "order_date",
            "order_id": "order_number",
            "status": "order_status",
            "quantity": "quantity_(-_refund)",
            "unit_price": "item_cost",
            "product_id": "sku",
        },
    ),
    Shape(
        vendor="woocommerce",
        title="a report of WooCommerce Analytics",
        kind="purchases",
        told_by=("date", "order_#", "product(s)", "items_sold"),
        read=read_line_rows,
        reads=("order_#",),
        refusal="it names products by their titles alone. Export the orders with a plugin or the "
        "REST API, as docs/formats/woocommerce.md says.",
    ),
    Shape(
        vendor="woocommerce",
        title="products of WooCommerce (CSV)",
        kind="products",
        told_by=("id", "type", "name", "published", "regular_price"),
        read=read_product_row,
        reads=(
            "id",
            "type",
            "sku",
            "name",
            "published",
            "visibility_in_catalog*",
            "in_stock?",
            "sale_price",
            "regular_price",
            "categories",
            "tags",
            "images",
            "parent",
            "brands",
            "attribute_*",
        ),
        cells={
            "product_id": "id",
            "title": "name",
            "in_stock": "in_stock?",
            "price": "regular_price",
            "image_url": "images",
        },
    ),
    Shape(
        vendor="woocommerce",
        title="products of WooCommerce (JSON)",
        kind="products",
        told_by=("id", "status", "stock_status", "permalink"),
        read=read_product,
        cells={"product_id": "id", "price": "price", "in_stock": "stock_status"},
    ),
    Shape(
        vendor="woocommerce",
        title="customers of WooCommerce (JSON)",
        kind="customers",
        told_by=("id", "email", "billing", "is_paying_customer"),
        read=read_customer,
        cells={"customer_id": "id"},
    ),
)
