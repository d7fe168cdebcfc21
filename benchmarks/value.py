"""What customers are worth: who orders how often in the next quarter, told beforehand.

python -m benchmarks.value orders --purchases data/complete_journey/purchases.parquet
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any, Final

import numpy as np

from training.insights.customers import SoldLines
from training.insights.worth.customer_orders import CustomerOrders, CustomerStanding
from training.insights.worth.forecast import (
    LEARNED,
    PROCESS,
    TENTHS,
    Forecaster,
    HeldOut,
    compare,
    hold_out,
)
from training.insights.worth.learned_rate import YEAR_DAYS
from training.insights.worth.purchase_process import Buying, PurchaseProcess
from training.insights.worth.spending import Spending
from training.reading.purchases import read_purchases

CUSTOMERS: Final = 1_000_000


def read_orders(purchases: Path) -> CustomerOrders:
    """Return the orders of all customers of a file."""
    history = read_purchases([purchases], now=int(time.time()))
    lines = SoldLines.of(history)
    everyone = np.ones(len(history.customer_ids), np.bool_)
    return CustomerOrders.of(lines, everyone, int(lines.time.max()))


def measure_year(orders: CustomerOrders) -> dict[str, Any]:
    """Return what the purchase process said of the last year, and what came."""
    day = orders.until - YEAR_DAYS
    past = orders.before(day)
    standing, forecaster = CustomerStanding.of(past), Forecaster.fit(past)
    process, year = forecaster.process, forecaster.year
    made = orders.count_between(day, orders.until)[standing.user]
    foretold = process.expected_orders(standing.buying, YEAR_DAYS) * year
    returns = process.returns_within(standing.buying, YEAR_DAYS * year)
    return {
        "orders": {"foretold": float(foretold.sum()), "made": float(made.sum())},
        "returned": {"foretold": float(returns.mean()), "made": float((made > 0).mean())},
    }


def measure_orders(orders: CustomerOrders) -> dict[str, Any]:
    """Return how wrong each method was on the last two quarters of a shop's purchases."""
    quarters = list(hold_out(orders))
    return {
        "methods": compare(quarters),
        "tenths": [
            {method: _tenths(one, method) for method in (PROCESS, LEARNED)} for one in quarters
        ],
        "returned": [
            {"foretold": float(one.returns.mean()), "made": float((one.made > 0).mean())}
            for one in quarters
        ],
    }


def _tenths(one: HeldOut, method: str) -> list[float]:
    """Return what was foretold for one order that was made, from the best tenth to the last."""
    foretold = one.forecasts[method]
    parts = np.array_split(np.argsort(-foretold, kind="stable"), TENTHS)
    return [round(float(foretold[part].sum() / max(one.made[part].sum(), 1)), 3) for part in parts]


def measure_speed(customers: int = CUSTOMERS, seed: int = 0) -> dict[str, float]:
    """Return the seconds that fits and forecasts of simulated customers take."""
    random = np.random.default_rng(seed)
    age = random.integers(1, 730, customers)
    repeats = random.poisson(random.gamma(0.6, 1 / 30, customers) * age)
    last = np.where(repeats > 0, np.rint(age * random.beta(repeats + 1.0, 1.0)), 0).astype(np.int64)
    buying, mean = Buying(repeats, last, age), random.gamma(2.0, 20.0, customers)
    started = time.perf_counter()
    process = PurchaseProcess.fit(buying)
    fitted = time.perf_counter()
    spending = Spending.fit(repeats + 1, mean)
    spent = time.perf_counter()
    process.expected_orders(buying, 365)
    process.returns_within(buying, 365)
    spending.expected(repeats + 1, mean)
    ended = time.perf_counter()
    return {
        "purchase process, both kinds": fitted - started,
        "spending": spent - fitted,
        "forecasts": ended - spent,
    }


def main() -> None:
    """Measure what the command line names."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    orders = commands.add_parser("orders", help="errors on held-out quarters")
    year = commands.add_parser("year", help="a year that was not seen")
    for command in (orders, year):
        command.add_argument("--purchases", type=Path, required=True)
    speed = commands.add_parser("speed", help="seconds for many customers")
    speed.add_argument("--customers", type=int, default=CUSTOMERS)
    options = parser.parse_args()
    if options.command == "orders":
        found: Any = measure_orders(read_orders(options.purchases))
    elif options.command == "year":
        found = measure_year(read_orders(options.purchases))
    else:
        found = measure_speed(options.customers)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
