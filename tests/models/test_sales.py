"""What sells, counted day by day."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.sales import DailySales
from models.settings import PopularSettings
from tests.shop import Line, moment, small_purchases
from training.counts import daily_sales

BREAD, MILK = 0, 1
WEEK = [
    Line("ann", "bread", 0.3, market="north"),
    Line("bob", "bread", 0.9, market="south"),
    Line("", "milk", 2.1, market="north"),
    Line("ann", "bread", 2.5),
    Line("ann", "milk", 4.2, market="north"),
    Line("ann", "milk", 4.4, kind="return"),
]
NORTH = 0


@pytest.fixture(scope="module")
def sales() -> DailySales:
    return daily_sales(small_purchases(WEEK))


def window(sales: DailySales, day: float, days: int, market: int | None = None) -> list[float]:
    counted: list[float] = sales.window(moment(day), days, 2, market).tolist()
    return counted


def test_a_window_counts_lines_of_guests_too_and_no_returns(sales: DailySales) -> None:
    assert window(sales, 4.4, 28) == [3, 2]


def test_a_window_ends_with_the_newest_day(sales: DailySales) -> None:
    assert window(sales, 4.4, 1) == [0, 1]
    assert window(sales, 4.4, 3) == [1, 2]


def test_a_later_moment_sees_the_same_window(sales: DailySales) -> None:
    assert window(sales, 400, 3) == window(sales, 4.4, 3)


def test_an_earlier_moment_sees_whole_days_before_it_alone(sales: DailySales) -> None:
    assert window(sales, 2.9, 28) == [2, 0]
    assert window(sales, 3.0, 28) == [3, 1]
    assert window(sales, 3.0, 1) == [1, 1]


def test_before_the_first_day_nothing_was_sold(sales: DailySales) -> None:
    assert window(sales, -3, 28) == window(sales, 0.5, 28) == [0, 0]
    early = sales.popularity(moment(-3), 2, PopularSettings())
    assert (early.recent.tolist(), early.total.tolist()) == ([0, 0], [0, 0])


def test_a_market_counts_its_own_lines(sales: DailySales) -> None:
    assert window(sales, 4.4, 28, NORTH) == [1, 2]


def test_popularity_halves_every_half_life_and_adds_up_to_what_the_window_sold(sales: DailySales) -> None:
    popularity = sales.popularity(moment(4.4), 2, PopularSettings(half_life_days=2.0, window_days=3))
    # Bread sold twice on day 0 and once on day 2, milk on days 2 and 4; the newest day is half a day old on average.
    bread, milk = 2 * 0.5 ** (4.5 / 2) + 0.5 ** (2.5 / 2), 0.5 ** (2.5 / 2) + 0.5 ** (0.5 / 2)
    assert popularity.recent.tolist() == pytest.approx([3 * bread / (bread + milk), 3 * milk / (bread + milk)])
    assert popularity.total.tolist() == [3, 2]


SALE = st.builds(
    Line,
    st.sampled_from(["", "ann"]),
    st.sampled_from(["bread", "milk", "tea"]),
    st.integers(0, 40 * 96).map(lambda quarter: quarter / 96),
    market=st.sampled_from(["", "north", "south"]),
)


@given(st.lists(SALE, min_size=1, max_size=30), st.integers(-3, 45), st.integers(1, 30), st.sampled_from([None, 0, 1]))
def test_any_window_is_counted_as_if_by_hand(lines: list[Line], day: int, days: int, market: int | None) -> None:
    purchases = small_purchases(lines)
    newest = int(purchases.time.max())
    end = (newest // 86_400 + 1) * 86_400 if moment(day) >= newest else moment(day)
    expected = np.zeros(3)
    for item, time, code in zip(purchases.item, purchases.time, purchases.market, strict=True):
        if end - days * 86_400 <= time < end and (market is None or code == market):
            expected[item] += 1
    assert daily_sales(purchases).window(moment(day), days, 3, market).tolist() == expected.tolist()
