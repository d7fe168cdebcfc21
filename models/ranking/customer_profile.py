"""A customer's habits at one moment: visits, what they buy again, categories, brands and prices."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.data.catalogue import Catalogue
from models.data.events import DAY, PURCHASE, Events
from models.data.history import Interactions
from models.data.product_stats import ProductStats
from models.data.ragged import SPAN, RowGroups, sort_distinct

Floats = NDArray[np.float32]
Items = NDArray[np.int32]

# Features of a customer; docs/ranking.md says what each one means.
CUSTOMER_FEATURES: Final = (
    "visits",
    "basket_size",
    "visit_gap",
    "since_visit",
    "recent_visits",
    "products",
    "repeat_share",
)
CATEGORY_FEATURES: Final = (
    "category_share",
    "category_recent",
    "category_lines",
    "category_days",
)
NEVER_DAYS: Final = 999.0
RECENT_DAYS: Final = 28
MIN_WEIGHT: Final = 1e-6  # so that a customer without purchases has shares of 0


@dataclass(frozen=True, eq=False)
class CustomerProfile:
    """Hold a customer's habits. p pairs of the history, c categories, b brands.

    A visit is a day with a purchase. The last column by category and by brand is what holds where
    that is unknown, so that a code of -1 finds it.
    """

    customer: Floats  # (CUSTOMER_FEATURES,)
    visits_since: Floats  # (p,) visits after the last purchase of each product
    visit_share: Floats  # (p,) purchases of it in a visit since the first one
    last_basket: list[int]  # what was bought on the last visit and not sent back, sorted
    by_category: Floats  # (CATEGORY_FEATURES, c + 1)
    brands: Floats  # (b + 1,) share of each brand
    price: float  # mean log_price of what they buy
    price_in_category: float

    @property
    def category_share(self) -> Floats:
        """Return each category's share of their purchases, long memory: (c,)."""
        return self.by_category[0, :-1]

    @property
    def category_recent(self) -> Floats:
        """Return each category's share of their purchases, short memory: (c,)."""
        return self.by_category[1, :-1]

    @property
    def category_lines(self) -> Floats:
        """Return their decayed purchases in each category, long memory: (c,)."""
        return self.by_category[2, :-1]

    @property
    def category_days(self) -> Floats:
        """Return the days since their last purchase in each category: (c,)."""
        return self.by_category[3, :-1]

    @property
    def brand_share(self) -> Floats:
        """Return each brand's share of their purchases: (b,)."""
        return self.brands[:-1]


class _OwnedRows(NamedTuple):
    """Hold what m customers own, one customer's rows after another's."""

    groups: RowGroups
    item: Items
    long: Floats
    short: Floats
    days: Floats  # since the last purchase


class _Tastes(NamedTuple):
    """Hold the categories, brands and prices of m customers."""

    by_category: Floats  # (m, CATEGORY_FEATURES, c + 1)
    brands: Floats  # (m, b + 1)
    price: list[float]
    price_in_category: list[float]


def build_profile(
    events: Events, pairs: Interactions, traits: ProductStats, catalogue: Catalogue, as_of: int
) -> CustomerProfile:
    """Build one customer's profile; `pairs` are those of `events` and of the session."""
    event_rows, pair_rows = RowGroups.of([len(events)]), RowGroups.of([len(pairs)])
    moments = np.array([as_of])
    return build_profiles(events, pairs, event_rows, pair_rows, traits, catalogue, moments)[0]


def build_profiles(
    events: Events,
    pairs: Interactions,
    event_rows: RowGroups,
    pair_rows: RowGroups,
    traits: ProductStats,
    catalogue: Catalogue,
    as_of: NDArray[np.int64],
) -> list[CustomerProfile]:
    """Build the profiles of m customers, each at a moment of their own (m,)."""
    is_purchase = events.kind == PURCHASE
    purchase_rows = event_rows.select(is_purchase)
    visits = sort_distinct(purchase_rows.keys(events.time[is_purchase] // DAY))
    customer = np.arange(len(as_of) + 1)
    visit_bounds = visits.searchsorted(customer * SPAN - SPAN // 2)

    owned, groups = pairs.owned.nonzero()[0], pair_rows.select(pairs.owned)
    item, last, lines = pairs.item[owned], pairs.last[owned], pairs.lines[owned]
    # How many visits there were from the first purchase of each product on, and from the last one
    purchase_days = groups.keys(np.array([pairs.first[owned], last]) // DAY)
    visits_before = visits.searchsorted(purchase_days)
    from_first, from_last = visit_bounds[1:][groups.owner] - visits_before
    visits_since = np.full(len(pairs), NEVER_DAYS, np.float32)
    visits_since[owned] = from_last - 1
    visit_share = np.zeros(len(pairs), np.float32)
    visit_share[owned] = lines / from_first
    in_last = (from_last == 1) & (pairs.count[owned] > 0)
    last_items, last_rows = item[in_last].tolist(), groups.select(in_last)

    habits = _habits_each(visits, visit_bounds, purchase_rows, lines, groups, as_of)
    # What was bought after shop time was bought this moment
    days = (np.maximum(as_of[groups.owner] - last, 0) / DAY).astype(np.float32)
    rows = _OwnedRows(groups, item, pairs.long[owned], pairs.short[owned], days)
    tastes = _find_tastes(rows, traits, catalogue)
    profiles = []
    for index, own_pairs in enumerate(pair_rows.slices):
        profiles.append(
            CustomerProfile(
                customer=habits[index],
                visits_since=visits_since[own_pairs],
                visit_share=visit_share[own_pairs],
                last_basket=last_items[last_rows.slices[index]],
                by_category=tastes.by_category[index],
                brands=tastes.brands[index],
                price=tastes.price[index],
                price_in_category=tastes.price_in_category[index],
            )
        )
    return profiles


def _habits_each(
    visits: NDArray[np.integer[Any]],
    visit_bounds: NDArray[np.int64],
    purchase_rows: RowGroups,
    lines: Floats,
    owned_rows: RowGroups,
    as_of: NDArray[np.int64],
) -> Floats:
    """Return the habits of m customers: (m, CUSTOMER_FEATURES)."""
    today = (as_of // DAY + np.arange(len(as_of)) * SPAN).tolist()
    days, counts = visits.tolist(), lines.tolist()
    visit_rows, owned = RowGroups(visit_bounds).slices, owned_rows.slices
    habits = []
    for index, purchase_row in enumerate(purchase_rows.slices):
        n_lines = purchase_row.stop - purchase_row.start
        own_days, own_counts = days[visit_rows[index]], counts[owned[index]]
        habits.append(_habits(own_days, n_lines, own_counts, today[index]))
    return np.array(habits, np.float32)


def _habits(visits: list[int], n_lines: int, line_counts: list[float], today: int) -> list[float]:
    """Return one customer's CUSTOMER_FEATURES, from the days of their visits."""
    if not visits:
        return [0, 0, NEVER_DAYS, NEVER_DAYS, 0, 0, 0]
    gap = (visits[-1] - visits[0]) / (len(visits) - 1) if len(visits) > 1 else NEVER_DAYS
    bought_again = sum(count > 1 for count in line_counts)
    return [
        len(visits),
        n_lines / len(visits),
        gap,
        max(today - visits[-1], 0),
        len(visits) - bisect_right(visits, today - RECENT_DAYS),
        len(line_counts),
        bought_again / len(line_counts),
    ]


def _find_tastes(rows: _OwnedRows, traits: ProductStats, catalogue: Catalogue) -> _Tastes:
    """Average categories, brands and prices over what customers own, weighted by recency."""
    groups, item, long = rows.groups, rows.item, rows.long
    m = len(groups)
    prices = np.array([traits.log_price[item], traits.price_in_category[item]])
    weights = np.where(np.isnan(prices), np.float32(0), long)
    weighted_prices = np.where(weights > 0, prices, 0) * weights
    sums = groups.sums(np.array([long, rows.short, *weights, *weighted_prices]))
    all_long, all_short = np.maximum(sums[:2], MIN_WEIGHT)[:, :, None]

    kinds = traits.categories
    cells = _cells(groups, traits.category[item], kinds)
    category_long = _sum_cells(cells, long, m, kinds)
    by_category = np.empty((m, len(CATEGORY_FEATURES), kinds + 1), np.float32)
    by_category[:, 0] = category_long / all_long
    by_category[:, 1] = _sum_cells(cells, rows.short, m, kinds) / all_short
    by_category[:, 2] = category_long
    by_category[:, 3] = _min_cells(cells, rows.days, m, kinds)

    kinds = len(catalogue.brand_names)
    cells = _cells(groups, catalogue.brand[item], kinds)
    brands = (_sum_cells(cells, long, m, kinds) / all_long).astype(np.float32)
    price, price_in_category = (sums[4:] / np.where(sums[2:4] > 0, sums[2:4], 1)).tolist()
    return _Tastes(by_category, brands, price, price_in_category)


def _cells(rows: RowGroups, codes: Items, kinds: int) -> NDArray[np.integer[Any]]:
    """Return flat indices into a table (m, kinds + 1); what has no code is in the last column."""
    return rows.keys(codes % (kinds + 1), kinds + 1)


def _sum_cells(
    cells: NDArray[np.integer[Any]], weights: Floats, customers: int, kinds: int
) -> NDArray[np.float64]:
    """Sum the weights in each cell; 0 where there is no code."""
    sums = np.bincount(cells, weights, customers * (kinds + 1)).astype(np.float64, copy=False)
    sums = sums.reshape(customers, kinds + 1)
    sums[:, -1] = 0
    return sums


def _min_cells(cells: NDArray[np.integer[Any]], days: Floats, customers: int, kinds: int) -> Floats:
    """Return the least days in each cell; NEVER_DAYS where there is nothing or no code."""
    least = np.full((customers, kinds + 1), NEVER_DAYS, np.float32)
    np.minimum.at(least.reshape(-1), cells, days)
    least[:, -1] = NEVER_DAYS
    return least
