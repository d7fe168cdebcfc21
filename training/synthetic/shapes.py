"""Shapes of invented shops: what sets each apart from the usual one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

YEAR_DAYS: Final = 365


@dataclass(frozen=True)
class ShopShape:
    """Hold what differs from the usual shop, whose values are the defaults."""

    description: str
    days: int = YEAR_DAYS  # of data
    regular_share: float = 0.4  # of a customer's lines, at most, that are runs of regulars
    once: bool = False  # a customer buys nothing twice while there is something else
    pantry: int = 0  # different products that a customer buys, ever; 0: no limit
    dominant_share: float = 0.0  # of the orders, that hold the one best seller
    seasonal: bool = False  # every category sells for a part of the year alone
    range_days: int = 0  # after which every product is replaced by another; 0: never


USUAL: Final = ShopShape("everyday goods for one year")
SHAPES: Final[Mapping[str, ShopShape]] = {
    "no-repeats": ShopShape("no customer buys a product twice", regular_share=0.0, once=True),
    "only-repeats": ShopShape(
        "every customer buys the same ten products", regular_share=0.0, pantry=10
    ),
    "three-weeks": ShopShape("the shop opened three weeks ago", days=21),
    "one-product": ShopShape("three orders in five hold the same product", dominant_share=0.6),
    "strong-season": ShopShape(
        "every category sells in its season alone, for two years",
        days=2 * YEAR_DAYS,
        regular_share=0.0,
        seasonal=True,
    ),
    "replaced-range": ShopShape(
        "every product is replaced after half a year, for two years; last 60 days before the end",
        days=2 * YEAR_DAYS,
        range_days=182,
    ),
}
LAST_RANGE_DAYS: Final = 60  # for which the newest range has been sold at the end
