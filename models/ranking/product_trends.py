"""Trends of products at one moment in one market: the features that are alike for all customers."""

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
MAX_AGE_DAYS: Final = 1000.0
EVERGREEN_STEP: Final = 3  # products that sold best lately, for each that sold best ever
SMOOTHING_LINES: Final = 2.0  # so that one sale is no trend


@dataclass(frozen=True, eq=False)
class ProductTrends:
    """Hold the sales of every product, as features and as lists of bestsellers."""

    popularity: Popularity
    columns: Floats  # (PRODUCT_FEATURES, items), a product's side by side
    sellers: NDArray[np.int32]  # items that sold lately, by category, best first
    sellers_of: NDArray[np.int64]  # (categories + 1,) where the sellers of each category begin

    @cached_property
    def bestsellers(self) -> NDArray[np.int64]:
        """Return items that sold lately, best first, ties by item."""
        recent = self.popularity.recent
        return np.argsort(-recent, kind="stable")[: np.count_nonzero(recent > 0)]

    @cached_property
    def sellers_lately_and_ever(self) -> NDArray[np.int64]:
        """Return items that ever sold: what sold best lately, each fourth what sold best ever.

        Where few orders come in, what sold lately is chance.
        """
        lately, ever = self.bestsellers, np.argsort(-self.popularity.total, kind="stable")
        place = np.full(len(ever), np.inf)
        place[lately] = np.arange(len(lately))
        place[ever] = np.minimum(place[ever], EVERGREEN_STEP * np.arange(len(ever)))
        return np.argsort(place, kind="stable")[: np.count_nonzero(self.popularity.total > 0)]


def build_trends(
    sales: DailySales,
    traits: ProductStats,
    repeats: Repurchases,
    settings: ModelSettings,
    as_of: int,
    market: int | None,
) -> ProductTrends:
    """Compute trends at a moment for which sales are held, in seconds since 1970.

    `market` is a code in sales; None is everywhere.
    """
    n_items = len(traits.category)
    popularity = sales.popularity(as_of, n_items, settings.popular, market)
    recent, category = popularity.recent, traits.category
    category_sales = sum_by_category(recent, category)
    category_season = sum_by_category(popularity.season, category)
    category_year = sum_by_category(popularity.year, category)
    share = np.where(category >= 0, recent / np.maximum(category_sales, 1), 0)
    age = np.where(traits.first_sold == NEVER, 0, (as_of - traits.first_sold) / DAY)
    columns = {
        "recent_sales": np.log1p(recent / settings.scales.recent_sales),
        "all_sales": np.log1p(popularity.total / settings.scales.all_sales),
        "trend": log_ratio(recent, popularity.earlier),
        "week_trend": log_ratio(popularity.week, recent),
        "season": log_ratio(popularity.season, popularity.year),
        "category_season": log_ratio(category_season, category_year),
        "category_sales": np.log1p(category_sales),
        "share_of_category": share,
        "again_rate": repeats.rate,
        "again_days": repeats.interval,
        "customers": np.log1p(traits.customers),
        "age_days": np.clip(age, 0, MAX_AGE_DAYS),
        "return_rate": traits.return_rate,
        "price": np.nan_to_num(traits.log_price),
    }
    selling = np.flatnonzero((recent > 0) & (category >= 0))
    sellers = selling[np.lexsort((-recent[selling], category[selling]))].astype(np.int32)
    sellers_of = np.searchsorted(category[sellers], np.arange(traits.categories + 1))
    rows = [columns[name] for name in PRODUCT_FEATURES]
    return ProductTrends(
        popularity=popularity,
        columns=np.array(rows, np.float32, order="F"),
        sellers=sellers,
        sellers_of=sellers_of.astype(np.int64),
    )


def log_ratio(lines: Floats, before: Floats) -> Floats:
    """Return ln of how many times more lines were sold than before: 0 where nothing is known."""
    smoothing = np.float32(SMOOTHING_LINES)
    result: Floats = np.log((lines + smoothing) / (before + smoothing))
    return result


def sum_by_category(lines: Floats, category: NDArray[np.int32]) -> Floats:
    """Return what the whole category of each product sold: (items,), 0 where it is unknown."""
    total = np.bincount(category + 1, lines)
    total[0] = 0
    return total[category + 1].astype(np.float32)


def find_recent_arrivals(
    sales: DailySales, catalogue: Catalogue, settings: ModelSettings, as_of: int
) -> NDArray[np.int64]:
    """Find items that came on sale lately or will later, and are not learned about yet."""
    new = np.flatnonzero(catalogue.available_from > as_of - settings.arrivals.days * DAY)
    if len(new) == 0:
        return new
    return new[sales.total(as_of, len(catalogue))[new] < settings.history.min_lines]
