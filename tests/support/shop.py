"""Shops made by hand for tests: lines that a reader can count, and the lines of one small shop."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import orjson

from models.artifact.registry import Registry
from models.data.catalogue import ALWAYS_FROM, ALWAYS_UNTIL, Catalogue
from models.data.customers import NEVER_ASKED, NO, PURPOSES, Customers
from models.data.events import DAY, KINDS, order_code
from models.data.ids import Ids, Strings
from models.recommender import Recommender
from models.settings import FactorSettings, ModelSettings
from models.slate import Slate

OPENING: Final = 1_735_689_600  # midnight of 1 January 2025, UTC: day 0 of every shop here
SMALL: Final = ModelSettings(factors=FactorSettings(factors=8, regularization=1.0, iterations=5))


def moment(day: float) -> int:
    """Day 1.5 is noon of the second day: seconds since 1970."""
    return OPENING + round(day * DAY)


@dataclass(frozen=True)
class Line:
    customer: str  # empty for a guest
    product: str
    day: float
    order: str = ""  # without one, a customer's day is an order
    kind: str = "purchase"
    quantity: float = 1.0
    market: str = ""
    price: float = float("nan")
    stars: float = 3.0  # of a rating


@dataclass(frozen=True)
class Product:
    id: str
    title: str = ""
    category: str = ""
    brand: str = ""
    price: float = float("nan")
    currency: str = ""
    url: str = ""
    in_stock: bool = True
    markets: tuple[str, ...] = ()  # everywhere, where there is none
    from_day: float | None = None
    until_day: float | None = None
    attributes: str = ""
    cost: float = float("nan")


@dataclass(frozen=True)
class Customer:
    id: str
    market: str = ""
    consent: tuple[int, ...] = ()  # for each purpose; those left out were never asked


def ids_of(names: Iterable[str]) -> Ids:
    return Ids.of(sorted(set(names) - {""}, key=str.encode))


def catalogue_of(products: Sequence[Product]) -> Catalogue:
    """The rows in the order of the ids."""
    rows = sorted(products, key=lambda product: product.id.encode())
    categories, brands = (
        ids_of(getattr(row, name) for row in rows) for name in ("category", "brand")
    )
    markets = ids_of(market for row in rows for market in row.markets)
    sold_in = np.zeros((len(rows), len(markets)), np.bool_)
    for index, row in enumerate(rows):
        sold_in[index, markets.find_all(row.markets)] = True
    return Catalogue(
        ids=Ids.of([row.id for row in rows]),
        title=Strings.of(row.title for row in rows),
        category=categories.find_all([row.category for row in rows]),
        category_names=categories,
        brand=brands.find_all([row.brand for row in rows]),
        brand_names=brands,
        price=np.array([row.price for row in rows], np.float64),
        currency=Strings.of(row.currency for row in rows),
        url=Strings.of(row.url for row in rows),
        image_url=Strings.of(row.url and f"{row.url}.jpg" for row in rows),
        in_stock=np.array([row.in_stock for row in rows], np.bool_),
        market_names=markets,
        limited=np.array([bool(row.markets) for row in rows], np.bool_),
        sold_in=sold_in,
        available_from=np.array(
            [ALWAYS_FROM if row.from_day is None else moment(row.from_day) for row in rows],
            np.int64,
        ),
        available_until=np.array(
            [ALWAYS_UNTIL if row.until_day is None else moment(row.until_day) for row in rows],
            np.int64,
        ),
        attributes=Strings.of(row.attributes for row in rows),
        cost=np.array([row.cost for row in rows], np.float64),
    )


@dataclass(frozen=True)
class CodedLine:
    """A line with its products, customers and markets as indices: a row of training's Purchases."""

    user: int  # -1 is a guest
    item: int
    time: int  # seconds since 1970
    order: int  # by the time of its first line; -1 of what is no purchase
    kind: int  # code in KINDS
    weight: float
    order_code: int
    quantity: float
    price: float
    market: int  # -1 unknown
    claim: bool = False  # of the customer, which the shop has not confirmed


@dataclass(frozen=True)
class ShopRecords:
    """What a shop's files say. Products and customers of the lines need not be listed."""

    lines: Sequence[Line]
    products: Sequence[Product] = ()
    customers: Sequence[Customer] = ()

    @cached_property
    def all_products(self) -> list[Product]:
        listed = {product.id for product in self.products}
        return [*self.products, *(Product(name) for name in self._sold - listed)]

    @cached_property
    def all_customers(self) -> dict[str, Customer]:
        buyers = {line.customer: Customer(line.customer) for line in self.lines if line.customer}
        return buyers | {customer.id: customer for customer in self.customers}

    @cached_property
    def product_ids(self) -> Ids:
        return ids_of(product.id for product in self.all_products)

    @cached_property
    def customer_ids(self) -> Ids:
        return ids_of(self.all_customers)

    @cached_property
    def market_names(self) -> Ids:
        names = {market for product in self.products for market in product.markets}
        names |= {line.market for line in self.lines}
        return ids_of(names | {customer.market for customer in self.customers})

    @cached_property
    def catalogue(self) -> Catalogue:
        return catalogue_of(self.all_products)

    def build_customers(self) -> Customers:
        records = [self.all_customers[name] for name in self.customer_ids]
        consent = np.array([_answers(record) for record in records], np.uint8)
        return Customers(
            ids=self.customer_ids,
            consent=consent.reshape(-1, len(PURPOSES)),
            consent_time=np.zeros((len(records), len(PURPOSES)), np.int64),
            market=self.market_names.find_all([record.market for record in records]),
            market_names=self.market_names,
        )

    @cached_property
    def coded_lines(self) -> list[CodedLine]:
        """Sorted by customer, product, time, order and kind."""
        orders = _order_numbers(self.lines)
        coded = [self._code(line, orders) for line in self.lines]
        return sorted(coded, key=lambda row: (row.user, row.item, row.time, row.order, row.kind))

    @cached_property
    def _sold(self) -> set[str]:
        return {line.product for line in self.lines}

    def _code(self, line: Line, orders: dict[tuple[str, str], int]) -> CodedLine:
        return CodedLine(
            user=self.customer_ids.find(line.customer),
            item=self.product_ids.find(line.product),
            time=moment(line.day),
            order=orders[_order(line)] if line.kind == "purchase" else -1,
            kind=KINDS.index(line.kind),
            weight=_weight(line, self.lines),
            order_code=order_code(line.order) if line.order else 0,
            quantity=line.quantity,
            price=line.price,
            market=self.market_names.find(line.market),
        )


def _order(line: Line) -> tuple[str, str]:
    return line.customer, line.order or f"day {int(line.day)}"


def _order_numbers(lines: Sequence[Line]) -> dict[tuple[str, str], int]:
    first: dict[tuple[str, str], float] = {}
    for line in lines:
        if line.kind == "purchase":
            first[_order(line)] = min(line.day, first.get(_order(line), line.day))
    return {
        order: number
        for number, order in enumerate(sorted(first, key=lambda order: (first[order], order)))
    }


def _weight(line: Line, lines: Sequence[Line]) -> float:
    """1; of a return minus the quantity, in mean lines of what this customer bought of the product
    until then.
    """
    if line.kind in ("remove_from_cart", "rating"):
        return -1.0 if line.kind == "remove_from_cart" else (line.stars - 3) / 2
    if line.kind != "return":
        return 1.0
    pair = (line.customer, line.product, "purchase")
    bought = [
        other.quantity
        for other in lines
        if (other.customer, other.product, other.kind) == pair and other.day <= line.day
    ]
    return -line.quantity * len(bought) / sum(bought)


def open_shop(registry: Registry) -> Recommender:
    """The active version of a registry, mapped."""
    version = registry.active()
    assert version is not None
    return Recommender.load(registry.path(version))


def names(recommender: Recommender, slate: Slate) -> list[str]:
    """The product ids of a slate, in its order."""
    return [recommender.catalogue.ids[slot.item] for slot in slate.slots]


# The small shop: half a year of 58 customers who each love one aisle and look into the next one.
AISLES: Final = {
    "bakery": "bagel baguette bread croissant flatbread pretzel rolls toast",
    "dairy": "butter cheddar cream feta kefir milk quark yoghurt",
    "coffee": "beans capsules decaf espresso filter grinder kettle mug",
    "garden": "bulbs compost gloves hose rake seeds spade twine",
    "toys": "ball blocks cards crayons doll kite puzzle train",
}
DAYS: Final = 180
SOLD_OUT: Final = "croissant"  # its bakers' customers love it, and there is none left
NEVER_SOLD: Final = "kettle"
RARE: Final = "grinder"  # bought once: nothing was learned about it
SOUTHERN: Final = "feta"  # sold in the south alone
MONTHLY: Final = "decaf"  # what the customer "monthly" buys every 30 days, and nothing else
NO_WEB: Final = "no-web"
NO_EMAIL: Final = "no-email"
NEVER_BOUGHT: Final = "never-bought"  # is in the customers' file alone
ONLY_RETURNED: Final = "only-returned"  # sent back all they ever bought
ONLY_RARE: Final = "only-rare"
REGULAR: Final = "monthly"
# Whose promises are looked at one by one: those above, a few like the others, and a stranger
SPECIAL: Final = (
    NEVER_BOUGHT,
    NO_EMAIL,
    NO_WEB,
    ONLY_RARE,
    ONLY_RETURNED,
    REGULAR,
    "c00",
    "c01",
    "c02",
    "unknown",
)


def small_shop_records(*more: Line) -> ShopRecords:
    """60 customers with orders, 40 products, two markets, guests."""
    return ShopRecords([*_regular_lines(), *_special_lines(), *more], _products(), _customers())


def _products() -> list[Product]:
    shelf = [(aisle, thing) for aisle, things in AISLES.items() for thing in things.split()]
    return [
        Product(
            id=thing,
            title=thing.capitalize(),
            category=aisle,
            brand=("Ashby", "Corner & Co", "Hartley")[number % 3],
            price=1.29 + number,
            currency="EUR",
            url=f"https://shop.example/products/{thing}",
            in_stock=thing != SOLD_OUT,
            markets=("south",) if thing == SOUTHERN else (),
            attributes=orjson.dumps({"shelf": str(number)}).decode(),
        )
        for number, (aisle, thing) in enumerate(shelf)
    ]


def _customers() -> list[Customer]:
    people = [Customer(f"c{number:02}", _market(number)) for number in range(54)]
    return [
        *people,
        Customer(NO_WEB, "north", (NEVER_ASKED, NO, NEVER_ASKED)),
        Customer(NO_EMAIL, "south", (NEVER_ASKED, NEVER_ASKED, NO)),
        Customer(NEVER_BOUGHT, "south"),
    ]


def _market(number: int) -> str:
    return "south" if number % 3 == 0 else "north"


def _regular_lines() -> Iterator[Line]:
    """An order every one to two weeks: mostly from the favourite aisle, and butter whenever there
    is bread.
    """
    chance = random.Random(7)
    aisles = [things.split() for things in AISLES.values()]
    people = [(f"c{number:02}", number) for number in range(54)] + [(NO_WEB, 0), (NO_EMAIL, 1)]
    for customer, number in people:
        day = chance.uniform(0, 14)
        while day < DAYS - 1:
            basket = set()
            for _ in range(chance.randint(1, 4)):
                aisle = number % 5 if chance.random() < 0.8 else (number + 1) % 5
                basket.add(aisles[aisle][min(int(chance.expovariate(0.4)), 7)])
            if "bread" in basket and chance.random() < 0.9:
                basket.add("butter")
            market = _market(number)
            yield from (
                Line(customer, thing, day, market=market)
                for thing in sorted(basket - {RARE, NEVER_SOLD, SOUTHERN})
            )
            day += chance.uniform(7, 14)


def _special_lines() -> Iterator[Line]:
    yield from (Line(REGULAR, MONTHLY, 10.5 + 30 * month) for month in range(6))
    yield Line(ONLY_RARE, RARE, 100.5)
    yield Line(ONLY_RETURNED, "rake", 120.5, quantity=6)
    yield Line(ONLY_RETURNED, "rake", 125.5, kind="return", quantity=5)
    yield Line(ONLY_RETURNED, "rake", 126.5, kind="return", quantity=1)
    yield from (
        Line(f"c{number:02}", SOUTHERN, 150.5 + number / 100, market="south")
        for number in range(0, 54, 9)
    )
    for guest in range(20):
        yield from (
            Line("", thing, guest * 9.0 + 0.25, f"guest {guest}", market="north")
            for thing in ("bread", "ball")
        )


def _answers(record: Customer) -> tuple[int, ...]:
    silent = len(PURPOSES) - len(record.consent)
    return (*record.consent, *[NEVER_ASKED] * silent)
