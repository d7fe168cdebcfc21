"""Shop time: the newest moment that sales confirm, for which answers are made.

One order that is dated today must not age the customers of a shop whose history ends long before. A
day confirms its moments where at least three customers bought, where it sold a tenth of a usual
day's lines, or where it is in the shop's first week. A day on which few bought is confirmed with
the next such day after it. Training and service find shop time by this code alone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from models.data.daily_sales import USUAL_DAYS, DailySales
from models.data.events import DAY

MIN_CUSTOMERS: Final = 3
MIN_SHARE: Final = 0.1  # of a usual day's lines
FIRST_DAYS: Final = 7  # of a shop, in which every sale counts


class SalesDay(NamedTuple):
    """A day on which something was bought."""

    day: int  # since 1970, UTC
    lines: int
    customers: int  # different ones; each order of a guest is one
    newest: int  # the last purchase, seconds since 1970


@dataclass(frozen=True)
class ShopTime:
    """Hold the shop time, and what later days of sales are measured by."""

    moment: int  # seconds since 1970
    first_day: int  # of sales, since 1970
    # Lines of the newest days with sales up to the moment, USUAL_DAYS at most; oldest first
    recent_lines: tuple[float, ...]

    @classmethod
    def of(cls, days: Iterable[SalesDay]) -> Self:
        """Return the shop time of one or more days of sales, sorted by day."""
        first, *others = days
        return cls(first.newest, first.day, (first.lines,)).after(others)

    @classmethod
    def of_sales(cls, sales: DailySales) -> Self:
        """Return the shop time that a model has learned: its sales end there."""
        recent = sales.lines_of_newest_days(USUAL_DAYS)
        return cls(int(sales.newest[0]), int(sales.first_day[0]), tuple(recent))

    def after(self, days: Iterable[SalesDay]) -> Self:
        """Return the shop time once more was sold. `days`: the sales since, sorted by day."""
        moment = self.moment
        recent = deque(self.recent_lines, USUAL_DAYS)
        unconfirmed: list[float] = []
        for day in days:
            if day.day < moment // DAY:
                continue
            if day.day == moment // DAY:
                recent[-1] += day.lines
            else:
                unconfirmed.append(day.lines)
                if not self._is_confirmed(day, recent):
                    continue
                recent.extend(unconfirmed)
                unconfirmed.clear()
            moment = max(moment, day.newest)
        return replace(self, moment=moment, recent_lines=tuple(recent))

    def _is_confirmed(self, day: SalesDay, recent: deque[float]) -> bool:
        usual_lines = sum(recent) / len(recent)
        return (
            day.customers >= MIN_CUSTOMERS
            or day.lines >= MIN_SHARE * usual_lines
            or day.day < self.first_day + FIRST_DAYS
        )


def count_sales_days(time: NDArray[np.int64], buyer: NDArray[np.integer]) -> list[SalesDay]:
    """Count n purchase lines by day, sorted. `time` in seconds since 1970, `buyer` any number."""
    days, row_of, lines = np.unique(time // DAY, return_inverse=True, return_counts=True)
    newest = np.zeros(len(days), np.int64)
    np.maximum.at(newest, row_of, time)
    _, buyer_code = np.unique(buyer, return_inverse=True)
    pairs = np.unique(row_of * np.int64(len(time)) + buyer_code)
    customers = np.bincount(pairs // max(len(time), 1), minlength=len(days))
    rows = np.stack([days, lines, customers, newest], axis=1)
    return [SalesDay(*row) for row in rows.tolist()]
