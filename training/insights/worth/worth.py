"""What customers are worth: everything that is computed of them, ready for a registry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.artifact.insights import MIN_GROUP
from models.data.customer_figures import CustomerFigures
from models.data.events import DAY
from models.data.segments import SEGMENTS
from models.data.timestamps import format_timestamp
from training.insights.customers import SoldLines
from training.insights.worth.cohorts import summarize_cohorts, summarize_repeats
from training.insights.worth.customer_orders import CustomerOrders, CustomerStanding, Floats
from training.insights.worth.forecast import (
    LAST_QUARTER,
    METHODS,
    SAMPLED,
    SHRUNK,
    TENTHS,
    Forecaster,
    choose,
    compare,
    find_weight,
    hold_out,
    shrink,
)
from training.insights.worth.learned_rate import QUARTER_DAYS
from training.insights.worth.maximum_likelihood import Estimate
from training.insights.worth.segments import find_segments, summarize_segments
from training.insights.worth.spending import Spending
from training.reading.purchases import Purchases

AHEAD_DAYS: Final = 365
MIN_CUSTOMERS: Final = 100  # who ordered, for forecasts
MIN_AGAIN: Final = 30  # of them who came again
TOO_FEW: Final = (
    f"Forecasts need {MIN_CUSTOMERS} customers who ordered, and {MIN_AGAIN} who came again; here "
    "are {customers} and {again}."
)


@dataclass(frozen=True, eq=False)
class Outlook:
    """Hold what k customers are likely to do in the next 12 months, NaN where it is unknown."""

    returns: Floats  # (k,) probability of an order
    orders: Floats  # (k,)
    value: Floats  # (k,) money

    def at(self, chosen: NDArray[np.bool_]) -> Outlook:
        """Return that of some of them. `chosen`: (k,)."""
        return type(self)(self.returns[chosen], self.orders[chosen], self.value[chosen])

    @classmethod
    def unknown(cls, customers: int) -> Outlook:
        nothing = np.full(customers, np.nan)
        return cls(nothing, nothing, nothing)


def compute_worth(
    purchases: Purchases, counted: NDArray[np.bool_], now: int
) -> tuple[dict[str, Any], CustomerFigures]:
    """Return the document, and the figures of each customer.

    `counted`: who may be in it, (u,). Nobody else's orders count anywhere.
    """
    lines = SoldLines.of(purchases)
    orders = CustomerOrders.of(lines, counted, purchases.shop_time)
    standing = CustomerStanding.of(orders)
    facts: dict[str, Any] = {
        "computed": format_timestamp(now),
        "as_of": format_timestamp(purchases.shop_time),
        "from": format_timestamp(orders.begins * DAY),
        "currency": find_currency(purchases.catalogue.currency),
        "customers": len(standing),
        "shop_interval_days": round(standing.find_shop_interval(), 2),
    }
    value, outlook = foretell(orders, standing)
    segments = find_segments(standing)
    figures = {
        "returns": outlook.returns,
        "expected_orders": outlook.orders,
        "expected_value": outlook.value,
    }
    facts["segments"] = summarize_segments(standing, segments, figures)
    facts["repeats"] = summarize_repeats(standing) if len(standing) else None
    facts["cohorts"] = summarize_cohorts(standing) if len(standing) else []
    facts["value"] = value
    facts["by_segment"] = _tell_by_segment(standing, outlook, segments)
    columns: dict[str, NDArray[Any]] = {
        "segment": segments,
        "orders": standing.orders,
        "first": standing.first,
        "last": standing.last,
        "recency": standing.recency,
        "interval": standing.find_intervals(),
        "revenue": standing.revenue,
        **figures,
    }
    ids = [purchases.customer_ids[user] for user in standing.user.tolist()]
    return facts, CustomerFigures.of(ids, columns)


def _tell_by_segment(
    standing: CustomerStanding, outlook: Outlook, segments: NDArray[np.uint8]
) -> dict[str, Any]:
    """Return repeats, cohorts and value of each segment of MIN_GROUP customers or more, by name."""
    told = {}
    for code, name in enumerate(SEGMENTS):
        inside = segments == code
        if inside.sum() >= MIN_GROUP:
            part, ahead = standing.at(inside), outlook.at(inside)
            told[name.value] = {
                "customers": len(part),
                "repeats": summarize_repeats(part),
                "cohorts": summarize_cohorts(part),
                "value": {
                    "expected_orders": _total(ahead.orders, 1),
                    "expected_value": _total(ahead.value, 2),
                    "tenths": _tenths(part, ahead) if not np.isnan(ahead.orders).any() else [],
                },
            }
    return told


def find_currency(names: Iterable[str]) -> str | None:
    """Return the currency of the products' prices; None where it is unknown, or several are."""
    known = {name for name in names if name}
    return known.pop() if len(known) == 1 else None


def foretell(orders: CustomerOrders, standing: CustomerStanding) -> tuple[dict[str, Any], Outlook]:
    """Return what is known of the next 12 months: the shop's document, and each customer's."""
    again = int((standing.orders > 1).sum())
    if len(standing) < MIN_CUSTOMERS or again < MIN_AGAIN:
        problem = TOO_FEW.format(customers=len(standing), again=again)
        return {"problem": problem, "comparison": [], "tenths": []}, Outlook.unknown(len(standing))
    quarters = list(hold_out(orders.sample(SAMPLED)))
    rows = compare(quarters)
    served = choose(rows)
    forecaster = Forecaster.fit(orders)
    forecasts = forecaster.forecast(standing)
    if served == SHRUNK:
        forecasts[SHRUNK] = shrink(forecasts[LAST_QUARTER], find_weight(quarters))
    process, buying = forecaster.process, standing.buying
    # Beyond the quarter everybody slows down as the process says, and the shop is as it was
    in_quarter = process.expected_orders(buying, QUARTER_DAYS) * forecaster.season
    in_year = process.expected_orders(buying, AHEAD_DAYS) * forecaster.year
    steady = np.full(len(standing), AHEAD_DAYS / QUARTER_DAYS)
    expected = forecasts[served] * np.divide(in_year, in_quarter, out=steady, where=in_quarter > 0)
    spending, order_value = spend(standing)
    returns = process.returns_within(buying, AHEAD_DAYS * forecaster.year)
    outlook = Outlook(returns, expected, expected * order_value)
    document = {
        "served": served,
        "days": AHEAD_DAYS,
        "expected_orders": round(float(expected.sum()), 1),
        "expected_value": _money(outlook.value.sum()),
        "comparison": rows,
        "improvements": _improve(rows, served),
        "returned": [
            {
                "quarter": format_timestamp(one.day * DAY),
                "expected": round(float(one.returns.mean()), 4),
                "share": round(float((one.made > 0).mean()), 4),
            }
            for one in quarters
        ],
        "season": round(forecaster.season, 4),
        "year": round(forecaster.year, 4),
        "purchase_process": {
            "name": process.name,
            **_parameters(process.estimate, ("r", "alpha", "a", "b")),
        },
        "spending": None
        if spending is None
        else {"name": "Gamma-Gamma", **_parameters(spending.estimate, ("p", "q", "gamma"))},
        "tenths": _tenths(standing, outlook),
    }
    return document, outlook


def spend(standing: CustomerStanding) -> tuple[Spending | None, Floats]:
    """Return what customers spend on an order, as a model and each one's: (k,).

    Without a model, for want of prices, nobody spends what is known.
    """
    paying = standing.revenue > 0
    if paying.sum() < MIN_CUSTOMERS:
        return None, np.full(len(standing), np.nan)
    orders = standing.orders
    mean = standing.revenue / orders
    spending = Spending.fit(orders[paying], mean[paying])
    # Who has paid nothing that is known spends what everybody does
    return spending, spending.expected(np.where(paying, orders, 0), mean)


def _improve(rows: list[dict[str, Any]], served: str) -> list[dict[str, Any]]:
    """Return by how much the served method is better than each other one, over all quarters."""
    found = []
    for method in METHODS:
        mine, other = ([row for row in rows if row["method"] == name] for name in (served, method))
        if method != served and mine and other:
            found.append(
                {
                    "method": method,
                    "rmse": _less(mine, other, "rmse"),
                    "deviance": _less(mine, other, "deviance"),
                }
            )
    return found


def _less(mine: list[dict[str, Any]], other: list[dict[str, Any]], name: str) -> float:
    """Return the share by which a loss is smaller; below 0 where it is larger."""
    total = sum(row[name] for row in other)
    return round(1 - sum(row[name] for row in mine) / total, 4) if total else 0.0


def _parameters(estimate: Estimate, names: tuple[str, ...]) -> dict[str, Any]:
    """Return parameters, and how far off each may be as a share of it (one standard error)."""
    pairs = zip(names, estimate.values.tolist(), estimate.log_errors.tolist(), strict=True)
    return {
        "parameters": [
            {
                "name": name,
                "value": float(f"{value:.5g}"),
                "relative_error": float(f"{error:.3g}") if np.isfinite(error) else None,
            }
            for name, value, error in pairs
        ]
    }


def _tenths(standing: CustomerStanding, outlook: Outlook) -> list[dict[str, Any]]:
    """Return the customers in ten equal parts, the most valuable first."""
    worth = outlook.orders if np.isnan(outlook.value).any() else outlook.value
    parts = np.array_split(np.argsort(-worth, kind="stable"), TENTHS)
    return [
        {
            "tenth": number,
            "customers": len(part),
            "returns": round(float(outlook.returns[part].mean()), 4),
            "expected_orders": round(float(outlook.orders[part].sum()), 1),
            "expected_value": _money(outlook.value[part].sum()),
            "revenue": round(float(standing.revenue[part].sum()), 2),
        }
        for number, part in enumerate(parts, 1)
    ]


def _money(value: Any) -> float | None:
    return None if np.isnan(value) else round(float(value), 2)


def _total(values: Floats, digits: int) -> float | None:
    total = float(values.sum())
    return None if np.isnan(total) else round(total, digits)
