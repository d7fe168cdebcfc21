"""Whether customers come back: repeat purchases, the second order, cohorts by first month."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import CensoredData, ecdf

from training.insights.worth.customer_orders import CustomerStanding

WITHIN_DAYS: Final = (30, 60, 90, 180, 365)  # of the first order
MOST_MONTHS: Final = 36  # of cohorts that are told, the latest
QUARTILES: Final = (0.25, 0.5, 0.75)


def summarize_repeats(standing: CustomerStanding) -> dict[str, Any]:
    """Return how many came back and when, and what an order is worth."""
    orders = standing.orders_before
    again = standing.orders > 1
    until_second, seen = _wait_for_second(standing)
    curve = ecdf(CensoredData.right_censored(until_second, ~seen)).cdf
    value = orders.value[orders.value > 0]
    first = np.zeros(len(orders.user), np.bool_)
    first[np.flatnonzero(np.diff(orders.user, prepend=-1))] = True
    return {
        "customers": len(standing),
        "orders": len(orders.user),
        "repeat_rate": round(float(again.mean()), 4),
        "repeat_within": [
            {"days": days, "share": round(float(curve.evaluate(days)), 4)}
            for days in WITHIN_DAYS
            if days <= until_second.max()
        ],
        "days_to_second_order": _find_median(curve),
        "order_value": _mean(value),
        "order_value_quartiles": [round(float(one), 2) for one in np.quantile(value, QUARTILES)]
        if len(value)
        else None,
        "first_order_value": _mean(orders.value[first & (orders.value > 0)]),
        "later_order_value": _mean(orders.value[~first & (orders.value > 0)]),
    }


def _wait_for_second(standing: CustomerStanding) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the days from the first order to the second, or to now, and who has made one."""
    orders = standing.orders_before
    start = np.cumsum(standing.orders) - standing.orders
    seen = standing.orders > 1
    second = np.full(len(standing), orders.until - 1)
    second[seen] = orders.day[start[seen] + 1]
    return second - standing.first, seen


def _find_median(curve: Any) -> float | None:
    """Return the days by which half have come back; None where so many never did so far.

    Who has had less time than that counts for as long as they are known (Kaplan-Meier).
    """
    reached = np.flatnonzero(curve.probabilities >= 0.5)
    return float(curve.quantiles[reached[0]]) if len(reached) else None


def _mean(values: NDArray[np.float64]) -> float | None:
    return round(float(values.mean()), 2) if len(values) else None


def summarize_cohorts(standing: CustomerStanding) -> list[dict[str, Any]]:
    """Return for each month of first orders what its customers did in each month since.

    Months of UTC. The last one is not over: `complete` is false there.
    """
    orders = standing.orders_before
    month_of = _months(orders.day)
    born = np.zeros(orders.users, np.int64)
    born[standing.user] = _months(standing.first)
    now = int(_months(np.array([orders.until - 1]))[0])
    oldest = max(int(_months(np.array([orders.begins]))[0]), now - MOST_MONTHS + 1)
    sizes = np.bincount(born[standing.user] - born[standing.user].min())
    begins = int(born[standing.user].min())
    rows: list[dict[str, Any]] = []
    for cohort in range(oldest, now + 1):
        size = int(sizes[cohort - begins]) if cohort - begins < len(sizes) else 0
        if size:
            mine = born[orders.user] == cohort
            since = month_of[mine] - cohort
            rows += _list_months(cohort, now, size, orders.user[mine], since, orders.value[mine])
    return rows


def _list_months(
    cohort: int,
    now: int,
    size: int,
    user: NDArray[np.int64],
    since: NDArray[np.int64],
    value: NDArray[np.float64],
) -> list[dict[str, Any]]:
    """Return the months of one cohort. `user`, `since`, `value`: of its orders."""
    months = now - cohort + 1
    count = np.bincount(since, minlength=months).tolist()
    revenue = np.bincount(since, value, months).tolist()
    pairs = np.unique(np.stack([user, since]), axis=1)
    active = np.bincount(pairs[1], minlength=months).tolist()
    return [
        {
            "cohort": _name(cohort),
            "months_since": month,
            "customers": size,
            "active": active[month],
            "retention": round(active[month] / size, 4),
            "orders": count[month],
            "revenue": round(revenue[month], 2),
            "complete": cohort + month < now,
        }
        for month in range(months)
    ]


def _months(day: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return months since 1970 of days since 1970."""
    return day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def _name(month: int) -> str:
    return str(np.datetime64(month, "M"))
