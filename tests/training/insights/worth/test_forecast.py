"""Forecasts are held against what came, on quarters that they had not seen."""

import numpy as np
import pytest

from tests.training.insights.worth.test_customer_orders import TODAY, orders_of
from training.insights.worth.customer_orders import CustomerOrders, CustomerStanding
from training.insights.worth.forecast import (
    LAST_QUARTER,
    LEARNED,
    MEAN,
    PROCESS,
    SHRUNK,
    Forecaster,
    HeldOut,
    choose,
    compare,
    deviance,
    find_season,
    find_weight,
    hold_out,
    shrink,
)


def simulate(days: int, customers: int = 600, seed: int = 0, busy: float = 1.0) -> CustomerOrders:
    """Return customers with a steady habit each; `busy`: in the quarters of October to December."""
    random = np.random.default_rng(seed)
    rate = random.gamma(0.8, 1 / 30, customers)
    day = TODAY - days + np.arange(days)
    of_season = np.where(
        day.astype("datetime64[D]").astype("datetime64[M]").astype(int) % 12 >= 9, busy, 1
    )
    lines = []
    for user in range(customers):
        made = day[random.random(days) < np.minimum(rate[user] * of_season, 1)]
        lines += [(user, int(TODAY - one), 20.0) for one in made]
    return orders_of(*lines)


def test_what_is_learned_of_customers_tells_more_than_the_last_quarter() -> None:
    rows = compare(list(hold_out(simulate(400))))
    assert {row["method"] for row in rows} == {LEARNED, PROCESS, SHRUNK, LAST_QUARTER, MEAN}
    assert len({row["quarter"] for row in rows}) == 2
    best = choose(rows)
    losses: dict[str, float] = {}
    for row in rows:
        losses[row["method"]] = losses.get(row["method"], 0.0) + row["deviance"]
    assert best in (LEARNED, PROCESS)
    assert losses[best] == min(losses.values()) < losses[SHRUNK] < losses[LAST_QUARTER]


def test_a_held_out_quarter_is_not_seen() -> None:
    orders = simulate(300)
    (before,) = hold_out(orders, 1)
    doubled = orders_of(
        *(
            (user, TODAY - day, 20.0)
            for user, day in zip(orders.user.tolist(), orders.day.tolist(), strict=True)
            for _ in range(1 + (day >= before.day))
        )
    )
    (after,) = hold_out(doubled, 1)
    assert after.made.sum() == 2 * before.made.sum()
    assert after.forecasts[LEARNED] == pytest.approx(before.forecasts[LEARNED])


def test_the_season_is_that_of_a_year_ago() -> None:
    busy = simulate(2 * 364 - 20, busy=2.0)  # ends on 4 October
    assert find_season(busy, 91) > 1.5
    assert find_season(busy, 364) == pytest.approx(1, abs=0.15)  # it holds each season once
    assert find_season(simulate(364 + 60), 91) == 1  # too little is known before


def test_a_short_history_has_no_quarters_and_the_process_serves() -> None:
    orders = simulate(100)
    assert list(hold_out(orders)) == []
    assert choose([]) == PROCESS
    forecasts = Forecaster.fit(simulate(70)).forecast(CustomerStanding.of(simulate(70)))
    assert set(forecasts) == {PROCESS, LAST_QUARTER, MEAN}


def test_the_best_shrinkage_is_found() -> None:
    last, made = np.array([0.0, 4.0, 8.0]), np.array([2.0, 4.0, 6.0])
    held_out = HeldOut(0, made, {LAST_QUARTER: last}, np.zeros(3))
    assert find_weight([held_out]) == pytest.approx(0.5)
    assert shrink(last, 0.5).tolist() == [2, 4, 6]
    assert deviance(made, made) == 0
    assert deviance(np.array([1.0]), np.array([0.0])) == deviance(np.array([1.0]), np.array([0.01]))
