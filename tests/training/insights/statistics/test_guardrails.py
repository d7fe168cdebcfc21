"""Guardrails, looked at daily: a variant that does harm is stopped, one that does none is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tea_tasting.aggr import Aggregates

from models.experiments.guardrails import GuardedFigure, Guardrail
from training.insights.statistics.compare import PlannedEnd, VariantPair
from training.insights.statistics.metrics import METRICS

pytestmark = pytest.mark.slow

CUSTOMERS, LOOKS = 1_000, 60  # customers of each variant
SUFFIXES = ("", "_before", "_earlier")
PLAN = PlannedEnd(2 * CUSTOMERS, {"as now": 0.5, "b": 0.5})
TWO_GUARDRAILS_LEVEL = 1 - 0.05 / 2


def simulate(random: np.random.Generator, buys: float = 1.0, refuses: float = 1.0) -> Any:
    """Yield what is known of one variant's customers at each look, each with a habit."""
    habit = random.gamma(1.0, 0.02, (CUSTOMERS, 1))
    orders = random.poisson(habit * buys, (CUSTOMERS, LOOKS)).cumsum(axis=1)
    refused = random.exponential(2_000 / refuses, CUSTOMERS)
    past = {}
    for suffix in SUFFIXES[1:]:
        past[f"orders{suffix}"] = random.poisson(habit[:, 0] * LOOKS)
        past[f"refused{suffix}"] = np.zeros(CUSTOMERS)
    for look in range(LOOKS):
        yield aggregates({"orders": orders[:, look], "refused": refused <= look + 1, **past})


def aggregates(columns: dict[str, Any]) -> Aggregates:
    names = sorted(columns)
    values = np.array([columns[name] for name in names], np.float64)
    covariance, mean = np.cov(values), values.mean(axis=1)
    pairs = [(i, j) for i in range(len(names)) for j in range(i + 1, len(names))]
    return Aggregates(
        CUSTOMERS,
        {name: float(mean[i]) for i, name in enumerate(names)},
        {name: float(covariance[i, i]) for i, name in enumerate(names)},
        {(names[i], names[j]): float(covariance[i, j]) for i, j in pairs},
    )


def count_stops(experiments: int, harm: float, **effect: float) -> tuple[int, int]:
    """Return how many variants orders and refusals have stopped, at any of all looks."""
    random, stopped = np.random.default_rng(7), np.zeros(2, np.int64)
    guardrails = [
        Guardrail(figure, harm) for figure in (GuardedFigure.ORDERS, GuardedFigure.REFUSALS)
    ]
    for _ in range(experiments):
        crossed = np.zeros(2, np.bool_)
        for control, variant in zip(simulate(random), simulate(random, **effect), strict=True):
            pair = VariantPair("as now", "b", control, variant, PLAN)
            looks = [pair.judge(guardrail, TWO_GUARDRAILS_LEVEL) for guardrail in guardrails]
            crossed |= [look["is_crossed"] is True for look in looks]
        stopped += crossed
    return int(stopped[0]), int(stopped[1])


def test_a_variant_without_harm_is_stopped_in_less_than_one_of_twenty_over_sixty_looks() -> None:
    assert sum(count_stops(40, harm=0.0)) <= 2


def test_a_variant_that_sells_less_or_annoys_is_stopped_by_the_guardrail_that_it_crosses() -> None:
    by_orders, by_refusals = count_stops(6, harm=0.05, buys=0.6)
    assert by_orders >= 5
    assert by_refusals <= 1
    by_orders, by_refusals = count_stops(6, harm=0.5, refuses=6.0)
    assert by_orders == 0
    assert by_refusals >= 5


def test_every_guarded_figure_is_one_that_results_tell() -> None:
    assert {figure.value for figure in GuardedFigure} == {metric.name for metric in METRICS}
