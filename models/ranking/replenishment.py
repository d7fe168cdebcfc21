"""What a customer buys at intervals, and when the next purchase is due."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from models.data.events import DAY
from models.data.history import NEVER, Interactions
from models.model import Model
from models.rules.eligibility import ExclusionRule, Removed
from models.sources.repurchase import RepurchaseClocks

LAPSED: Final = 3.0  # intervals without a purchase after which a rhythm is none


@dataclass(frozen=True)
class DueProduct:
    item: int
    lines: int  # purchases
    last: int  # seconds since 1970
    interval_days: (
        float  # the customer's own, drawn towards the product's while they bought it few times
    )
    due: int  # seconds since 1970


class Standing(Protocol):
    """Where a customer stands with what they bought, at one moment: a part of models.ranking.ranker.context.Case."""

    @property
    def as_of(self) -> int: ...
    @property
    def pairs(self) -> Interactions: ...
    @property
    def clocks(self) -> RepurchaseClocks: ...


def due(
    case: Standing, removed: Removed, model: Model, n: int, ahead_days: float
) -> list[DueProduct]:
    """At most n products that are due, or will be in `ahead_days`: the one whose day is nearest first; ties by item.

    Bought twice at least, or bought once and bought again by more of its customers than is usual in the shop; and not
    left behind for LAPSED intervals.
    """
    pairs, clocks = case.pairs, case.clocks
    again = (pairs.lines >= 2) | (model.repeats.rate[pairs.item] > model.repeats.average[0])
    owned = (pairs.last != NEVER) & again & (removed[pairs.item] == ExclusionRule.NONE)
    day = pairs.last[owned] + clocks.interval[owned].astype(np.float64) * DAY
    known = np.flatnonzero(owned)
    soon = (day <= case.as_of + ahead_days * DAY) & (clocks.passed[known] <= LAPSED)
    order = np.argsort(np.abs(day[soon] - case.as_of), kind="stable")[:n]
    return [
        DueProduct(
            item=int(pairs.item[place]),
            lines=int(pairs.lines[place]),
            last=int(pairs.last[place]),
            interval_days=float(clocks.interval[place]),
            due=int(when),
        )
        for place, when in zip(known[soon][order].tolist(), day[soon][order].tolist(), strict=True)
    ]
