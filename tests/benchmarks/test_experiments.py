"""Small versions of the simulations that say what the intervals of experiments keep."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.experiments import (
    DAYS,
    Histories,
    Moments,
    estimate,
    find_effect,
    measure_assignment,
    measure_intervals,
)
from training.insights.statistics.compare import TWO_SIDED
from training.insights.statistics.metrics import ExperimentMetric, aggregate, prepare_customers


@pytest.fixture(scope="module")
def histories() -> Histories:
    """600 customers with a habit each, who come to the shop within ten days or so."""
    random, customers = np.random.default_rng(5), 600
    habit = random.gamma(2.0, 0.02, (customers, 1))
    daily = random.poisson(habit, (customers, 3 * DAYS)) * random.gamma(5, 4, (customers, 3 * DAYS))
    entry = np.minimum(random.exponential(10, customers).astype(int), DAYS - 1)
    entered = (np.arange(DAYS) >= entry[:, None]).astype(float)
    spent = (daily[:, 2 * DAYS :] * entered).cumsum(axis=1)
    before, earlier = daily[:, DAYS : 2 * DAYS].sum(axis=1), daily[:, :DAYS].sum(axis=1)
    return Histories(spent, before, earlier, entered)


def test_the_simulation_estimates_what_tea_tasting_does(histories: Histories) -> None:
    random = np.random.default_rng(6)
    weights = random.poisson(2.0, (2, len(histories.before)))
    looks = estimate(
        *(Moments.of(row[None].astype(float), histories.spent, histories) for row in weights)
    )
    rows = [np.repeat(np.arange(len(row)), row) for row in weights]
    customer = np.concatenate(rows)
    columns = {"variant": np.repeat(["a", "b"], [len(row) for row in rows])}
    for suffix, values in (("", histories.spent[:, -1]), ("_before", histories.before)):
        columns |= {f"{name}{suffix}": values[customer] for name in ("orders", "revenue", "margin")}
    columns |= {f"{name}_earlier": values[customer] for name in ("orders", "revenue", "margin")}
    columns |= {f"refused{suffix}": customer * 0 for suffix in ("", "_before", "_earlier")}
    groups = aggregate(prepare_customers(pa.table(columns)))
    test = ExperimentMetric("orders", "orders").test(list(groups.values()))
    found = test.analyze_aggregates(groups["a"], groups["b"])
    assert looks.difference[0, -1] == pytest.approx(found.effect_size)
    half = (found.effect_size_ci_upper - found.effect_size_ci_lower) / 2
    assert looks.error[0, -1] * TWO_SIDED == pytest.approx(half)


def test_without_an_effect_neither_interval_calls_one_too_often(histories: Histories) -> None:
    kept = measure_intervals(histories, 0.0, experiments=1_500, customers=2_000)
    assert 0.035 < kept.fixed_wrong < 0.065
    assert kept.always_wrong < 0.05
    assert kept.variance_left == pytest.approx(kept.unexplained, rel=0.12)


def test_an_effect_that_is_there_is_found_and_its_size_is_held(histories: Histories) -> None:
    effect = find_effect(histories, 20_000)
    kept = measure_intervals(histories, effect, experiments=600, customers=20_000)
    assert 0.74 < kept.fixed_found < 0.86
    assert kept.fixed_wrong < 0.08
    assert kept.always_wrong < 0.05
    assert kept.always_found > 0.5
    assert kept.width < 1.7


def test_assignment_is_chance_and_the_same_in_another_process() -> None:
    found = measure_assignment(experiments=4, customers=4_000)
    assert found["same in another process"]
    assert min(value for name, value in found.items() if "least p" in name) > 0.001
