"""What an experiment says: two intervals of each figure, and whether its numbers can be trusted."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from training.insights.statistics.compare import PlannedEnd, compare_variants
from training.insights.statistics.metrics import METRICS, find_cap, prepare_customers

SUFFIXES = ("", "_before", "_earlier")
HALVES = {"as now": 0.5, "b": 0.5}


def shop(customers: int = 4_000, gain: float = 0.0, seed: int = 1, share: float = 0.5) -> pa.Table:
    """Customers with a habit each; those in `b` buy a share more often."""
    random = np.random.default_rng(seed)
    habit = random.gamma(1.0, 1.0, customers)
    in_b = random.random(customers) < share
    columns: dict[str, Any] = {"variant": np.where(in_b, "b", "as now")}
    for suffix in SUFFIXES:
        more = 1 + gain * in_b if suffix == "" else 1.0
        orders = random.poisson(habit * more)
        money = orders * random.gamma(4.0, 5.0, customers)
        columns |= {
            f"orders{suffix}": orders,
            f"revenue{suffix}": money,
            f"margin{suffix}": money * 0.3,
            f"refused{suffix}": random.binomial(1, 0.02 * (suffix == ""), customers),
        }
    return pa.table(columns)


def comparison(found: dict[str, Any], metric: str) -> dict[str, Any]:
    (one,) = [one for one in found["comparisons"] if one["metric"] == metric]
    return one


def compared(table: pa.Table, shares: dict[str, float] = HALVES) -> dict[str, Any]:
    return compare_variants(table, PlannedEnd(table.num_rows, shares))


def test_a_gain_is_found_by_both_intervals_and_the_fixed_one_is_narrower() -> None:
    found = compared(shop(gain=0.3))
    assert found["sample_ratio"]["holds"]
    names = {one["metric"] for one in found["comparisons"]}
    assert names == {metric.name for metric in METRICS}
    orders = comparison(found, "orders")
    assert 0.2 < orders["relative"] < 0.4
    assert orders["always_valid"]["low"] < orders["fixed"]["low"] < orders["difference"]
    assert orders["always_valid"]["low"] > 0
    assert comparison(found, "order_value")["fixed"]["low"] < 0


def test_what_customers_did_before_reduces_the_variance_by_what_its_correlation_says() -> None:
    table = shop(20_000)
    orders = comparison(compared(table), "orders")
    correlation = np.corrcoef(table["orders"].to_numpy(), table["orders_before"].to_numpy())[0, 1]
    assert orders["variance_reduced"] == pytest.approx(correlation**2, abs=0.02)


def test_customers_lost_on_one_side_are_told() -> None:
    lost = compared(shop(20_000, share=0.48))
    assert not lost["sample_ratio"]["holds"]
    assert compared(shop(20_000, share=0.2), {"as now": 0.8, "b": 0.2})["sample_ratio"]["holds"]


def test_money_is_capped_by_what_buyers_spent_before() -> None:
    table = shop()
    cap = find_cap(table["revenue_before"])
    spent = table["revenue_before"].to_numpy()
    assert (spent[spent > 0] > cap).mean() == pytest.approx(0.01, abs=0.002)
    assert max(prepare_customers(table)["revenue"].to_pylist()) == pytest.approx(cap)
    assert find_cap(table["revenue_before"].slice(0, 20)) == np.inf


def test_few_customers_are_not_compared_and_a_new_shop_has_the_fixed_interval_alone() -> None:
    assert compared(shop(150))["comparisons"] == []
    table = shop()
    for suffix in SUFFIXES[1:]:
        for name in ("orders", "revenue", "margin"):
            index = table.column_names.index(f"{name}{suffix}")
            table = table.set_column(index, f"{name}{suffix}", pa.array(np.zeros(len(table))))
    orders = comparison(compared(table), "orders")
    assert orders["always_valid"] is None
    assert orders["fixed"]["low"] < 0 < orders["fixed"]["high"]


def test_a_variant_that_nobody_is_in_yet_is_no_error() -> None:
    found = compared(shop(), {"as now": 0.5, "b": 0.4, "c": 0.1})
    assert [variant["customers"] for variant in found["variants"]][2] == 0
    assert {one["variant"] for one in found["comparisons"]} == {"b"}


def test_customers_who_do_as_before_to_the_last_order_are_compared_without_what_they_did() -> None:
    orders = np.random.default_rng(1).integers(0, 3, 400)
    columns = {"variant": ["a", "b"] * 200}
    for figure in ("orders", "revenue", "margin"):
        columns |= {f"{figure}{ending}": orders for ending in SUFFIXES}
    columns |= {f"refused{ending}": orders * 0 for ending in SUFFIXES}
    found = comparison(compared(pa.table(columns), {"a": 0.5, "b": 0.5}), "orders")
    assert found["variance_reduced"] == 0
    assert found["fixed"]["low"] < found["difference"] < found["fixed"]["high"]
    assert found["always_valid"]["low"] < found["fixed"]["low"]
