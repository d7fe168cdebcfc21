"""Shop time moves with sales that others confirm, and with nothing else."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data.events import DAY
from models.data.shop_time import SalesDay, ShopTime, count_sales_days
from tests.support.literal_fit import count_daily_sales, find_shop_time
from tests.support.shop import OPENING, CodedLine, Line, ShopRecords, moment

TODAY = 3_000.0  # days after the shop opened
# Forty lines a day for a month, which ends at noon of day 29
BUSY = [Line(f"c{n:02}", f"p{n % 5}", day + 0.5) for day in range(30) for n in range(40)]


def shop_time(*lines: Line) -> float:
    """Return the shop time of the busy shop with these lines, in days."""
    days = days_of(ShopRecords([*BUSY, *lines]).coded_lines)
    return (ShopTime.of(days).moment - OPENING) / DAY


def days_of(rows: Sequence[CodedLine]) -> list[SalesDay]:
    time = np.array([row.time for row in rows], np.int64)
    buyer = np.array([row.user if row.user >= 0 else -2 - row.order for row in rows], np.int64)
    return count_sales_days(time, buyer)


def test_one_order_dated_today_does_not_move_a_shop_whose_history_is_old() -> None:
    assert shop_time(Line("c01", "p1", TODAY)) == 29.5


def test_a_shop_that_reopens_moves_on_the_first_day_on_which_three_customers_buy() -> None:
    back = [Line(name, "p1", TODAY) for name in ("c01", "c02")]
    assert shop_time(*back) == 29.5
    assert shop_time(*back, Line("c03", "p2", TODAY + 0.1)) == pytest.approx(TODAY + 0.1)


def test_three_orders_of_guests_are_three_customers() -> None:
    assert shop_time(*(Line("", f"p{n}", TODAY, "1") for n in range(3))) == 29.5
    assert shop_time(*(Line("", "p1", TODAY, order) for order in ("1", "2", "3"))) == TODAY


def test_a_tenth_of_a_usual_days_lines_confirms_a_day_of_one_customer() -> None:
    order = [Line("c01", f"p{n}", TODAY) for n in range(4)]
    assert shop_time(*order[:3]) == 29.5
    assert shop_time(*order) == TODAY


def test_days_of_few_sales_are_confirmed_with_the_next_usual_one() -> None:
    holiday = [Line("c01", "p1", 30.5), Line("c02", "p1", 31.5)]
    assert shop_time(*holiday) == 29.5
    assert shop_time(*holiday, *(Line(f"c{n:02}", "p2", 32.5) for n in range(3))) == 32.5


def test_a_test_order_a_day_never_becomes_what_is_usual() -> None:
    orders = [Line("c01", "p1", TODAY + day) for day in range(100)]
    assert shop_time(*orders) == 29.5


def test_in_its_first_week_a_shop_has_only_what_there_is() -> None:
    lines = [Line("ann", "bread", 0.3), Line("ann", "milk", 6.9)]
    assert ShopTime.of(days_of(ShopRecords(lines).coded_lines)).moment == moment(6.9)


LINES = st.lists(
    st.builds(
        Line,
        st.sampled_from(["", "ann", "bob", "cleo", "dan"]),
        st.sampled_from(["bread", "milk"]),
        st.one_of(st.floats(0, 12), st.floats(300, 320), st.just(900.5)),
        st.sampled_from(["1", "2", "3"]),
    ),
    min_size=1,
    max_size=60,
)


@given(LINES)
def test_shop_time_is_what_a_reader_would_count(lines: list[Line]) -> None:
    rows = ShopRecords(lines).coded_lines
    days = days_of(rows)
    assert ShopTime.of(days).moment == find_shop_time(rows)
    assert all(before.day < after.day for before, after in pairwise(days))
    assert sum(day.lines for day in days) == len(rows)


@given(LINES, st.integers(0, 59))
def test_what_is_sold_after_training_moves_it_as_if_it_had_been_learned(
    lines: list[Line], learned: int
) -> None:
    rows = sorted(ShopRecords(lines).coded_lines, key=lambda row: row.time)
    first = ShopTime.of(days_of(rows[: 1 + learned % len(rows)]))
    later = rows[1 + learned % len(rows) :]
    later += [row for row in rows[: 1 + learned % len(rows)] if row.time > first.moment]
    assert first.after(days_of(later)) == ShopTime.of(days_of(rows))


def test_what_a_model_keeps_of_its_sales_is_enough_to_go_on_from() -> None:
    sales = count_daily_sales(ShopRecords([*BUSY, Line("c01", "p1", TODAY)]))
    learned = ShopTime.of_sales(sales)
    assert (learned.moment, learned.recent_lines) == (moment(29.5), (40,) * 28)
    today = moment(TODAY)
    assert learned.after([SalesDay(today // DAY, 3, 1, today)]).moment == moment(29.5)
    assert learned.after([SalesDay(today // DAY, 4, 1, today)]).moment == today
