"""What a shop of any size needs, by hand where it can be counted."""

import numpy as np
import pytest

from benchmarks.scale import (
    CALLS,
    LINES_A_CUSTOMER,
    Machine,
    SizedShop,
    draw_work,
    estimate,
    find_cores,
    month_usd,
    simulate,
)


def test_a_call_waits_for_the_first_core_that_is_free() -> None:
    arrivals, work = np.array([0.0, 1.0, 2.0, 20.0]), np.array([10.0, 4.0, 1.0, 3.0])
    assert simulate(arrivals, work, 1).tolist() == [10.0, 13.0, 13.0, 3.0]
    assert simulate(arrivals, work, 2).tolist() == [10.0, 4.0, 4.0, 3.0]


def test_work_is_as_measured() -> None:
    computed = np.sort(draw_work(np.random.default_rng(0)))[CALLS // 2 + CALLS // 100 :]
    assert np.median(computed) == pytest.approx(5.0, rel=0.03)


def test_ten_times_the_calls_need_more_cores() -> None:
    random = np.random.default_rng(0)
    few, many = find_cores(139, random), find_cores(1_390, random)
    assert few[0] < many[0]
    assert max(few[1], many[1]) <= 50


def test_a_shop_is_as_large_as_its_lines() -> None:
    needs = estimate(1_000_000, 100_000, np.random.default_rng(0))
    assert needs.lines == 1_000_000 * LINES_A_CUSTOMER
    assert needs.artifact_gb == pytest.approx(0.42 + 0.18 + 0.06 + 0.144)
    assert needs.export_cores == 1


def test_a_month_costs_what_its_machines_do() -> None:
    needs = estimate(10_000_000, 300_000, np.random.default_rng(0))
    small = Machine(4, 16)
    running = 2 * 2 * 4 * 0.0408 * 730
    storage = 2 * needs.store_gb * 0.115
    on_a_host = SizedShop(10_000_000, 300_000, small, small, None, 30)
    assert month_usd(on_a_host, needs) == pytest.approx(running + storage)
    apart = SizedShop(10_000_000, 300_000, small, small, Machine(2, 64), 30)
    training = 30 * needs.training_hours * 16 * 0.0408  # its memory decides
    assert month_usd(apart, needs) == pytest.approx(running + storage + training)
