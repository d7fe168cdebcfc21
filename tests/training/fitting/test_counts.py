"""Lines of a shop, counted."""

import numpy as np

from tests.support.shop import Line, Product, moment
from tests.support.training_shop import small_purchases
from training.fitting import counts

WEEK = small_purchases(
    [
        Line("anna", "milk", 0.5, market="north"),
        Line("anna", "milk", 2.5, market="north"),
        Line("anna", "milk", 3.5, kind="return"),
        Line("bert", "bread", 2.5, market="south"),
        Line("bert", "milk", 2.5, market="south"),
        Line("", "milk", 2.5, "guest 1"),
        Line("", "jam", 4.5, "guest 2"),
    ]
)
BREAD, JAM, MILK = range(3)


def test_a_history_holds_everything_a_customer_did_and_nothing_of_guests() -> None:
    histories = counts.build_histories(WEEK)
    anna, bert = histories.of(0), histories.of(1)
    assert anna.item.tolist() == [MILK, MILK, MILK]
    assert anna.weight.tolist() == [1, 1, -1]
    assert bert.item.tolist() == [BREAD, MILK]
    assert len(histories.events) == 5


def test_a_shop_of_guests_has_no_histories() -> None:
    assert counts.build_histories(
        small_purchases([Line("", "milk", 1, "guest")])
    ).indptr.tolist() == [0]


def test_sales_are_counted_a_day_and_a_market_with_guests_and_without_returns() -> None:
    sales = counts.count_daily_sales(WEEK)
    found = [
        (day, int(item), WEEK.market_names[market] if market >= 0 else "", float(lines))
        for day in range(len(sales.indptr) - 1)
        for rows in [slice(sales.indptr[day], sales.indptr[day + 1])]
        for item, market, lines in zip(
            sales.item[rows], sales.market[rows], sales.lines[rows], strict=True
        )
    ]
    assert found == [
        (0, MILK, "north", 1),
        (2, MILK, "", 1),
        (2, MILK, "north", 1),
        (2, BREAD, "south", 1),
        (2, MILK, "south", 1),
        (4, JAM, "", 1),
    ]
    assert sales.first_day[0] * 86_400 == moment(0)
    assert sales.newest[0] == moment(4.5)


def test_a_product_is_learned_from_once_it_was_bought_often_enough_and_a_return_is_no_purchase() -> (
    None
):
    assert counts.find_learned(WEEK, 4).tolist() == [False, False, True]
    assert counts.find_learned(WEEK, 5).tolist() == [False, False, False]
    assert counts.find_learned(WEEK, 1).tolist() == [True, True, True]


def test_an_order_holds_a_product_once_however_often_it_was_scanned() -> None:
    shop = small_purchases(
        [Line("anna", "milk", 1, "a"), Line("anna", "milk", 1, "a"), Line("anna", "jam", 1, "a")]
    )
    assert counts.build_order_matrix(shop, np.ones(2, bool)).toarray().tolist() == [[1, 1]]


def test_an_order_of_nothing_but_rare_products_still_counts_as_an_order() -> None:
    matrix = counts.build_order_matrix(WEEK, counts.find_learned(WEEK, 4))
    assert matrix.toarray().tolist() == [[0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 1], [0, 0, 0]]


def test_a_part_of_the_lines_keeps_the_numbers_of_products_and_customers() -> None:
    later = counts.select_lines(WEEK, WEEK.time > moment(4))
    assert later.item.tolist() == [JAM]
    assert list(later.product_ids) == ["bread", "jam", "milk"]
    assert len(later.price) == len(later.market) == len(later) == 1


def test_a_product_that_was_never_sold_has_no_sales() -> None:
    shop = small_purchases([Line("anna", "milk", 1)], [Product("kettle")])
    assert counts.count_daily_sales(shop).window(moment(1), 28, 2).tolist() == [0, 1]


def test_shop_time_ends_the_sales_and_one_order_or_any_click_of_today_does_not_move_it() -> None:
    month = [Line(f"c{n:02}", "milk", day + 0.5) for day in range(30) for n in range(40)]
    today = 3_000
    clicks = [Line(f"c{n:02}", "milk", today, kind="click") for n in range(40)]
    shop = small_purchases([*month, *clicks, Line("c01", "milk", today)])
    sales = counts.count_daily_sales(shop)
    assert shop.shop_time == sales.newest[0] == moment(29.5)
    assert (len(sales.indptr) - 1, sales.lines.sum()) == (30, 1_200)
    assert counts.build_histories(shop).events.time.max() == moment(today)  # it is theirs

    reopened = small_purchases([*month, *(Line(f"c{n:02}", "milk", today) for n in range(3))])
    assert reopened.shop_time == counts.count_daily_sales(reopened).newest[0] == moment(today)
