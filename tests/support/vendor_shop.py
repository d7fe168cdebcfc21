"""A small shop whose sales are known, for exports of vendors to be made of.

200 orders: paid, voided, cancelled, refunded and partly refunded ones, with gift cards, shipping,
guests, variants, one product twice in an order, and titles with commas, quotes and line ends.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

FIRST = datetime(2025, 3, 1, 8, 0, tzinfo=UTC)
TITLES = ("Lamp", "Bulb, clear", 'Shade "Luna"', "Rug\nof wool", "Chair", "Table & bench", "Vase")
SIZES = ("S", "M", "L")
NOT_SOLD = ("voided", "cancelled", "refunded")


@dataclass(frozen=True)
class Variant:
    product: int
    size: str
    price: str
    pieces: int

    @property
    def variant_id(self) -> str:
        return str(40_000_000_000 + 10 * self.product + SIZES.index(self.size))

    @property
    def sku(self) -> str:
        return f"SKU-{self.product:03}-{self.size}"


@dataclass(frozen=True)
class Product:
    number: int
    title: str
    status: str  # active, draft
    variants: tuple[Variant, ...]
    is_gift_card: bool = False

    @property
    def product_id(self) -> str:
        return str(7_000_000_000 + self.number)

    @property
    def handle(self) -> str:
        return f"product-{self.number}"

    @property
    def is_on_sale(self) -> bool:
        in_stock = any(variant.pieces > 0 for variant in self.variants)
        return self.status == "active" and in_stock and not self.is_gift_card


@dataclass(frozen=True)
class Customer:
    number: int
    accepts_mail: str  # yes, no

    @property
    def customer_id(self) -> str:
        return str(6_000_000_000 + self.number)

    @property
    def email(self) -> str:
        return f"customer{self.number}@example.com"


@dataclass(frozen=True)
class Line:
    line_id: int
    variant: Variant
    quantity: int
    refunded: int
    is_gift_card: bool

    @property
    def left(self) -> int:
        return self.quantity - self.refunded


@dataclass(frozen=True)
class Order:
    number: int
    customer: Customer | None
    time: datetime
    status: str  # paid, voided, cancelled, refunded, partially_refunded
    lines: tuple[Line, ...]

    @property
    def is_sale(self) -> bool:
        return self.status not in NOT_SOLD


@dataclass(frozen=True)
class VendorShop:
    products: tuple[Product, ...]
    customers: tuple[Customer, ...]
    orders: tuple[Order, ...]

    def product(self, line: Line) -> Product:
        return self.products[line.variant.product]

    def sales(
        self,
        product_id: Callable[[Variant], str],
        customer_id: Callable[[Customer], str],
        *,
        refunds_are_told: bool = True,
        guest: Callable[[Order], str] = lambda _: "guest",
    ) -> Counter[tuple[str, str, int]]:
        """Return the pieces sold, by customer, product and moment."""
        sold: Counter[tuple[str, str, int]] = Counter()
        for order in filter(lambda order: order.is_sale, self.orders):
            buyer = customer_id(order.customer) if order.customer else guest(order)
            for line in order.lines:
                pieces = line.left if refunds_are_told else line.quantity
                if pieces and not line.is_gift_card:
                    key = (buyer, product_id(line.variant), int(order.time.timestamp()))
                    sold[key] += pieces
        return sold


def make_shop(seed: int = 0) -> VendorShop:
    draw = random.Random(seed)
    products = tuple(_product(draw, number) for number in range(30))
    products += (Product(30, "Gift Card", "active", (Variant(30, "S", "50.00", 1),), True),)
    customers = tuple(Customer(n, draw.choice(("yes", "no"))) for n in range(40))
    orders = tuple(_order(draw, n, products, customers) for n in range(200))
    return VendorShop(products, customers, orders)


def _product(draw: random.Random, number: int) -> Product:
    variants = tuple(
        Variant(number, size, f"{draw.randrange(300, 9000) / 100:.2f}", draw.choice((0, 3, 12)))
        for size in SIZES
    )
    status = "draft" if number % 10 == 9 else "active"
    return Product(number, f"{TITLES[number % len(TITLES)]} {number}", status, variants)


def _order(
    draw: random.Random,
    number: int,
    products: tuple[Product, ...],
    customers: tuple[Customer, ...],
) -> Order:
    status = draw.choices(
        ("paid", "voided", "cancelled", "refunded", "partially_refunded"), (70, 8, 8, 6, 8)
    )[0]
    variants = [
        draw.choice(products[int(30 * draw.random() ** 2)].variants)
        for _ in range(draw.randint(1, 4))
    ]
    if number % 11 == 0:
        variants.append(variants[0])  # twice in one order, engraved and plain
    lines = []
    for place, variant in enumerate(variants):
        quantity = draw.randint(1, 3)
        refunded = quantity if status == "refunded" else 0
        if status == "partially_refunded" and place == 0:
            refunded = draw.randint(1, quantity)
        lines.append(Line(10 * number + place, variant, quantity, refunded, is_gift_card=False))
    if number % 9 == 0:
        card = products[30].variants[0]
        lines.append(Line(10 * number + 9, card, 1, 0, is_gift_card=True))
    customer = None if number % 7 == 0 else draw.choice(customers)
    return Order(number, customer, FIRST + timedelta(hours=5 * number), status, tuple(lines))
