"""A rate of orders learned from how customers stood in earlier weeks, and what they did then.

A Poisson regression: log of the expected orders = weights · what is known of a customer + log of
how the weeks were for the shop as a whole. What it says is scaled to the total of the purchase
process, as weeks differ more from one another than customers do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from scipy.optimize import minimize

from training.insights.worth.customer_orders import CustomerOrders, CustomerStanding
from training.insights.worth.maximum_likelihood import Floats
from training.insights.worth.purchase_process import PurchaseProcess

SPAN_DAYS: Final = 28  # that are learned to be foretold, and between two moments of learning
KNOWN_DAYS: Final = 56  # of the history before the first such moment, at least
MOMENTS: Final = 13  # at most: a year of them
HALF_LIVES: Final = (14, 45, 120, 365)  # days, of rates in which later orders count more
QUARTER_DAYS: Final = 91
YEAR_DAYS: Final = 364
PENALTY: Final = 0.03  # on squared weights, so that what says little is not listened to
LEAST_RATE: Final = 0.05  # orders a quarter, below which rates are not told apart


@dataclass(frozen=True, eq=False)
class LearnedRate:
    """Hold the weights of f features, of which mean and spread are taken off first."""

    mean: Floats  # (f,)
    spread: Floats  # (f,)
    weights: Floats  # (f + 1,) the first is the level

    @classmethod
    def fit(cls, orders: CustomerOrders) -> Self | None:
        """Learn from all that is known; None where the history is too short."""
        features: list[Floats] = []
        counts: list[Floats] = []
        levels: list[Floats] = []
        day = orders.until - SPAN_DAYS
        while day >= orders.begins + KNOWN_DAYS and len(counts) < MOMENTS:
            standing = CustomerStanding.of(orders.before(day))
            process = PurchaseProcess.fit(standing.buying)
            count = orders.count_between(day, day + SPAN_DAYS)[standing.user]
            total = process.expected_orders(standing.buying, SPAN_DAYS).sum()
            if count.any() and total > 0:
                features.append(describe(standing, process))
                counts.append(count)
                levels.append(np.full(len(count), np.log(count.sum() / total)))
            day -= SPAN_DAYS
        if not counts:
            return None
        return cls._fit(np.concatenate(features), np.concatenate(counts), np.concatenate(levels))

    @classmethod
    def _fit(cls, features: Floats, counts: Floats, levels: Floats) -> Self:
        mean, spread = features.mean(axis=0), features.std(axis=0)
        spread[spread == 0] = 1.0
        rows = _with_level((features - mean) / spread)
        penalty = np.full(rows.shape[1], PENALTY)
        penalty[0] = 0.0

        def lose(weights: Floats) -> tuple[float, Floats]:
            logs = np.clip(rows @ weights + levels, -20, 20)
            expected = np.exp(logs)
            loss = (expected - counts * logs).mean() + (penalty * weights**2).sum() / 2
            return float(loss), rows.T @ (expected - counts) / len(counts) + penalty * weights

        start = np.zeros(rows.shape[1])
        start[0] = np.log(counts.mean())
        return cls(mean, spread, minimize(lose, start, jac=True, method="L-BFGS-B").x)

    def expected_orders(
        self, standing: CustomerStanding, process: PurchaseProcess, total: float
    ) -> Floats:
        """Return the orders of each, that sum up to a total: (k,)."""
        features = _with_level((describe(standing, process) - self.mean) / self.spread)
        rate = np.exp(np.clip(features @ self.weights, -20, 20))
        orders: Floats = rate * (total / rate.sum())
        return orders


def _with_level(rows: Floats) -> Floats:
    return np.column_stack([np.ones(len(rows)), rows])


def describe(standing: CustomerStanding, process: PurchaseProcess) -> Floats:
    """Return what is known of each: recency, frequency, value, season, and the process: (k, f)."""
    orders = standing.orders_before
    until = orders.until
    age = (until - standing.first).astype(np.float64)
    recency = standing.recency + 1.0
    last_quarter = orders.count_between(until - QUARTER_DAYS, until)[standing.user]
    last_year = orders.count_between(until - YEAR_DAYS, until - YEAR_DAYS + QUARTER_DAYS)
    columns = [
        np.log1p(last_quarter),
        np.log(standing.orders),
        np.log1p(age),
        np.log(recency),
        np.log1p(standing.bought / standing.orders),
        (standing.orders == 1).astype(np.float64),
        np.log1p(recency / standing.find_intervals()),
        np.log1p(last_year[standing.user]),
        np.log(process.expected_orders(standing.buying, QUARTER_DAYS) + 1e-3),
        np.log(process.alive(standing.buying) + 1e-3),
    ]
    for half_life in HALF_LIVES:
        decay = 0.5 ** ((until - orders.day) / half_life)
        seen = np.bincount(orders.user, decay, orders.users)[standing.user]
        # Orders a quarter: what a steady rate would have left of itself by now is divided by
        could_be = half_life / np.log(2) * (1 - 0.5 ** (age / half_life))
        columns.append(np.log(seen / could_be * QUARTER_DAYS + LEAST_RATE))
    return np.column_stack(columns)
