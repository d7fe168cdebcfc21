"""Whether customers come back, counted by hand."""

import numpy as np
import pytest

from tests.training.insights.worth.test_customer_orders import TODAY, orders_of
from training.insights.worth.cohorts import summarize_cohorts, summarize_repeats
from training.insights.worth.customer_orders import CustomerStanding


def days_since(date: str) -> int:
    return TODAY - int(np.datetime64(date).astype(int))


def test_a_cohort_is_followed_through_the_months() -> None:
    assert str(np.datetime64(TODAY, "D")) == "2024-10-04"
    rows = summarize_cohorts(
        CustomerStanding.of(
            orders_of(
                (0, days_since("2024-07-31"), 10),
                (0, days_since("2024-08-01"), 20),
                (0, days_since("2024-08-02"), 30),
                (1, days_since("2024-07-01"), 40),
                (2, days_since("2024-10-04"), 5),
            )
        )
    )
    cells = {(row["cohort"], row["months_since"]): row for row in rows}
    assert len(cells) == 4 + 1
    first, second = cells["2024-07", 0], cells["2024-07", 1]
    assert (first["customers"], first["active"], first["revenue"]) == (2, 2, 50)
    assert (second["active"], second["orders"], second["retention"]) == (1, 2, 0.5)
    assert (cells["2024-07", 2]["revenue"], cells["2024-07", 2]["complete"]) == (0, True)
    assert cells["2024-07", 3]["complete"] is False
    assert cells["2024-10", 0]["customers"] == 1


def test_who_has_had_no_time_to_come_back_does_not_count_as_one_who_did_not() -> None:
    """Two came back after 20 days; of the others two were seen for long and four just came."""
    came_back = [(user, ago, 10) for user in (0, 1) for ago in (100, 80)]
    gone, young = [(2, 100, 30), (3, 100, 30)], [(user, 5, 30) for user in range(4, 8)]
    told = summarize_repeats(CustomerStanding.of(orders_of(*came_back, *gone, *young)))
    assert (told["customers"], told["orders"], told["repeat_rate"]) == (8, 10, 0.25)
    within = {row["days"]: row["share"] for row in told["repeat_within"]}
    assert within == {30: 0.5, 60: 0.5, 90: 0.5}
    assert told["days_to_second_order"] == 20
    assert told["first_order_value"] == pytest.approx((2 * 10 + 6 * 30) / 8)
    assert told["later_order_value"] == 10
    assert told["order_value"] == pytest.approx(22)
    never = summarize_repeats(CustomerStanding.of(orders_of(*gone)))
    assert (never["days_to_second_order"], never["later_order_value"]) == (None, None)
