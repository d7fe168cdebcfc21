"""Products for sale: one row a product, in the order of the product ids."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import inf, nan

import numpy as np
import orjson
from numpy.typing import NDArray

from models.data.ids import StoredIds, StoredStrings
from models.data.product_columns import ProductColumns, read_attributes, read_texts

ALWAYS_FROM = np.iinfo(np.int64).min
ALWAYS_UNTIL = np.iinfo(np.int64).max
COST = "cost"  # the attribute that told it once


def _not_kept() -> NDArray[np.float64]:
    return np.zeros(0)


@dataclass(frozen=True, eq=False)
class Catalogue:
    """Hold n products, c categories, b brands and m markets.

    An empty string, a code of -1 and a NaN mean: not known.
    """

    ids: StoredIds
    title: StoredStrings
    category: NDArray[np.int32]  # (n,) code in category_names, -1 where unknown
    category_names: StoredIds  # (c,)
    brand: NDArray[np.int32]  # (n,) code in brand_names, -1 where unknown
    brand_names: StoredIds  # (b,)
    price: NDArray[np.float64]  # (n,) NaN where unknown
    currency: StoredStrings  # (n,) ISO 4217 code or empty
    url: StoredStrings  # (n,)
    image_url: StoredStrings  # (n,)
    in_stock: NDArray[np.bool_]  # (n,)
    market_names: StoredIds  # (m,) markets that any product is limited to
    limited: NDArray[np.bool_]  # (n,) sold in the markets of `sold_in` alone; elsewhere everywhere
    sold_in: NDArray[np.bool_]  # (n, m)
    available_from: NDArray[np.int64]  # (n,) seconds since 1970, UTC; ALWAYS_FROM where open
    available_until: NDArray[np.int64]  # (n,) first second after the sale; ALWAYS_UNTIL where open
    attributes: StoredStrings  # (n,) a JSON object of every other column, or empty
    # (n,) what each costs the shop, in the currency of its price; NaN where unknown. Artifacts
    # without it have it among the attributes. No card shows it.
    cost: NDArray[np.float64] = field(default_factory=_not_kept)

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def known_costs(self) -> NDArray[np.float64]:
        """Return what each product costs the shop: (n,), NaN where it is not known."""
        if len(self.cost) == len(self):
            return self.cost
        costs = [read_cost(self.attributes.bytes_at(item)) for item in range(len(self))]
        return np.array(costs, np.float64)

    @cached_property
    def margin(self) -> NDArray[np.float64]:
        """Return the margin of each product: (n,), NaN where price or cost is not known."""
        # margin = (price - cost) / price
        price = np.where(self.price > 0, self.price, nan)
        return (price - self.known_costs) / price

    @cached_property
    def columns(self) -> ProductColumns:
        """Return the fields as filters read them."""
        texts = ("id", self.ids), ("title", self.title), ("currency", self.currency)
        addresses = ("url", self.url), ("image_url", self.image_url)
        strings = {name: (text, read_texts) for name, text in (*texts, *addresses)}
        coded = {
            "category": (self.category, self.category_names),
            "brand": (self.brand, self.brand_names),
        }
        return ProductColumns({**strings, "attributes": (self.attributes, read_attributes)}, coded)

    def keep_columns(self, earlier: Catalogue) -> None:
        """Begin with the columns that were read of an earlier catalogue of the same shop."""
        self.columns.begin_with(earlier.columns)

    def sellable(
        self, as_of: int, market: str | None, opened: NDArray[np.bool_] | None = None
    ) -> NDArray[np.bool_]:
        """Tell which products may be shown at `as_of` (seconds since 1970) in a market: (n,).

        `opened`: products that are shown before they are for everyone (n,).
        """
        return self.in_stock & self.offered(as_of, market, opened)

    def offered(
        self, as_of: int, market: str | None, opened: NDArray[np.bool_] | None = None
    ) -> NDArray[np.bool_]:
        """Tell which products are sold then and there, in stock or not: (n,)."""
        begun = self.available_from <= as_of
        if opened is not None:
            begun |= opened
        now = begun & (as_of < self.available_until)
        if market is not None:
            column = self.market_names.find(market)
            now &= ~self.limited if column < 0 else (~self.limited | self.sold_in[:, column])
        return now


def read_cost(attributes: bytes) -> float:
    """Return what a product costs the shop, NaN where its attributes name no amount."""
    if COST.encode() not in attributes:
        return nan
    try:
        cost = float(orjson.loads(attributes).get(COST))
    except (TypeError, ValueError):
        return nan
    return cost if 0 <= cost < inf else nan
