"""Orders as visits of someone anonymous: whose they are, what is seen and what is asked for."""

import numpy as np

from tests.support.shop import Line
from tests.support.training_shop import small_purchases
from training.evaluation.visits import (
    MIN_STRANGERS,
    MOST_SEEN,
    VISIT_SECONDS,
    Visit,
    draw_views,
    draw_visits,
)
from training.reading.purchases import Purchases


def orders(customers: list[str], products: int, times: int = 1) -> list[Line]:
    return [
        Line(customer, f"p{product:02}", 10 + time, f"{customer} {time}")
        for customer in customers
        for time in range(times)
        for product in range(products)
    ]


def drawn(
    lines: list[Line], known: list[str], limit: int = 1_000, seed: int = 0
) -> tuple[list[Visit], Purchases]:
    purchases = small_purchases(lines)
    users = np.array(sorted(purchases.customer_ids.find(name) for name in known), np.int32)
    everything = np.ones(len(purchases), np.bool_)
    return draw_visits(purchases, everything, users, limit, np.random.default_rng(seed)), purchases


def test_a_visit_has_seen_up_to_five_products_of_an_order_and_the_others_are_asked_for() -> None:
    visits, _ = drawn(orders([f"c{number:03}" for number in range(100)], products=8), known=[])
    assert {len(visit.seen) for visit in visits} == set(range(1, MOST_SEEN + 1))
    for visit in visits:
        assert len(visit.targets) == 8 - len(visit.seen)
        assert visit.targets.isdisjoint(visit.seen)


def test_an_order_of_one_product_is_no_visit() -> None:
    assert drawn(orders(["ann"], products=1, times=5), known=[])[0] == []


def test_strangers_and_guests_come_first_and_known_customers_lend_one_order_where_they_are_few() -> (
    None
):
    lines = [*orders(["ann", "bob"], products=3, times=4), *orders(["zoe"], products=3)]
    lines += [Line("", f"p{product:02}", 12, "a guest's") for product in range(3)]
    visits, purchases = drawn(lines, known=["ann", "bob"])
    names = [purchases.customer_ids[visit.user] if visit.user >= 0 else "" for visit in visits]
    assert sorted(names) == ["", "ann", "bob", "zoe"]


def test_with_enough_strangers_known_customers_lend_nothing() -> None:
    strangers = [f"s{number:03}" for number in range(MIN_STRANGERS)]
    lines = [*orders(strangers, products=2), *orders(["ann"], products=2)]
    visits, purchases = drawn(lines, known=["ann"])
    assert len(visits) == MIN_STRANGERS
    assert purchases.customer_ids.find("ann") not in {visit.user for visit in visits}


def test_no_more_visits_are_drawn_than_are_allowed_and_the_same_for_the_same_seed() -> None:
    lines = orders([f"c{number:03}" for number in range(40)], products=4)
    one, again, other = (drawn(lines, [], limit=15, seed=seed)[0] for seed in (1, 1, 2))
    assert len(one) == 15
    assert one == again != other


def views(customer: str, products: str, day: float, minutes: float = 1) -> list[Line]:
    """A visit in which one product after another is looked at."""
    return [
        Line(customer, product, day + place * minutes / 1_440, kind="view")
        for place, product in enumerate(products)
    ]


def viewed(lines: list[Line], limit: int = 100, without: str = "") -> set[tuple[str, str]]:
    """What each visit has seen, and what it is asked for."""
    purchases = small_purchases([*lines, Line("zoe", "bought", 1)])
    countable = np.array([name not in without for name in purchases.product_ids])
    names = purchases.product_ids
    rows = np.ones(len(purchases), np.bool_)
    drawn = draw_views(purchases, rows, countable, limit, np.random.default_rng(0))
    return {
        ("".join(names[item] for item in v.seen), *(names[i] for i in v.targets)) for v in drawn
    }


def test_the_next_product_that_is_looked_at_is_asked_for_and_the_same_one_again_is_not_next() -> (
    None
):
    assert viewed(views("ann", "aabaab", 10)) == {("a", "b")}
    many = viewed([line for number in range(50) for line in views(f"c{number}", "abcdefgh", 10)])
    assert many == {("abcdefgh"[:seen], "abcdefgh"[seen]) for seen in range(1, MOST_SEEN + 1)}


def test_half_an_hour_without_a_view_ends_a_visit() -> None:
    minutes = VISIT_SECONDS / 60
    assert viewed(views("ann", "ab", 10, minutes)) == {("a", "b")}
    assert viewed(views("ann", "ab", 10, minutes + 1)) == set()
    assert viewed([*views("ann", "ab", 10), *views("ben", "cd", 10)]) == {("a", "b"), ("c", "d")}


def test_what_does_not_count_is_seen_and_not_asked_for() -> None:
    assert viewed([*views("ann", "ab", 10), *views("ben", "bc", 10)], without="b") == {("b", "c")}


def test_no_more_views_are_drawn_than_are_allowed_and_none_of_a_shop_without_views() -> None:
    lines = [line for number in range(9) for line in views(f"c{number}", "ab", 10)]
    purchases = small_purchases(lines)
    rows, everything = np.ones(len(purchases), np.bool_), np.ones(2, np.bool_)
    assert len(draw_views(purchases, rows, everything, 4, np.random.default_rng(0))) == 4
    assert draw_views(purchases, ~rows, everything, 4, np.random.default_rng(0)) == []
    assert viewed([Line("ann", "a", 3)]) == set()
