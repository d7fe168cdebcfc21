"""What sells, at every moment and in every market that is asked about: counted when it is asked for first, and kept."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, partial
from typing import Final, Self

from models.assembly.bestsellers import Bestsellers, bestsellers
from models.data.daily_sales import DailySales
from models.data.product_stats import ProductStats
from models.model import Model
from models.ranking.product_trends import ProductTrends, product_trends
from models.settings import ModelSettings
from models.sources.repurchase import Repurchases

CELLS: Final = 1_600_000  # markets times products whose demand is kept, about 80 bytes each
FEWEST: Final = 16  # markets whose demand is kept, everywhere among them
EVERYWHERE: Final = -1


class SalesTrends:
    """Safe to share between threads, and between models that differ in what is in stock, hidden or offered where."""

    def __init__(self, model: Model, settings: ModelSettings) -> None:
        self._sales, self._traits, self._repeats = model.sales, model.traits, model.repeats
        self._settings = settings
        # Of every market where products are few, of some where they are many: each takes memory by its products.
        markets = max(FEWEST, CELLS // max(len(model.catalogue), 1))
        learned = self._sales, self._traits, self._repeats, settings
        # Caches hold no method of their owner: it would be kept in memory until Python looks for circles.
        self.demand = lru_cache(maxsize=markets)(partial(_demand, *learned))
        self.bestsellers = lru_cache(maxsize=32)(partial(_bestsellers, self._sales, self.demand))

    def of(self, model: Model) -> Self:
        """What sells of another model: the same where it has the same sales and has learned the same of products."""
        same = (
            model.sales is self._sales
            and model.traits is self._traits
            and model.repeats is self._repeats
        )
        return self if same else type(self)(model, self._settings)

    def warm(self, markets: int) -> None:
        """Count what is asked for now before the first callers of the shop and of each market wait for it."""
        newest, days = int(self._sales.newest[0]), self._settings.popular.window_days
        for market in range(EVERYWHERE, min(markets, FEWEST - 1)):
            self.bestsellers(newest, days, market)
            _ = self.demand(newest, market).bestsellers


def _demand(
    sales: DailySales,
    traits: ProductStats,
    repeats: Repurchases,
    settings: ModelSettings,
    as_of: int,
    market: int,
) -> ProductTrends:
    return product_trends(sales, traits, repeats, settings, as_of, market if market >= 0 else None)


def _bestsellers(
    sales: DailySales,
    demand: Callable[[int, int], ProductTrends],
    as_of: int,
    days: int,
    market: int,
) -> Bestsellers:
    return bestsellers(sales, demand(as_of, EVERYWHERE).popularity.total, as_of, days, market)
