"""First orders of new customers are asked about, and nothing of them is known before."""

from benchmarks.shop_window import METHODS, FirstOrder, find_first_orders, measure, score
from models.settings import ModelSettings
from tests.support.shop import Line, moment
from tests.support.training_shop import small_purchases
from training.fitting.counts import select_lines

BEFORE = [
    Line(f"c{number}", name, day)
    for number, day in enumerate(range(0, 50, 2))
    for name in ("bread", "milk")
]
AFTER = [
    Line("new", "bread", 55, "1"),
    Line("new", "jam", 55, "1"),  # which nobody bought before
    Line("new", "milk", 57, "2"),  # no part of the first order
    *(Line(f"late{number}", "milk", 58) for number in range(250)),
]


def test_a_first_order_holds_what_was_sold_before_and_nothing_of_the_next_order() -> None:
    purchases = small_purchases([*BEFORE, *AFTER])
    cut = moment(50)
    orders = find_first_orders(purchases, select_lines(purchases, purchases.time < cut), cut)
    bread, milk = (purchases.product_ids.find(name) for name in ("bread", "milk"))
    assert len(orders) == 251
    assert orders.count(FirstOrder(-1, frozenset({bread}))) == 1
    assert orders.count(FirstOrder(-1, frozenset({milk}))) == 250


def test_a_list_is_as_good_as_what_it_finds_of_the_orders_of_its_market() -> None:
    orders = [FirstOrder(0, frozenset({1, 2})), FirstOrder(1, frozenset({3}))]
    recall = score(orders, lambda market: [[1], [1, 2], [3]] if market == 0 else [[3], [], [4]])
    assert recall.tolist() == [[0.5, 1, 0], [1, 0, 0]]


def test_a_shop_is_measured_before_the_last_days() -> None:
    recall, distinct = measure(small_purchases([*BEFORE, *AFTER]), ModelSettings())
    assert recall.shape[1] == len(METHODS)
    assert (recall > 0).any()
    assert distinct.tolist() == [2, 2, 2]
