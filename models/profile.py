"""A customer's habits at one moment: how often they come, what they come back for, which aisles they know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.events import DAY, PURCHASE, Events
from models.evidence import distinct
from models.history import Interactions
from models.traits import Traits

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
class Profile:
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


def profile_of(
    events: Events, pairs: Interactions, traits: Traits, brand: NDArray[np.int32], brands: int, as_of: int
) -> Profile:
    """`pairs` are those of `events` at `as_of`, the session's products among them."""
    bought = events.kind == PURCHASE
    day = events.time[bought] // DAY
    visits = distinct(day)
    owned = np.flatnonzero(pairs.owned)
    item, long, short, lines = pairs.item[owned], pairs.long[owned], pairs.short[owned], pairs.lines[owned]
    last = pairs.last[owned]
    visits_since = np.full(len(pairs), NEVER_DAYS, np.float32)
    visits_since[owned] = len(visits) - visits.searchsorted(last // DAY, side="right")
    visit_share = np.zeros(len(pairs), np.float32)
    since_first = len(visits) - visits.searchsorted(pairs.first[owned] // DAY)
    visit_share[owned] = lines / np.maximum(since_first, 1)

    everything, lately = max(float(long.sum()), 1e-6), max(float(short.sum()), 1e-6)
    category, known = traits.category[item] + 1, slice(1, traits.categories + 1)
    weights = np.bincount(category, long, known.stop)[known]
    aisles = np.zeros((len(AISLES), known.stop), np.float32)
    aisles[0, :-1] = weights / everything
    aisles[1, :-1] = np.bincount(category, short, known.stop)[known] / lately
    aisles[2, :-1] = weights
    aisles[3] = NEVER_DAYS
    np.minimum.at(aisles[3], traits.category[item], (as_of - last) / DAY)
    aisles[3, -1] = NEVER_DAYS
    price, price_in_category = _means(np.array([traits.log_price[item], traits.price_in_category[item]]), long)
    shares = np.zeros(brands + 1, np.float32)
    shares[:-1] = np.bincount(brand[item] + 1, long, brands + 1)[1:] / everything
    return Profile(
        customer=_habits(visits, len(day), lines, as_of),
        visits_since=visits_since,
        visit_share=visit_share,
        last_basket=sorted(
            {*events.item[bought][day == visits[-1:]].tolist()} - {*pairs.item[pairs.count <= 0].tolist()}
        ),
        aisles=aisles,
        brands=shares,
        price=price,
        price_in_category=price_in_category,
    )


def _habits(visits: NDArray[np.int64], lines: int, lines_of_each: Floats, as_of: int) -> Floats:
    if len(visits) == 0:
        return np.array([0, 0, NEVER_DAYS, NEVER_DAYS, 0, 0, 0], np.float32)
    today = as_of // DAY
    gap = (visits[-1] - visits[0]) / (len(visits) - 1) if len(visits) > 1 else NEVER_DAYS
    return np.array(
        [
            len(visits),
            lines / len(visits),
            gap,
            today - visits[-1],
            np.count_nonzero(visits > today - RECENT_DAYS),
            len(lines_of_each),
            np.count_nonzero(lines_of_each > 1) / len(lines_of_each),
        ],
        np.float32,
    )


def _means(values: Floats, weights: Floats) -> list[float]:
    """Of the values in each row that are known, 0 without any."""
    known = np.where(np.isnan(values), np.float32(0), weights)
    total = known.sum(axis=1)
    means: list[float] = ((np.where(known > 0, values, 0) * known).sum(axis=1) / np.where(total > 0, total, 1)).tolist()
    return means
