"""Repeat purchases: how likely a product is bought again, and after how many days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.events import DAY
from models.data.history import Interactions
from models.settings import RepeatSettings

Floats = NDArray[np.float32]
Times = NDArray[np.int64]
MIN_INTERVAL_DAYS: Final = 0.5  # purchases that are closer belong together
LAPSED_INTERVALS: Final = 3.0  # without a purchase, after which a rhythm is none


@dataclass(frozen=True, eq=False)
class Repurchases:
    rate: Floats  # (items,) share of a product's customers who bought it again
    average: Floats  # (1,) that share over all products
    interval: Floats  # (items,) days between two purchases


@dataclass(frozen=True, eq=False)
class RepurchaseClocks:
    """Measure how long ago a customer bought each product, and when it is due: (p,) each, in days.

    Products that were never bought are infinitely long ago.
    """

    since: Floats  # the last purchase
    since_first: Floats  # the first purchase
    interval: Floats  # expected between two purchases
    passed: Floats  # share of the interval that has passed

    def at(self, rows: slice) -> RepurchaseClocks:
        """Return the clocks in some rows."""
        return RepurchaseClocks(
            self.since[rows], self.since_first[rows], self.interval[rows], self.passed[rows]
        )


def find_own_intervals(lines: Floats, first: Times, last: Times) -> NDArray[np.float64]:
    """Return the days between a customer's own purchases of each product, on average: (p,).

    It is NaN where it is not known: never bought, bought once, or all within a few hours. This is
    what customers are told; clocks draw it towards the product's.
    """
    days = (last - first) / DAY / np.maximum(lines - 1, 1)
    return np.where(days >= MIN_INTERVAL_DAYS, days, np.nan)


def build_repurchase_clocks(
    pairs: Interactions,
    repeats: Repurchases,
    as_of: int | NDArray[np.int64],
    settings: RepeatSettings,
) -> RepurchaseClocks:
    """Build the clocks of pairs at `as_of`, or at a moment for each pair.

    The customer's own interval is drawn towards the product's while they bought it few times. What
    was bought after shop time was bought this moment.
    """
    bought = pairs.owned
    since = np.where(bought, np.maximum(as_of - pairs.last, 0) / DAY, np.inf)
    since_first = np.where(bought, np.maximum(as_of - pairs.first, 0) / DAY, np.inf)
    span = np.where(bought, (pairs.last - pairs.first) / DAY, 0)
    gaps = np.maximum(pairs.lines - 1, 0)
    prior = settings.own_interval_prior
    # interval = (days from first to last + prior · product's interval) / (gaps + prior)
    interval = (span + prior * repeats.interval[pairs.item]) / (gaps + prior)
    since, interval = since.astype(np.float32), interval.astype(np.float32)
    passed = np.full(len(pairs), np.inf, np.float32)
    np.divide(since, np.maximum(interval, 1e-3), out=passed, where=bought)
    return RepurchaseClocks(since, since_first.astype(np.float32), interval, passed)
