"""Products that a customer buys at intervals, and when the next purchase is due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.data.events import DAY
from models.data.history import Interactions
from models.rules.eligibility import Removed, find_allowed
from models.sources.repurchase import LAPSED_INTERVALS, find_own_intervals


@dataclass(frozen=True)
class DuePurchase:
    """A product that is due to be bought again."""

    item: int
    lines: int  # purchases, two at least
    last: int  # seconds since 1970
    interval_days: float  # between the customer's own purchases, as its reason tells
    due: int  # seconds since 1970


class PurchaseState(Protocol):
    """A customer's purchases at one moment: a part of a RankingContext."""

    @property
    def as_of(self) -> int: ...
    @property
    def pairs(self) -> Interactions: ...


def find_due(
    state: PurchaseState, removed: Removed, n: int, ahead_days: float
) -> list[DuePurchase]:
    """Find at most n products due by `ahead_days` from now, nearest day first; ties by item.

    A product counts if the customer bought it at an interval that is known, so more than once, and
    did not leave it for LAPSED_INTERVALS.
    """
    pairs, as_of = state.pairs, state.as_of
    interval = find_own_intervals(pairs.lines, pairs.first, pairs.last)
    rows = np.flatnonzero(~np.isnan(interval) & find_allowed(removed[pairs.item]))
    interval = interval[rows]
    silence = (as_of - pairs.last[rows]) / DAY
    is_soon = (silence + ahead_days >= interval) & (silence <= LAPSED_INTERVALS * interval)
    rows, interval = rows[is_soon], interval[is_soon]
    day = pairs.last[rows] + interval * DAY
    order = np.argsort(np.abs(day - as_of), kind="stable")[:n]
    products = []
    for index in order.tolist():
        row = rows[index]
        products.append(
            DuePurchase(
                item=int(pairs.item[row]),
                lines=int(pairs.lines[row]),
                last=int(pairs.last[row]),
                interval_days=float(interval[index]),
                due=int(day[index]),
            )
        )
    return products
