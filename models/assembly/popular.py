"""Bestsellers, for popular slates and to fill others, and the sales trends of each market."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models.data.daily_sales import DailySales
from models.data.product_stats import ProductStats
from models.model import Model
from models.ranking import reasons
from models.ranking.product_trends import ProductTrends, build_trends
from models.rules.rule_effects import RuleEffects
from models.settings import ModelSettings
from models.slate import Slot, Source
from models.sources.repurchase import Repurchases

Floats = NDArray[np.float32]

FIRST_BLOCK: Final = 512  # bestsellers that are looked at before the others
MOST_TRENDS: Final = 1_600_000  # markets times products whose trends are kept, 80 bytes each
MIN_MARKETS: Final = 16  # markets whose trends are kept at least, everywhere among them
MOST_BESTSELLERS: Final = 32  # lists of bestsellers that are kept
EVERYWHERE: Final = -1


@dataclass(frozen=True, eq=False)
class Bestsellers:
    """Products of a shop in the order of what they sold in a window."""

    order: NDArray[np.int32]  # products that were ever sold, best first
    lines: Floats  # (items,) that were sold in the window, in the market

    def under(self, effects: RuleEffects) -> Bestsellers:
        """Return the bestsellers in the order that the shop's rules give them."""
        return replace(self, order=effects.reorder(self.order, self.lines))

    @property
    def blocks(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the first products and the others, which are seldom needed."""
        return self.order[:FIRST_BLOCK], self.order[FIRST_BLOCK:]

    def slots(self, items: Sequence[int], source: Source) -> list[Slot]:
        """Return the slots of some of the products."""
        lines = self.lines
        return [
            Slot(item, float(lines[item]), source, reasons.popular(lines[item])) for item in items
        ]


class SalesTrends:
    """Trends and bestsellers at every moment and in every market, computed when first needed.

    Safe to share between threads, and between models that differ in what is in stock, hidden or
    offered where.
    """

    def __init__(self, model: Model, settings: ModelSettings) -> None:
        self._sales, self._traits, self._repeats = model.sales, model.traits, model.repeats
        self._settings = settings
        # The trends of a market take memory by its products: fewer markets are kept of a large shop
        markets = max(MIN_MARKETS, MOST_TRENDS // max(len(model.catalogue), 1))
        # A cache of its own methods would keep it in memory until Python looks for cycles
        compute_trends = partial(
            _product_trends, self._sales, self._traits, self._repeats, settings
        )
        self.product_trends = lru_cache(maxsize=markets)(compute_trends)
        compute_bestsellers = partial(_bestsellers, self._sales, self.product_trends)
        self.bestsellers = lru_cache(maxsize=MOST_BESTSELLERS)(compute_bestsellers)

    def following(self, model: Model) -> Self:
        """Return the trends of another model: these where it has the same sales and statistics."""
        unchanged = (
            model.sales is self._sales
            and model.traits is self._traits
            and model.repeats is self._repeats
        )
        return self if unchanged else type(self)(model, self._settings)

    def warm(self, markets: int) -> None:
        """Compute what the first callers of the shop and of each market would wait for."""
        newest, days = int(self._sales.newest[0]), self._settings.popular.window_days
        for market in range(EVERYWHERE, min(markets, MIN_MARKETS - 1)):
            self.bestsellers(newest, days, market)
            _ = self.product_trends(newest, market).bestsellers


def _product_trends(
    sales: DailySales,
    traits: ProductStats,
    repeats: Repurchases,
    settings: ModelSettings,
    as_of: int,
    market: int,
) -> ProductTrends:
    return build_trends(sales, traits, repeats, settings, as_of, market if market >= 0 else None)


def _bestsellers(
    sales: DailySales,
    product_trends: Callable[[int, int], ProductTrends],
    as_of: int,
    days: int,
    market: int,
) -> Bestsellers:
    total = product_trends(as_of, EVERYWHERE).popularity.total
    return rank_bestsellers(sales, total, as_of, days, market)


def rank_bestsellers(
    sales: DailySales, total: Floats, as_of: int, days: int, market: int
) -> Bestsellers:
    """Sort products by lines in the window: in the market, then everywhere, then by `total`."""
    everywhere = sales.window(as_of, days, len(total))
    here = sales.window(as_of, days, len(total), market) if market >= 0 else everywhere
    order = np.lexsort((-total, -everywhere, -here)).astype(np.int32)
    return Bestsellers(order[total[order] > 0], here)
