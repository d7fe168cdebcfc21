"""Bestsellers, for popular slates and to fill others, and the sales trends of each market."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from models.data.daily_sales import DailySales, Popularity
from models.data.product_stats import ProductStats
from models.model import Model
from models.ranking import reasons
from models.ranking.product_trends import ProductTrends, build_trends, sum_by_category
from models.rules.rule_effects import RuleEffects
from models.settings import ModelSettings, PopularSettings
from models.slate import Slot, Source
from models.sources.repurchase import Repurchases

Floats = NDArray[np.float32]

FIRST_BLOCK: Final = 512  # bestsellers that are looked at before the others
MOST_TRENDS: Final = 1_600_000  # markets times products whose trends are kept, 80 bytes each
MIN_MARKETS: Final = 16  # markets whose trends are kept at least, everywhere among them
MOST_BESTSELLERS: Final = 32  # lists of bestsellers that are kept
EVERYWHERE: Final = -1
LIST: Final = 10  # products, of which a category has its share


@dataclass(frozen=True, eq=False)
class Bestsellers:
    """Products of a shop in the order of what they sold in a window."""

    order: NDArray[np.int32]  # products that were ever sold, best first
    lines: Floats  # (items,) that were sold in the window, in the market
    scores: Floats  # (items,) by which they are ordered, in lines

    def under(self, effects: RuleEffects) -> Bestsellers:
        """Return the bestsellers in the order that the shop's rules give them."""
        return replace(self, order=effects.reorder(self.order, self.scores))

    @property
    def blocks(self) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
        """Return the first products and the others, which are seldom needed."""
        return self.order[:FIRST_BLOCK], self.order[FIRST_BLOCK:]

    def slots(self, items: Sequence[int], source: Source) -> list[Slot]:
        """Return the slots of some of the products; what fills a slate has the score 0."""
        slots = []
        for item in items:
            score = 0.0 if source is Source.FILL else float(self.scores[item])
            slots.append(Slot(item, score, source, reasons.popular(self.lines[item])))
        return slots


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
        compute_shop_window = partial(
            _shop_window, self._sales, self._traits, self.product_trends, settings.popular
        )
        self.shop_window = lru_cache(maxsize=MOST_BESTSELLERS)(compute_shop_window)
        compute_ordered = partial(_under_rules, self.shop_window, self.bestsellers)
        self.ordered = lru_cache(maxsize=MOST_BESTSELLERS)(compute_ordered)

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
        newest = int(self._sales.newest[0])
        for market in range(EVERYWHERE, min(markets, MIN_MARKETS - 1)):
            self.shop_window(newest, market)
            _ = self.product_trends(newest, market).sellers_lately_and_ever


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
    return Bestsellers(order[total[order] > 0], here, here)


def _under_rules(
    shop_window: Callable[[int, int], Bestsellers],
    bestsellers: Callable[[int, int, int], Bestsellers],
    as_of: int,
    days: int | None,
    market: int,
    effects: RuleEffects,
) -> Bestsellers:
    """Order the shop window, or what sold most in so many days, as the shop's rules want it."""
    found = shop_window(as_of, market) if days is None else bestsellers(as_of, days, market)
    return found.under(effects)


def _shop_window(
    sales: DailySales,
    traits: ProductStats,
    product_trends: Callable[[int, int], ProductTrends],
    settings: PopularSettings,
    as_of: int,
    market: int,
) -> Bestsellers:
    popularity = product_trends(as_of, market).popularity
    return rank_shop_window(sales, popularity, traits.category, settings, as_of, market)


def rank_shop_window(
    sales: DailySales,
    popularity: Popularity,
    category: NDArray[np.int32],
    settings: PopularSettings,
    as_of: int,
    market: int,
) -> Bestsellers:
    """Sort products by their score for someone of whom nothing is known, then by all sales."""
    n_items, days, total = len(category), settings.window_days, popularity.total
    here = market if market >= 0 else None
    change = sales.change_a_year_ago(as_of, days, n_items, here)
    scores = score_shop_window(popularity, change, category, settings)
    lines = sales.window(as_of, days, n_items, here)
    order = np.lexsort((-total, -scores)).astype(np.int32)
    return Bestsellers(order[total[order] > 0], lines, scores)


def score_shop_window(
    popularity: Popularity,
    change: tuple[Floats, Floats] | None,
    category: NDArray[np.int32],
    settings: PopularSettings,
) -> Floats:
    """Score what to show someone of whom nothing is known: (items,), in lines of a window.

    The score is what sold in two windows, times the change of the season in its category, and less
    for those beyond the places that its category has by what it sells. `change`: the lines of the
    weeks before this day a year ago, and after it.
    """
    # expected = (recent + slow) / 2 · (after + prior) / (before + prior) of the category a year ago
    expected = (popularity.recent + popularity.slow) / np.float32(2)
    if change is not None:
        expected *= _seasonal_factor(*change, category, settings.season_prior)
    # score = expected / (1 + max(rank in its category - max(share of ten, 1), 0))^spread
    share = sum_by_category(expected, category) / max(float(expected.sum()), 1)
    over = rank_in_category(expected, category) - np.maximum(LIST * share, 1)
    scores = expected / (1 + np.maximum(over, 0)) ** settings.spread
    return np.where(category >= 0, scores, expected).astype(np.float32)


def _seasonal_factor(
    before: Floats, after: Floats, category: NDArray[np.int32], prior: float
) -> Floats:
    """Return how much more a category sold after than before, in a shop of the same size."""
    growth = max(float(after.sum()), 1) / max(float(before.sum()), 1)
    sold_before = sum_by_category(before, category) + prior
    sold_after = sum_by_category(after, category) / growth + prior
    return np.where(category >= 0, sold_after / sold_before, 1).astype(np.float32)


def rank_in_category(
    values: NDArray[np.floating[Any]], category: NDArray[np.int32]
) -> NDArray[np.int64]:
    """Rank products within their category, the highest value first, from 1: (items,)."""
    order = np.lexsort((-values, category))
    sorted_category = category[order]
    starts = np.searchsorted(sorted_category, sorted_category)
    ranks = np.empty(len(values), np.int64)
    ranks[order] = np.arange(1, len(values) + 1) - starts
    return ranks
