"""Orders as visits of someone anonymous: whose they are, what is seen and what is asked for."""

import numpy as np

from tests.support.shop import Line
from tests.support.training_shop import small_purchases
from training.evaluation.visits import MIN_STRANGERS, MOST_SEEN, Visit, draw_visits
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
