"""A customer's habits at one moment: how often they come, what they come back for, which aisles they know."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.data.events import DAY, PURCHASE, Events
from models.data.history import Interactions
from models.data.product_stats import ProductStats
from models.data.ragged import SPAN, RowGroups, sort_distinct

Floats = NDArray[np.float32]

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
AISLES: Final = ("category_share", "category_recent", "category_lines", "category_days")
NEVER_DAYS: Final = 999.0
RECENT_DAYS: Final = 28


@dataclass(frozen=True, eq=False)
class CustomerProfile:
    """A visit is a day with a purchase. p pairs of the history, c categories, b brands."""

    customer: Floats  # (CUSTOMER_FEATURES,)
    visits_since: Floats  # (p,) visits after the last purchase of each product
    visit_share: Floats  # (p,) purchases of it in a visit since the first one
    last_basket: list[int]  # what was bought on the last visit and not sent back, sorted
    aisles: Floats  # (AISLES, c + 1); last what holds where the category is unknown, so that a code of -1 finds it
    brands: Floats  # (b + 1,) share of each brand, 0 last
    price: float  # mean log_price of what they buy
    price_in_category: float

    @property
    def category_share(self) -> Floats:
        """Of their purchases, long memory: (c,)."""
        return self.aisles[0, :-1]

    @property
    def category_recent(self) -> Floats:
        """Of their purchases, short memory: (c,)."""
        return self.aisles[1, :-1]

    @property
    def category_lines(self) -> Floats:
        """Decayed purchases, long memory: (c,)."""
        return self.aisles[2, :-1]

    @property
    def category_days(self) -> Floats:
        """Since the last purchase: (c,)."""
        return self.aisles[3, :-1]

    @property
    def brand_share(self) -> Floats:
        return self.brands[:-1]


def customer_profile(
    events: Events,
    pairs: Interactions,
    traits: ProductStats,
    brand: NDArray[np.int32],
    brands: int,
    as_of: int,
) -> CustomerProfile:
    """`pairs` are those of `events` at `as_of`, the session's products among them."""
    rows = RowGroups.of([len(events)]), RowGroups.of([len(pairs)])
    return customer_profiles(events, pairs, *rows, traits, brand, brands, np.array([as_of]))[0]


def customer_profiles(
    events: Events,
    pairs: Interactions,
    of_events: RowGroups,
    of_pairs: RowGroups,
    traits: ProductStats,
    brand: NDArray[np.int32],
    brands: int,
    as_of: NDArray[np.int64],
) -> list[CustomerProfile]:
    """Of m customers, each at a moment of their own (m,)."""
    bought = events.kind == PURCHASE
    of_bought = of_events.select(bought)
    visits = sort_distinct(of_bought.keys(events.time[bought] // DAY))
    customer = np.arange(len(as_of) + 1)
    starts = visits.searchsorted(customer * SPAN - SPAN // 2)

    owned, of_owned = pairs.owned.nonzero()[0], of_pairs.select(pairs.owned)
    item, last, lines = pairs.item[owned], pairs.last[owned], pairs.lines[owned]
    # How many visits there were from the first purchase of each product on, and from the last one on.
    from_first, from_last = starts[1:][of_owned.owner] - visits.searchsorted(
        of_owned.keys(np.array([pairs.first[owned], last]) // DAY)
    )
    visits_since = np.full(len(pairs), NEVER_DAYS, np.float32)
    visits_since[owned] = from_last - 1
    visit_share = np.zeros(len(pairs), np.float32)
    visit_share[owned] = lines / from_first
    in_last = (from_last == 1) & (pairs.count[owned] > 0)
    last_items = item[in_last].tolist()

    today = (as_of // DAY + customer[:-1] * SPAN).tolist()
    days_of, lines_of = visits.tolist(), lines.tolist()
    habits = [
        _habits(days_of[came], bought.stop - bought.start, lines_of[theirs], now)
        for came, bought, theirs, now in zip(
            RowGroups(starts).slices, of_bought.slices, of_owned.slices, today, strict=True
        )
    ]
    days = ((as_of[of_owned.owner] - last) / DAY).astype(np.float32)
    told = zip(
        np.array(habits, np.float32),
        of_pairs.slices,
        of_owned.select(in_last).slices,
        *_likes(of_owned, item, pairs.long[owned], pairs.short[owned], days, traits, brand, brands),
        strict=True,
    )
    return [
        CustomerProfile(theirs, visits_since[rows], visit_share[rows], last_items[newest], *rest)
        for theirs, rows, newest, *rest in told
    ]


def _likes(
    rows: RowGroups,
    item: NDArray[np.int32],
    long: Floats,
    short: Floats,
    days: Floats,
    traits: ProductStats,
    brand: NDArray[np.int32],
    brands: int,
) -> Iterator[Any]:
    """The aisles, brands, price and price in its category of what m customers own, weighed by how much they want it.

    `days`: since each was bought last.
    """
    customers = len(rows)
    prices = np.array([traits.log_price[item], traits.price_in_category[item]])
    known = np.where(np.isnan(prices), np.float32(0), long)
    sums = rows.sums(np.array([long, short, *known, *(np.where(known > 0, prices, 0) * known)]))
    everything, lately = np.maximum(sums[:2], 1e-6)[:, :, None]
    cells = _cells(rows, traits.category[item], traits.categories)
    weights = _sums(cells, long, customers, traits.categories)
    aisles = np.empty((customers, len(AISLES), traits.categories + 1), np.float32)
    aisles[:, 0] = weights / everything
    aisles[:, 1] = _sums(cells, short, customers, traits.categories) / lately
    aisles[:, 2] = weights
    aisles[:, 3] = _least(cells, days, customers, traits.categories)
    shares = _sums(_cells(rows, brand[item], brands), long, customers, brands) / everything
    yield aisles
    yield shares.astype(np.float32)
    yield from (sums[4:] / np.where(sums[2:4] > 0, sums[2:4], 1)).tolist()


def _cells(rows: RowGroups, codes: NDArray[np.int32], kinds: int) -> NDArray[np.integer[Any]]:
    """Places in a table of customers and kinds (m, kinds + 1); what has no code stands in the last column."""
    return rows.keys(codes % (kinds + 1), kinds + 1)


def _sums(
    cells: NDArray[np.integer[Any]], weights: Floats, customers: int, kinds: int
) -> NDArray[np.float64]:
    """What is in each cell of such a table, added up; of what has no code 0."""
    sums = np.bincount(cells, weights, customers * (kinds + 1)).astype(np.float64, copy=False)
    sums = sums.reshape(customers, kinds + 1)
    sums[:, -1] = 0
    return sums


def _least(cells: NDArray[np.integer[Any]], days: Floats, customers: int, kinds: int) -> Floats:
    """The least of what is in each cell; NEVER_DAYS where there is nothing or no code."""
    least = np.full((customers, kinds + 1), NEVER_DAYS, np.float32)
    np.minimum.at(least.reshape(-1), cells, days)
    least[:, -1] = NEVER_DAYS
    return least


def _habits(visits: list[int], lines: int, lines_of_each: list[float], today: int) -> list[float]:
    """Of one customer (CUSTOMER_FEATURES,), from the days on which they came, in any numbers that count days."""
    if not visits:
        return [0, 0, NEVER_DAYS, NEVER_DAYS, 0, 0, 0]
    return [
        len(visits),
        lines / len(visits),
        (visits[-1] - visits[0]) / (len(visits) - 1) if len(visits) > 1 else NEVER_DAYS,
        today - visits[-1],
        len(visits) - bisect_right(visits, today - RECENT_DAYS),
        len(lines_of_each),
        sum(count > 1 for count in lines_of_each) / len(lines_of_each),
    ]
