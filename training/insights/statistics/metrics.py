"""What experiments compare: figures of customers, and ratios of such figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import tea_tasting as tt
from tea_tasting.aggr import Aggregates, read_aggregates

VARIANT: Final = "variant"
BEFORE: Final = "_before"  # ends names of what the same customers did in as long before the start
# And in as long before that: from both it is known what can be told at the planned end
EARLIER: Final = "_earlier"
SUFFIXES: Final = ("", BEFORE, EARLIER)
LEAST_LEFT: Final = 1e-6  # of the variance, where it is reduced
MONEY: Final = ("revenue", "margin")
CAPPED_SHARE: Final = 0.01  # of the buyers before the start whose money lay above the cap
MIN_BUYERS: Final = 100  # before the start, for a cap


@dataclass(frozen=True)
class ExperimentMetric:
    """A figure of each customer, or the ratio of two over all customers."""

    name: str
    column: str
    per: str | None = None  # the column below the line
    assumed_share: float | None = None  # of customers, where nobody did it before the start

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns it is made from."""
        return (self.column,) if self.per is None else (self.column, self.per)

    def test(
        self,
        groups: Sequence[Aggregates],
        suffix: str = "",
        before: str | None = BEFORE,
        **options: Any,
    ) -> tt.RatioOfMeans:
        """Return the test of a difference; a ratio's by the delta method.

        `suffix`: of the columns. `before`: of those by which the variance is reduced (CUPED:
        A. Deng, Y. Xu, R. Kohavi, T. Walker: Improving the sensitivity of online controlled
        experiments by utilizing pre-experiment data, 2013), None for none. Where they tell all of a
        group's figures, nothing would be left to vary, and they are not used.
        """
        if before is not None and any(self._is_told(group, suffix, before) for group in groups):
            before = None
        columns: list[str | None] = []
        for ending in (suffix, before):
            for column in (self.column, self.per):
                is_there = ending is not None and column is not None
                columns.append(f"{column}{ending}" if is_there else None)
        options |= {"use_t": False, "equal_var": False}  # a hundred customers or more
        return tt.RatioOfMeans(*columns, **options)

    def _is_told(self, group: Aggregates, suffix: str, before: str) -> bool:
        """Tell whether what customers did before says all that they do."""
        for column in self.columns:
            now, then = f"{column}{suffix}", f"{column}{before}"
            product = group.var(now) * group.var(then)
            if product > 0 and group.cov(now, then) ** 2 >= (1 - LEAST_LEFT) * product:
                return True
        return False

    def varies(self, groups: Sequence[Aggregates], suffix: str = "") -> bool:
        """Tell whether each group has any of it, and not all the same; margins may be unknown."""
        columns = [f"{column}{suffix}" for column in self.columns]
        return all(self._varies(group, *columns) for group in groups)

    def _varies(self, group: Aggregates, column: str, per: str | None = None) -> bool:
        variance = group.var(column)
        if not (variance > 0 and group.mean(column) > 0):
            return False
        if per is None:
            return True
        if not group.mean(per) > 0:
            return False
        ratio = group.mean(column) / group.mean(per)
        left = variance - 2 * ratio * group.cov(column, per) + ratio**2 * group.var(per)
        return bool(left > LEAST_LEFT * variance)

    def find_detectable(
        self, past: Aggregates, customers: float, ratio: float, power: float
    ) -> tt.MeanPowerResult:
        """Return the least difference that such an experiment would find, with some power.

        `past`: of customers who did their `_before` and `_earlier`. `ratio`: customers of the
        variant for one of the control.
        """
        options = {"n_obs": max(round(customers), 2), "ratio": ratio, "power": power}
        test = self.test([past], BEFORE, EARLIER, **options)
        (found,) = test.solve_power_from_aggregates(past, "effect_size")
        return found


METRICS: Final = (
    ExperimentMetric("conversion", "bought"),
    ExperimentMetric("orders", "orders"),
    ExperimentMetric("revenue", "revenue"),
    ExperimentMetric("margin", "margin"),
    ExperimentMetric("order_value", "revenue", per="orders"),
    ExperimentMetric("repeat_rate", "repeated", per="bought"),
    ExperimentMetric("refusals", "refused", assumed_share=0.01),
)


def prepare_customers(customers: pa.Table) -> pa.Table:
    """Return customers with the columns of the metrics, their money capped.

    `customers`: a row each with `orders`, `revenue`, `margin` and `refused` (0 or 1), and the same
    with `_before` and with `_earlier`.
    A single order of a wholesaler else decides who wins (winsorised, as the cap is the value).
    """
    for name in MONEY:
        cap = find_cap(customers[f"{name}{BEFORE}"])
        for column in (f"{name}{suffix}" for suffix in SUFFIXES):
            capped = pc.min_element_wise(pc.cast(customers[column], pa.float64()), cap)
            customers = _with(customers, column, capped)
    for suffix in SUFFIXES:
        orders = customers[f"orders{suffix}"]
        customers = _with(customers, f"bought{suffix}", pc.greater(orders, 0).cast(pa.int64()))
        customers = _with(customers, f"repeated{suffix}", pc.greater(orders, 1).cast(pa.int64()))
    return customers


def aggregate(customers: pa.Table, by: str | None = VARIANT) -> dict[str, Aggregates]:
    """Return counts, means, variances and covariances of each variant, or under "" of all."""
    names = {column for metric in METRICS for column in metric.columns}
    columns = sorted(f"{name}{suffix}" for name in names for suffix in SUFFIXES)
    found = read_aggregates(
        customers,
        by,
        has_count=True,
        mean_cols=columns,
        var_cols=columns,
        cov_cols=[(first, second) for first in columns for second in columns if first < second],
    )
    if isinstance(found, Aggregates):
        return {"": found}
    return {str(name): aggregates for name, aggregates in found.items()}


def find_cap(before: pa.ChunkedArray) -> float:
    """Return the cap of money: what a hundredth of the buyers had spent before the start.

    It is known before anybody is assigned. Infinite where there are too few to tell.
    """
    spent = np.asarray(before, np.float64)
    buyers = spent[spent > 0]
    return float(np.quantile(buyers, 1 - CAPPED_SHARE)) if len(buyers) >= MIN_BUYERS else np.inf


def _with(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, values)
    return table.append_column(name, values)
