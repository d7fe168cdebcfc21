"""Small versions of the simulated shop of which it is known who bought because of a slate."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.uplift import SINCE, Told, measure, simulate, tell


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return tell(tmp_path_factory.mktemp("shop"), customers=1_000, seed=3, share=0.3)


def test_attribution_is_an_upper_bound_and_says_so(told: Told) -> None:
    assert told.attribution["upper_bound"] is True
    assert "upper bound" in told.attribution["note"]
    (shop,) = told.attribution["overview"]
    assert shop["attributed_revenue"] > 5 * told.moved_revenue
    assert shop["attributed_clicked_revenue"] > 2 * told.moved_revenue


def test_what_held_out_customers_buy_is_attributed_too_though_nothing_is_earned(
    told: Told,
) -> None:
    rows = {row["value"]: row for row in told.attribution["attribution"]["strategy"]}
    assert rows["not_personalized"]["orders"] > 100


def test_the_holdouts_interval_holds_the_true_uplift(told: Told) -> None:
    for found, truth in ((told.orders, told.true_orders), (told.revenue, told.true_revenue)):
        for interval in ("fixed", "always_valid"):
            assert found[interval]["low"] <= truth <= found[interval]["high"]


def test_nobody_held_out_is_moved_and_the_others_are_as_often_as_expected() -> None:
    held_out = np.arange(20_000) % 4 == 0
    shop = simulate(20_000, held_out, seed=1)
    assert not held_out[shop.moved.customer].any()
    assert shop.moved.time.min() > SINCE
    made = len(shop.moved.customer) / (~held_out).sum()
    known = len(np.unique(shop.anyway.customer[shop.anyway.time < SINCE])) / 20_000
    assert made == pytest.approx(shop.expect_orders().mean() * known, rel=0.05)


@pytest.mark.slow
def test_over_several_shops_the_holdout_is_right_where_attribution_is_not() -> None:
    found = measure(customers=600, seeds=4, share=0.3)
    assert found["fixed interval of orders holds it"] >= 0.75
    assert found["always_valid interval of orders holds it"] == 1
    assert found["attribution is above the truth"] == 1
