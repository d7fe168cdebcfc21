"""What the shop's customers want at one moment, in one market: the part of every feature that is the same for all."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.catalogue import Catalogue
from models.data.daily_sales import DailySales, Popularity
from models.data.events import DAY
from models.data.history import NEVER
from models.data.product_stats import ProductStats
from models.settings import ModelSettings
from models.sources.repurchase import Repurchases

Floats = NDArray[np.float32]

# Features of a product; docs/ranking.md says what each one means.
PRODUCT_FEATURES: Final = (
    "recent_sales",
    "all_sales",
    "trend",
    "week_trend",
    "season",
    "category_season",
    "category_sales",
    "share_of_category",
    "again_rate",
    "again_days",
    "customers",
    "age_days",
    "return_rate",
    "price",
)
LONGEST_AGE_DAYS: Final = 1000.0
SMOOTHING: Final = 2.0  # lines, so that one sale is no trend


@dataclass(frozen=True, eq=False)
class ProductTrends:
    popularity: Popularity
    columns: Floats  # (PRODUCT_FEATURES, items), a product's side by side
    sellers: NDArray[np.int32]  # items that sold lately, by category, best first
    sellers_of: NDArray[np.int64]  # (categories + 1,) where the sellers of each category begin

    @cached_property
    def bestsellers(self) -> NDArray[np.int64]:
        """Items that sold lately, best first, ties by item."""
        recent = self.popularity.recent
        return np.argsort(-recent, kind="stable")[: np.count_nonzero(recent > 0)]


def product_trends(
    sales: DailySales,
    traits: ProductStats,
    repeats: Repurchases,
    settings: ModelSettings,
    as_of: int,
    market: int | None,
) -> ProductTrends:
    """At a moment for which sales are held (seconds since 1970); `market` is a code in sales, None everywhere."""
    n_items = len(traits.category)
    popularity = sales.popularity(as_of, n_items, settings.popular, market)
    recent, category = popularity.recent, traits.category
    in_category = by_category(recent, category)
    age = np.where(traits.first_sold == NEVER, 0, (as_of - traits.first_sold) / DAY)
    columns = {
        "recent_sales": np.log1p(recent / settings.scales.recent_sales),
        "all_sales": np.log1p(popularity.total / settings.scales.all_sales),
        "trend": ratio(recent, popularity.earlier),
        "week_trend": ratio(popularity.week, recent),
        "season": ratio(popularity.season, popularity.year),
        "category_season": ratio(
            by_category(popularity.season, category), by_category(popularity.year, category)
        ),
        "category_sales": np.log1p(in_category),
        "share_of_category": np.where(category >= 0, recent / np.maximum(in_category, 1), 0),
        "again_rate": repeats.rate,
        "again_days": repeats.interval,
        "customers": np.log1p(traits.customers),
        "age_days": np.clip(age, 0, LONGEST_AGE_DAYS),
        "return_rate": traits.return_rate,
        "price": np.nan_to_num(traits.log_price),
    }
    selling = np.flatnonzero((recent > 0) & (category >= 0))
    sellers = selling[np.lexsort((-recent[selling], category[selling]))].astype(np.int32)
    return ProductTrends(
        popularity=popularity,
        columns=np.array([columns[name] for name in PRODUCT_FEATURES], np.float32, order="F"),
        sellers=sellers,
        sellers_of=np.searchsorted(category[sellers], np.arange(traits.categories + 1)).astype(
            np.int64
        ),
    )


def ratio(lines: Floats, before: Floats) -> Floats:
    """ln of how many times more: 0 where nothing is known."""
    result: Floats = np.log((lines + np.float32(SMOOTHING)) / (before + np.float32(SMOOTHING)))
    return result


def by_category(lines: Floats, category: NDArray[np.int32]) -> Floats:
    """What the whole category of each product sold: (items,), 0 where it is unknown."""
    total = np.bincount(category + 1, lines)
    total[0] = 0
    return total[category + 1].astype(np.float32)


def recent_arrivals(
    sales: DailySales, catalogue: Catalogue, settings: ModelSettings, as_of: int
) -> NDArray[np.int64]:
    """Items that have just come on sale, or will only later, and are not learned about yet."""
    new = np.flatnonzero(catalogue.available_from > as_of - settings.arrivals.days * DAY)
    return (
        new[sales.total(as_of, len(catalogue))[new] < settings.history.min_lines]
        if len(new)
        else new
    )
