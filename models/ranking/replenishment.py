"""Products that a customer buys at intervals, and when the next purchase is due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.data.events import DAY
from models.data.history import Interactions
from models.model import Model
from models.rules.eligibility import Removed, find_allowed
from models.sources.repurchase import LAPSED_INTERVALS, RepurchaseClocks


@dataclass(frozen=True)
class DueProduct:
    """A product that is due to be bought again."""

    item: int
    lines: int  # purchases
    last: int  # seconds since 1970
    interval_days: float  # the customer's, drawn to the product's while they bought it few times
    due: int  # seconds since 1970


class PurchaseState(Protocol):
    """A customer's purchases and their clocks at one moment: a part of a RankingContext."""

    @property
    def as_of(self) -> int: ...
    @property
    def pairs(self) -> Interactions: ...
    @property
    def clocks(self) -> RepurchaseClocks: ...


def find_due(
    state: PurchaseState, removed: Removed, model: Model, n: int, ahead_days: float
) -> list[DueProduct]:
    """Find at most n products due by `ahead_days` from now, nearest day first; ties by item.

    A product counts if it was bought twice, or once and its customers buy it again more often than
    is usual in the shop. One that was left for LAPSED_INTERVALS does not.
    """
    pairs, clocks, repeats = state.pairs, state.clocks, model.repeats
    is_repeated = (pairs.lines >= 2) | (repeats.rate[pairs.item] > repeats.average[0])
    rows = np.flatnonzero(pairs.owned & is_repeated & find_allowed(removed[pairs.item]))
    day = pairs.last[rows] + clocks.interval[rows].astype(np.float64) * DAY
    is_soon = (day <= state.as_of + ahead_days * DAY) & (clocks.passed[rows] <= LAPSED_INTERVALS)
    rows, day = rows[is_soon], day[is_soon]
    order = np.argsort(np.abs(day - state.as_of), kind="stable")[:n]
    products = []
    for row, moment in zip(rows[order].tolist(), day[order].tolist(), strict=True):
        products.append(
            DueProduct(
                item=int(pairs.item[row]),
                lines=int(pairs.lines[row]),
                last=int(pairs.last[row]),
                interval_days=float(clocks.interval[row]),
                due=int(moment),
            )
        )
    return products
