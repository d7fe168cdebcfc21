"""Orders of customers as a reader can count them."""

import numpy as np
import pytest

from models.data.events import DAY, PURCHASE, RETURN
from training.insights.customers import SoldLines
from training.insights.worth.customer_orders import CustomerOrders, CustomerStanding

TODAY = 20_000  # days since 1970
Line = tuple[int, int, float]  # customer, days ago, money; of a return below 0


def orders_of(*lines: Line, refused: tuple[int, ...] = ()) -> CustomerOrders:
    """Return orders, each of one line."""
    user, ago, money = (np.array(column) for column in zip(*lines, strict=True))
    sold = SoldLines(
        user=user.astype(np.int32),
        order=np.arange(len(user), dtype=np.int32),
        time=(TODAY - ago.astype(np.int64)) * DAY + 3_600,
        kind=np.where(money < 0, RETURN, PURCHASE).astype(np.uint8),
        revenue=np.abs(money).astype(np.float64),
        margin=np.full(len(user), np.nan),
    )
    counted = np.ones(int(user.max()) + 1, np.bool_)
    counted[list(refused)] = False
    return CustomerOrders.of(sold, counted, TODAY * DAY + DAY - 1)


def test_a_customer_stands_where_their_orders_put_them() -> None:
    standing = CustomerStanding.of(
        orders_of((0, 90, 20), (0, 60, 30), (0, 30, 10), (0, 30, 5), (2, 10, 8), (0, 20, -15))
    )
    assert standing.user.tolist() == [0, 2]
    assert (standing.orders.tolist(), standing.days.tolist()) == ([4, 1], [3, 1])
    assert standing.recency.tolist() == [30, 10]
    assert standing.revenue.tolist() == [50, 8]
    assert standing.buying.repeats.tolist() == [3, 0]
    assert standing.buying.last.tolist() == [60, 0]
    assert standing.buying.age.tolist() == [90, 10]


def test_an_interval_is_their_own_and_the_shops_counts_as_one_of_them() -> None:
    standing = CustomerStanding.of(
        orders_of((0, 90, 1), (0, 80, 1), (1, 90, 1), (1, 60, 1), (1, 30, 1), (2, 5, 1))
    )
    assert standing.find_shop_interval() == 20  # of 10 and 30
    assert standing.find_intervals().tolist() == pytest.approx([15, 80 / 3, 20])


def test_lines_of_an_order_are_one_and_unknown_prices_are_nothing() -> None:
    lines = SoldLines(
        user=np.zeros(3, np.int32),
        order=np.array([7, 7, 9], np.int32),
        time=np.array([TODAY - 5, TODAY - 5, TODAY - 1]) * DAY,
        kind=np.full(3, PURCHASE, np.uint8),
        revenue=np.array([4.0, 6.0, np.nan]),
        margin=np.full(3, np.nan),
    )
    orders = CustomerOrders.of(lines, np.ones(1, np.bool_), TODAY * DAY)
    assert orders.value.tolist() == [10, 0]


def test_who_may_not_be_counted_and_what_comes_later_is_in_nothing() -> None:
    orders = orders_of((0, 90, 1), (1, 50, 1), (2, 20, 1), refused=(1,))
    assert CustomerStanding.of(orders).user.tolist() == [0, 2]
    earlier = orders.before(TODAY - 30)
    assert CustomerStanding.of(earlier).user.tolist() == [0]
    assert CustomerStanding.of(earlier).recency.tolist() == [59]
    assert orders.count_between(TODAY - 30, TODAY).tolist() == [0, 0, 1]


def test_a_sample_holds_whole_customers() -> None:
    lines = [(user, ago, 1) for user in range(50) for ago in (5, 9, 40)]
    sampled = orders_of(*lines).sample(20)
    _, count = np.unique(sampled.user, return_counts=True)
    assert (len(count), set(count.tolist())) == (20, {3})
