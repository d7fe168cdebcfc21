"""What is for sale: one row a product, in the order of the product ids."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import inf, nan

import numpy as np
import orjson
from numpy.typing import NDArray

from models.data.ids import StoredIds, StoredStrings

ALWAYS_FROM = np.iinfo(np.int64).min
ALWAYS_UNTIL = np.iinfo(np.int64).max
COST = "cost"  # the attribute that says what a product costs the shop, in the currency of its price


@dataclass(frozen=True, eq=False)
class Catalogue:
    """n products, c categories, b brands, m markets. An empty string, a code of -1 and a NaN mean: not known."""

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

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def margin(self) -> NDArray[np.float64]:
        """(price - cost) / price: (n,), NaN where price or cost is not known. Read once, as it reads all attributes."""
        price = np.where(self.price > 0, self.price, nan)
        cost = np.array(
            [_cost(self.attributes.bytes_at(item)) for item in range(len(self))], np.float64
        )
        return (price - cost) / price

    def sellable(self, as_of: int, market: str | None) -> NDArray[np.bool_]:
        """Products that may be shown at `as_of` (seconds since 1970) in a market: bool (n,)."""
        now = self.in_stock & (self.available_from <= as_of) & (as_of < self.available_until)
        if market is not None:
            column = self.market_names.find(market)
            now &= ~self.limited if column < 0 else (~self.limited | self.sold_in[:, column])
        return now


def _cost(attributes: bytes) -> float:
    """What the attributes of a product say it costs, NaN where they say nothing that is an amount."""
    if COST.encode() not in attributes:
        return nan
    try:
        cost = float(orjson.loads(attributes).get(COST))
    except (TypeError, ValueError):
        return nan
    return cost if 0 <= cost < inf else nan
