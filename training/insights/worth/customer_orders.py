"""Orders of customers, and how each customer stands at a moment."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models.data.events import DAY, PURCHASE, RETURN
from training.insights.customers import SoldLines
from training.insights.worth.purchase_process import Buying

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
UNKNOWN_INTERVAL_DAYS: Final = 30.0  # in a shop where nobody has ordered on two days


@dataclass(frozen=True, eq=False)
class CustomerOrders:
    """Hold n orders of u customers, sorted by customer and time, and when the shop was read."""

    user: Numbers  # (n,) ascending
    day: Numbers  # (n,) in UTC, days since 1970
    value: Floats  # (n,) money; 0 where no price is known
    returned: Floats  # (u,) money that went back
    until: int  # the first day that nothing is known of

    @property
    def users(self) -> int:
        return len(self.returned)

    @property
    def begins(self) -> int:
        """Return the first day with an order."""
        return int(self.day.min(initial=self.until))

    @classmethod
    def of(cls, lines: SoldLines, counted: NDArray[np.bool_], until: int) -> Self:
        """Return the orders of some customers, (u,), up to a moment in seconds since 1970."""
        known = counted[lines.user] & (lines.time <= until)
        bought, back = known & (lines.kind == PURCHASE), known & (lines.kind == RETURN)
        money = np.nan_to_num(lines.revenue)
        returned = _sum_by(lines.user[back], money[back], len(counted))
        _, first, which = np.unique(lines.order[bought], return_index=True, return_inverse=True)
        user, time = lines.user[bought][first].astype(np.int64), lines.time[bought][first].copy()
        np.minimum.at(time, which, lines.time[bought])
        value = _sum_by(which, money[bought], len(first))
        order = np.lexsort((time, user))
        return cls(user[order], time[order] // DAY, value[order], returned, until // DAY + 1)

    def before(self, day: int) -> Self:
        """Return the orders before a day, as if the shop had been read then."""
        known = self.day < day
        return type(self)(self.user[known], self.day[known], self.value[known], self.returned, day)

    def sample(self, customers: int, seed: int = 0) -> Self:
        """Return the orders of at most so many customers, drawn from those with any."""
        buyers = np.unique(self.user)
        if len(buyers) <= customers:
            return self
        return self.of_users(np.random.default_rng(seed).choice(buyers, customers, replace=False))

    def of_users(self, users: Numbers) -> Self:
        """Return the orders of some customers alone."""
        chosen = np.zeros(self.users, np.bool_)
        chosen[users] = True
        kept = chosen[self.user]
        return type(self)(
            self.user[kept], self.day[kept], self.value[kept], self.returned, self.until
        )

    def count_between(self, first: int, end: int) -> Floats:
        """Return how many orders each made on the days of a span: (u,)."""
        inside = (self.day >= first) & (self.day < end)
        return np.bincount(self.user[inside], minlength=self.users).astype(np.float64)


@dataclass(frozen=True, eq=False)
class CustomerStanding:
    """Hold how k customers stand, who had ordered before a day."""

    orders_before: CustomerOrders
    user: Numbers  # (k,) ascending
    orders: Numbers  # (k,)
    days: Numbers  # (k,) with an order
    first: Numbers  # (k,) day
    last: Numbers  # (k,) day
    bought: Floats  # (k,) money, before anything went back
    revenue: Floats  # (k,) money that was kept; never below 0

    def __len__(self) -> int:
        return len(self.user)

    @classmethod
    def of(cls, orders: CustomerOrders) -> Self:
        """Return how all customers of some orders stand at their end."""
        user, start, count = np.unique(orders.user, return_index=True, return_counts=True)
        new_day = np.ones(len(orders.user), np.int64)
        new_day[1:] = (np.diff(orders.user) != 0) | (np.diff(orders.day) != 0)
        days = np.add.reduceat(new_day, start) if len(start) else new_day
        bought = _sum_by(orders.user, orders.value, orders.users)[user]
        kept = np.maximum(bought - orders.returned[user], 0.0)
        last = orders.day[start + count - 1]
        return cls(orders, user, count, days, orders.day[start], last, bought, kept)

    def at(self, chosen: NDArray[np.bool_]) -> Self:
        """Return how some of them stand. `chosen`: (k,)."""
        columns = [column.name for column in fields(self) if column.name != "orders_before"]
        chosen_rows = {name: getattr(self, name)[chosen] for name in columns}
        orders = self.orders_before.of_users(self.user[chosen])
        return replace(self, orders_before=orders, **chosen_rows)

    @property
    def buying(self) -> Buying:
        """Return the orders as a purchase process sees them."""
        today = self.orders_before.until - 1
        return Buying(self.orders - 1, self.last - self.first, today - self.first)

    @property
    def recency(self) -> Numbers:
        """Return the days since each one's last order: (k,)."""
        days: Numbers = self.orders_before.until - 1 - self.last
        return days

    def find_shop_interval(self) -> float:
        """Return the median of the days between orders, over those who ordered on two days."""
        again = self.days > 1
        if not again.any():
            return UNKNOWN_INTERVAL_DAYS
        gaps = (self.last - self.first)[again] / (self.days[again] - 1)
        return float(np.median(gaps))

    def find_intervals(self) -> Floats:
        """Return the usual days between orders of each: (k,).

        The shop's interval counts as one of theirs, and is all there is after one day with an
        order: (last - first + shop's) / days with an order.
        """
        intervals: Floats = (self.last - self.first + self.find_shop_interval()) / self.days
        return intervals


def _sum_by(which: NDArray[np.integer], values: Floats, size: int) -> Floats:
    """Return the sum of the values of each: (size,)."""
    return np.bincount(which, values, size).astype(np.float64)
