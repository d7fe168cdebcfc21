"""Say what a vendor's export is, and what its records become: cells of text under our names.

A record is a row of a table, under plain names, or a JSON object, as an API answers it and a
webhook sends it. Nothing is parsed here: whoever reads the cells reads them like those of any file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Kind = Literal["purchases", "products", "customers"]
Variants = Literal["parent", "variant"]  # what is recommended: a product, or each size of it
Record = Mapping[str, Any]
# Why a line of a vendor's order is no sale of a product
LeftOut = Literal[
    "gift_card",
    "shipping_or_fee",
    "refunded",
    "test_order",
    "part_of_line",
    "other_event",
    "told_again",
]


@dataclass(frozen=True, slots=True)
class OrderLine:
    """A line of an order, or another event of a customer and a product."""

    product_id: str | None = None
    timestamp: str | None = None
    customer_id: str | None = None
    order_id: str | None = None
    line_id: str | None = None  # tells equal lines of one order apart
    quantity: str | None = None  # without what was refunded
    unit_price: str | None = None
    currency: str | None = None
    kind: str | None = None
    status: str | None = None  # of the order
    rating: str | None = None
    left_out: LeftOut | None = None
    repeats: bool = False  # counts only where no other line of its order does


@dataclass(frozen=True, slots=True)
class VendorProduct:
    """A product, or a variant of one."""

    product_id: str | None
    title: str | None = None
    category: str | None = None
    brand: str | None = None
    price: str | None = None
    currency: str | None = None
    url: str | None = None
    image_url: str | None = None
    in_stock: str | None = None
    available_until: str | None = None
    cost: str | None = None
    is_shown: bool = True  # published, and no gift card
    variant_id: str | None = None  # of the variant that these cells are of, where several are one
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProductName:
    """Another name by which orders call a product, such as a variant's SKU."""

    name: str
    product_id: str
    is_gift_card: bool = False


@dataclass(frozen=True, slots=True)
class VendorCustomer:
    """A customer, and whether mails may be personalised."""

    customer_id: str | None
    personalize_email: str | None = None
    personalize_email_time: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """What some records hold."""

    lines: Sequence[OrderLine] = ()
    products: Sequence[VendorProduct] = ()
    names: Sequence[ProductName] = ()
    customers: Sequence[VendorCustomer] = ()
    cancelled_orders: Sequence[str] = ()  # whose lines other records hold, and which are no sales


NOTHING: Final = Found()


@dataclass(frozen=True)
class Shape:
    """One kind of export of one vendor."""

    vendor: str
    title: str  # as people call it: "orders of Shopify (CSV)"
    kind: Kind
    told_by: tuple[str, ...]  # plain names that together no other export has
    read: Callable[[Sequence[Record], Variants], Found]
    # Of a table: patterns of the plain names that are read. Empty: records are JSON objects.
    reads: tuple[str, ...] = ()
    joined_by: str = ""  # rows with the same text under this name, or none, are read together
    answered_in: tuple[str, ...] = ()  # names in an answer of the API; the first has the records
    cells: Mapping[str, str] = field(default_factory=dict)  # our name -> theirs, to find a cell
    refusal: str = ""  # why it cannot be read, and which export can

    @property
    def is_table(self) -> bool:
        """Return whether its records are rows."""
        return bool(self.reads)
