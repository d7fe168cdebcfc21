"""A customer's habits at one moment: how often they come, what they come back for, which aisles they know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.events import DAY, PURCHASE, Events
from models.history import NEVER, Interactions
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
NEVER_DAYS: Final = 999.0
RECENT_DAYS: Final = 28


@dataclass(frozen=True, eq=False)
class Profile:
    """A visit is a day with a purchase. p pairs of the history, c categories, b brands."""

    customer: Floats  # (CUSTOMER_FEATURES,)
    visits_since: Floats  # (p,) visits after the last purchase of each product
    visit_share: Floats  # (p,) purchases of it in a visit since the first one
    last_basket: list[int]  # what was bought on the last visit and not sent back, sorted
    category_share: Floats  # (c,) of their purchases, long memory
    category_recent: Floats  # (c,) short memory
    category_lines: Floats  # (c,) decayed purchases, long memory
    category_days: Floats  # (c,) since the last purchase
    brand_share: Floats  # (b,)
    price: float  # mean log_price of what they buy
    price_in_category: float


def profile_of(
    events: Events, pairs: Interactions, traits: Traits, brand: NDArray[np.int32], brands: int, as_of: int
) -> Profile:
    """`pairs` are those of `events` at `as_of`, the session's products among them."""
    bought = events.kind == PURCHASE
    day = events.time[bought] // DAY
    visits = np.unique(day)
    owned = np.flatnonzero(pairs.last != NEVER)
    item, long, short = pairs.item[owned], pairs.long[owned], pairs.short[owned]
    visits_since = np.full(len(pairs), NEVER_DAYS, np.float32)
    visits_since[owned] = len(visits) - np.searchsorted(visits, pairs.last[owned] // DAY, side="right")
    visit_share = np.zeros(len(pairs), np.float32)
    since_first = len(visits) - np.searchsorted(visits, pairs.first[owned] // DAY)
    visit_share[owned] = pairs.lines[owned] / np.maximum(since_first, 1)

    category = traits.category[item] + 1
    lines = np.bincount(category, long, traits.categories + 1)[1:]
    recent = np.bincount(category, short, traits.categories + 1)[1:]
    days = np.full(traits.categories + 1, NEVER_DAYS)
    np.minimum.at(days, category, (as_of - pairs.last[owned]) / DAY)
    brand_lines = np.bincount(brand[item] + 1, long, brands + 1)[1:]
    everything, lately = max(float(long.sum()), 1e-6), max(float(short.sum()), 1e-6)
    return Profile(
        customer=_habits(visits, len(day), pairs.lines[owned], as_of),
        visits_since=visits_since,
        visit_share=visit_share,
        last_basket=np.setdiff1d(events.item[bought][day == visits[-1:]], pairs.item[pairs.count <= 0]).tolist(),
        category_share=(lines / everything).astype(np.float32),
        category_recent=(recent / lately).astype(np.float32),
        category_lines=lines.astype(np.float32),
        category_days=days[1:].astype(np.float32),
        brand_share=(brand_lines / everything).astype(np.float32),
        price=_mean(traits.log_price[item], long),
        price_in_category=_mean(traits.price_in_category[item], long),
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
            np.mean(lines_of_each > 1),
        ],
        np.float32,
    )


def _mean(values: Floats, weights: Floats) -> float:
    known = np.isfinite(values) & (weights > 0)
    return float(np.average(values[known], weights=weights[known])) if known.any() else 0.0
