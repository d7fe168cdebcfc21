"""Read exports (CSV) and documents (REST Admin API, webhooks) of Shopify."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, Final

from models.data.numbers import read_number
from models.data.words import squeeze
from models.vendors.cells import (
    address_of_mail,
    first,
    is_gift_card,
    is_no_product,
    is_used_up,
    is_yes,
    known_texts,
    last_part,
    object_in,
    objects_in,
    quantity_left,
    text,
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

RESTOCKED: Final = "restocked"
NO_VARIANTS: Final = "Default Title"  # of the only variant of a product


def read_order_rows(rows: Sequence[Record], _: Variants) -> Found:
    """Read the rows of one order. Cells of the order stand in the first of them alone.

    The export names no product but by SKU and name, and no customer but by e-mail address.
    """
    cancelled = first(rows, "cancelled_at") or first(rows, "canceled_at")
    status = "cancelled" if cancelled else first(rows, "financial_status")
    if _is_all_refunded(rows):
        status = "refunded"
    customer_id = address_of_mail(first(rows, "email"))
    order_id, timestamp = first(rows, "name"), first(rows, "created_at")
    currency = first(rows, "currency")
    lines = [
        OrderLine(
            product_id=text(row.get("lineitem_sku")) or text(row.get("lineitem_name")),
            timestamp=timestamp,
            customer_id=customer_id,
            order_id=order_id,
            line_id=str(number),
            quantity=text(row.get("lineitem_quantity")),
            unit_price=text(row.get("lineitem_price")),
            currency=currency,
            status=status,
            left_out=_row_left_out(row),
        )
        for number, row in enumerate(rows, 1)
    ]
    return Found(lines=lines)


def _is_all_refunded(rows: Sequence[Record]) -> bool:
    refunded, total = first(rows, "refunded_amount"), first(rows, "total")
    if not refunded or not total:
        return False
    try:
        return 0 < read_number(total) <= read_number(refunded)
    except ValueError:
        return False


def _row_left_out(row: Record) -> LeftOut | None:
    name = row.get("lineitem_name")
    has_no_product = not text(name) and not text(row.get("lineitem_sku"))
    is_sent = is_yes(row.get("lineitem_requires_shipping"))
    if has_no_product or (is_no_product(name) and not is_sent):
        return "shipping_or_fee"
    if is_gift_card(name) and not is_sent:
        return "gift_card"
    return "refunded" if row.get("lineitem_fulfillment_status") == RESTOCKED else None


def read_order(documents: Sequence[Record], variants: Variants) -> Found:
    """Read one order of the API; refunded quantities are taken off."""
    order = documents[0]
    status = "cancelled" if text(order.get("cancelled_at")) else text(order.get("financial_status"))
    refunded: defaultdict[str | None, list[Any]] = defaultdict(list)
    for refund in objects_in(order, "refunds"):
        for item in objects_in(refund, "refund_line_items"):
            refunded[text(item.get("line_item_id"))].append(item.get("quantity"))
    is_test = is_yes(order.get("test"))
    lines = []
    for item in objects_in(order, "line_items"):
        quantity = _quantity(item, refunded[text(item.get("id"))])
        left_out = "test_order" if is_test else _item_left_out(item, quantity)
        variant_id = text(item.get("variant_id")) if variants == "variant" else None
        lines.append(
            OrderLine(
                product_id=variant_id or text(item.get("product_id")),
                timestamp=text(order.get("created_at")),
                customer_id=text(object_in(order, "customer").get("id")),
                order_id=text(order.get("id")),
                line_id=text(item.get("id")),
                quantity=quantity,
                unit_price=text(item.get("price")),
                currency=text(order.get("currency")),
                status=status,
                left_out=left_out,
            )
        )
    lines += [
        OrderLine(
            order_id=text(order.get("id")),
            line_id=text(charge.get("id")),
            left_out="shipping_or_fee",
        )
        for charge in objects_in(order, "shipping_lines")
    ]
    return Found(lines=lines)


def _quantity(item: Record, refunded: Sequence[Any]) -> str | None:
    """Return the pieces of a line that were not taken off it again.

    Newer documents tell them, those of edited orders too; older ones by their refunds alone.
    """
    current = text(item.get("current_quantity"))
    return current or quantity_left(item.get("quantity"), *refunded)


def _item_left_out(item: Record, quantity: str | None) -> LeftOut | None:
    title = item.get("title") or item.get("name")
    if is_yes(item.get("gift_card")) or is_gift_card(title):
        return "gift_card"
    if not text(item.get("product_id")) and is_no_product(title):
        return "shipping_or_fee"
    return "refunded" if is_used_up(quantity) else None


def read_product_rows(rows: Sequence[Record], variants: Variants) -> Found:
    """Read the rows of one product: one a variant, and one a further picture."""
    handle, title = first(rows, "handle"), first(rows, "title")
    is_card = is_yes(first(rows, "gift_card"))
    is_shown = _is_published(rows) and not is_card
    products: list[VendorProduct] = []
    names: list[ProductName] = []
    for row, option in _rows_of_variants(rows):
        name = f"{title} - {option}" if option else title
        variant_id = text(row.get("variant_sku")) or name
        product_id = handle if variants == "parent" else variant_id
        products.append(
            VendorProduct(
                product_id=product_id,
                title=title if variants == "parent" else name,
                category=first(rows, "type") or last_part(first(rows, "product_category")),
                brand=first(rows, "vendor"),
                price=text(row.get("variant_price")),
                url=f"/products/{handle}" if handle else None,
                image_url=text(row.get("variant_image")) or first(rows, "image_src"),
                in_stock=_stock_of_row(row),
                cost=text(row.get("cost_per_item")),
                is_shown=is_shown,
                variant_id=variant_id,
                attributes=known_texts(tags=first(rows, "tags")),
            )
        )
        # Lines without a SKU are known by the name alone.
        names += [
            ProductName(n, product_id, is_card) for n in (variant_id, name) if n and product_id
        ]
    return Found(products=products, names=names)


def _rows_of_variants(rows: Sequence[Record]) -> Iterator[tuple[Record, str]]:
    """Yield the rows of variants, each with the words for its options."""
    for row in rows:
        values = [text(row.get(f"option{number}_value")) for number in (1, 2, 3)]
        words = [value for value in values if value and value != NO_VARIANTS]
        if row is rows[0] or any(values) or text(row.get("variant_sku")):
            yield row, " / ".join(words)


def _is_published(rows: Sequence[Record]) -> bool:
    """Return whether a product is published and active, as far as the file has columns for it."""
    is_published = is_yes(first(rows, "published")) or "published" not in rows[0]
    status = squeeze(first(rows, "status") or "")
    return is_published and (status == "active" or "status" not in rows[0])


def _stock_of_row(row: Record) -> str | None:
    """Return the pieces in stock; yes for what is not counted, or sold beyond them."""
    tracker, policy = (
        text(row.get("variant_inventory_tracker")),
        row.get("variant_inventory_policy"),
    )
    if "variant_inventory_qty" not in row:
        return None
    if ("variant_inventory_tracker" in row and not tracker) or policy == "continue":
        return "yes"
    return text(row.get("variant_inventory_qty")) or "no"


def read_product(documents: Sequence[Record], variants: Variants) -> Found:
    """Read one product of the API."""
    product = documents[0]
    product_id, title = text(product.get("id")), text(product.get("title"))
    handle = text(product.get("handle"))
    is_card = squeeze(text(product.get("product_type")) or "") == "giftcard"
    is_published = "published_at" not in product or text(product.get("published_at")) is not None
    is_active = "status" not in product or product.get("status") == "active"
    pictures = {text(p.get("id")): text(p.get("src")) for p in objects_in(product, "images")}
    products, names = [], []
    for variant in objects_in(product, "variants") or [{}]:
        variant_id = text(variant.get("id"))
        option = text(variant.get("title"))
        has_name = variants == "variant" and option and option != NO_VARIANTS
        picture = pictures.get(text(variant.get("image_id")))
        chosen = (variant_id if variants == "variant" else None) or product_id
        products.append(
            VendorProduct(
                product_id=chosen,
                title=f"{title} - {option}" if has_name else title,
                category=text(product.get("product_type")),
                brand=text(product.get("vendor")),
                price=text(variant.get("price")),
                url=f"/products/{handle}" if handle else None,
                image_url=picture or text(object_in(product, "image").get("src")),
                in_stock=_stock_of_variant(variant),
                is_shown=is_published and is_active and not is_card,
                variant_id=variant_id,
                attributes=known_texts(tags=product.get("tags")),
            )
        )
        if chosen and variant_id:
            names.append(ProductName(variant_id, chosen, is_card))
    return Found(products=products, names=names)


def _stock_of_variant(variant: Record) -> str | None:
    if "inventory_quantity" not in variant:
        return None
    is_counted = text(variant.get("inventory_management")) is not None
    if not is_counted or variant.get("inventory_policy") == "continue":
        return "yes"
    return text(variant.get("inventory_quantity")) or "no"


def read_customer_row(rows: Sequence[Record], _: Variants) -> Found:
    """Read one customer under the e-mail address, by which the export of orders calls them."""
    row = rows[0]
    consent = text(row.get("accepts_email_marketing")) or text(row.get("accepts_marketing"))
    customer = VendorCustomer(address_of_mail(row.get("email")), personalize_email=consent)
    return Found(customers=[customer])


def read_customer(documents: Sequence[Record], _: Variants) -> Found:
    """Read one customer of the API."""
    customer = documents[0]
    consent = object_in(customer, "email_marketing_consent")
    answer = text(consent.get("state")) or text(customer.get("accepts_marketing"))
    time = consent.get("consent_updated_at") or customer.get("accepts_marketing_updated_at")
    return Found(customers=[VendorCustomer(text(customer.get("id")), answer, text(time))])


SHAPES: Final = (
    Shape(
        vendor="shopify",
        title="orders of Shopify (CSV)",
        kind="purchases",
        told_by=("name", "created_at", "lineitem_quantity", "lineitem_name"),
        read=read_order_rows,
        reads=(
            "name",
            "email",
            "financial_status",
            "created_at",
            "currency",
            "total",
            "refunded_amount",
            "cancel*ed_at",
            "lineitem_*",
        ),
        joined_by="name",
        cells={
            "product_id": "lineitem_sku",
            "timestamp": "created_at",
            "customer_id": "email",
            "order_id": "name",
            "quantity": "lineitem_quantity",
            "unit_price": "lineitem_price",
            "currency": "currency",
            "status": "financial_status",
        },
    ),
    Shape(
        vendor="shopify",
        title="orders of Shopify (JSON)",
        kind="purchases",
        told_by=("line_items", "financial_status", "created_at"),
        read=read_order,
        answered_in=("orders",),
        cells={
            "product_id": "line_items",
            "timestamp": "created_at",
            "status": "financial_status",
        },
    ),
    Shape(
        vendor="shopify",
        title="products of Shopify (CSV)",
        kind="products",
        told_by=("handle", "title", "variant_price"),
        read=read_product_rows,
        reads=(
            "handle",
            "title",
            "vendor",
            "product_category",
            "type",
            "tags",
            "published",
            "option?_value",
            "variant_sku",
            "variant_price",
            "variant_inventory_*",
            "variant_image",
            "image_src",
            "gift_card",
            "cost_per_item",
            "status",
        ),
        joined_by="handle",
        cells={
            "product_id": "handle",
            "price": "variant_price",
            "cost": "cost_per_item",
            "in_stock": "variant_inventory_qty",
            "image_url": "image_src",
        },
    ),
    Shape(
        vendor="shopify",
        title="products of Shopify (JSON)",
        kind="products",
        told_by=("variants", "product_type", "handle"),
        read=read_product,
        answered_in=("products",),
        cells={"product_id": "id", "title": "title"},
    ),
    Shape(
        vendor="shopify",
        title="customers of Shopify (CSV)",
        kind="customers",
        told_by=("first_name", "email", "accepts_email_marketing"),
        read=read_customer_row,
        reads=("email", "accepts_email_marketing", "accepts_marketing"),
        cells={"customer_id": "email", "personalize_email": "accepts_email_marketing"},
    ),
    Shape(
        vendor="shopify",
        title="customers of Shopify (CSV)",
        kind="customers",
        told_by=("first_name", "email", "accepts_marketing"),
        read=read_customer_row,
        reads=("email", "accepts_marketing"),
        cells={"customer_id": "email", "personalize_email": "accepts_marketing"},
    ),
    Shape(
        vendor="shopify",
        title="customers of Shopify (JSON)",
        kind="customers",
        told_by=("id", "email", "email_marketing_consent"),
        read=read_customer,
        answered_in=("customers",),
        cells={"customer_id": "id", "personalize_email": "email_marketing_consent"},
    ),
)
