"""Who orders how often next: methods, held against each other on quarters that they had not seen.

What is best there serves.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from models.data.events import DAY
from models.data.timestamps import format_timestamp
from training.insights.worth.customer_orders import CustomerOrders, CustomerStanding
from training.insights.worth.learned_rate import (
    KNOWN_DAYS,
    QUARTER_DAYS,
    SPAN_DAYS,
    YEAR_DAYS,
    LearnedRate,
)
from training.insights.worth.maximum_likelihood import Floats
from training.insights.worth.purchase_process import PurchaseProcess

LAST_QUARTER: Final = "as_last_quarter"
SHRUNK: Final = "last_quarter_shrunk"
MEAN: Final = "mean"
PROCESS: Final = "purchase_process"
LEARNED: Final = "learned"
METHODS: Final = (LEARNED, PROCESS, SHRUNK, LAST_QUARTER, MEAN)  # the first of equals serves
QUARTERS: Final = 2  # that are held out
LEAST_ORDERS: Final = 0.01  # below which a forecast is not believed: 0 would be ruled out by one
TENTHS: Final = 10
SAMPLED: Final = 20_000  # customers from whom is learned, and on whom methods are compared
WEIGHTS: Final = np.linspace(0, 1, 101)  # of the last quarter against the mean


@dataclass(frozen=True, eq=False)
class Forecaster:
    """Hold what was learned from orders up to a day."""

    process: PurchaseProcess
    season: float  # orders of the next quarter, for one that the process expects
    year: float  # orders of the next year, likewise
    learned: LearnedRate | None

    @classmethod
    def fit(cls, orders: CustomerOrders) -> Self:
        sampled = orders.sample(SAMPLED)
        process = PurchaseProcess.fit(CustomerStanding.of(orders).buying)
        season, year = (find_season(sampled, days) for days in (QUARTER_DAYS, YEAR_DAYS))
        return cls(process, season, year, LearnedRate.fit(sampled))

    def forecast(self, standing: CustomerStanding) -> dict[str, Floats]:
        """Return the orders of each customer in the next quarter, by method: (k,) each."""
        orders = standing.orders_before
        span = orders.until - QUARTER_DAYS, orders.until
        last = orders.count_between(*span)[standing.user]
        process = self.process.expected_orders(standing.buying, QUARTER_DAYS) * self.season
        found = {
            LAST_QUARTER: last,
            MEAN: np.full(len(standing), last.mean()),
            PROCESS: process,
        }
        if self.learned is not None:
            total = float(process.sum())
            found[LEARNED] = self.learned.expected_orders(standing, self.process, total)
        return found

    def returns(self, standing: CustomerStanding) -> Floats:
        """Return the probability that each orders in the next quarter: (k,).

        As much happens in it as in so many days of a usual one.
        """
        return self.process.returns_within(standing.buying, QUARTER_DAYS * self.season)


def find_season(orders: CustomerOrders, days: int) -> float:
    """Return how many orders came in the next days a year ago, for one that was to be expected.

    1 where nothing is known of it, or too little before it.
    """
    day = orders.until - YEAR_DAYS
    if day - QUARTER_DAYS < orders.begins:
        return 1.0
    standing = CustomerStanding.of(orders.before(day))
    process = PurchaseProcess.fit(standing.buying)
    expected = float(process.expected_orders(standing.buying, days).sum())
    made = float(orders.count_between(day, day + days)[standing.user].sum())
    return made / expected if made > 0 and expected > 0 else 1.0


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Hold a quarter that was not seen: what was foretold, and what came."""

    day: int  # the first of the quarter
    made: Floats  # (k,) orders of who had ordered before
    forecasts: Mapping[str, Floats]  # (k,) by method
    returns: Floats  # (k,) the probability that each orders at all


def hold_out(orders: CustomerOrders, quarters: int = QUARTERS) -> Iterator[HeldOut]:
    """Yield the last quarters of a history, as far as enough is known before each."""
    for number in range(quarters, 0, -1):
        day = orders.until - number * QUARTER_DAYS
        if day < orders.begins + KNOWN_DAYS + SPAN_DAYS:
            continue
        past = orders.before(day)
        standing, forecaster = CustomerStanding.of(past), Forecaster.fit(past)
        yield HeldOut(
            day,
            orders.count_between(day, day + QUARTER_DAYS)[standing.user],
            forecaster.forecast(standing),
            forecaster.returns(standing),
        )


def shrink(last: Floats, weight: float) -> Floats:
    """Return the last quarter, drawn towards its mean."""
    shrunk: Floats = weight * last + (1 - weight) * last.mean()
    return shrunk


def find_weight(quarters: list[HeldOut]) -> float:
    """Return the weight of the last quarter that would have been best in these quarters."""
    losses = [
        sum(deviance(one.made, shrink(one.forecasts[LAST_QUARTER], weight)) for one in quarters)
        for weight in WEIGHTS
    ]
    return float(WEIGHTS[int(np.argmin(losses))])


def deviance(made: Floats, foretold: Floats) -> float:
    """Return the mean Poisson deviance: 2 (y log(y / m) - (y - m))."""
    foretold = np.maximum(foretold, LEAST_ORDERS)
    logs = np.where(made > 0, made * np.log(np.maximum(made, 1.0) / foretold), 0.0)
    return float(2 * (logs - (made - foretold)).mean())


def compare(quarters: list[HeldOut]) -> list[dict[str, Any]]:
    """Return how wrong each method was in each quarter.

    The last quarter is shrunk by the weight that is best in that very quarter, which nobody could
    have known.
    """
    rows = []
    for one in quarters:
        weight = find_weight([one])
        shrunk = shrink(one.forecasts[LAST_QUARTER], weight)
        for method, foretold in {**one.forecasts, SHRUNK: shrunk}.items():
            error = float(np.sqrt(((one.made - foretold) ** 2).mean()))
            rows.append(
                {
                    "quarter": format_timestamp(one.day * DAY),
                    "method": method,
                    "customers": len(one.made),
                    "rmse": round(error, 4),
                    "deviance": round(deviance(one.made, foretold), 4),
                    "total": _ratio(foretold.sum(), one.made.sum()),
                    "best_tenth": _ratio(*_sum_best_tenth(foretold, one.made)),
                }
            )
    return rows


def _sum_best_tenth(foretold: Floats, made: Floats) -> tuple[float, float]:
    """Return what was foretold and made by the tenth of whom the most was foretold."""
    best = np.argsort(-foretold, kind="stable")[: max(len(made) // TENTHS, 1)]
    return float(foretold[best].sum()), float(made[best].sum())


def _ratio(foretold: float, made: float) -> float | None:
    return round(float(foretold) / float(made), 4) if made else None


def choose(rows: list[dict[str, Any]]) -> str:
    """Return the method with the least deviance over the quarters; of equals METHODS' first."""
    losses = {
        method: sum(row["deviance"] for row in rows if row["method"] == method)
        for method in METHODS
        if any(row["method"] == method for row in rows)
    }
    return min(losses, key=lambda method: losses[method], default=PROCESS)
