"""Daring shows a customer what sells less in the place of what everybody finds anyway."""

import numpy as np

from models.assembly.discovery import prefer_rare

MILK, OWN_BREAD, SAFFRON, YUZU = range(4)
LOG_ODDS = np.array([2.0, 1.8, 1.5, 0.1], np.float32)
SALES = np.log1p(np.array([5000, 3000, 5, 0], np.float32))
NEW = np.array([True, False, True, True])
BEST_FIRST = np.array([MILK, OWN_BREAD, SAFFRON, YUZU])


def order_by(daring: float, order: np.ndarray = BEST_FIRST) -> list[int]:
    return prefer_rare(order, LOG_ODDS, np.float32(daring) * SALES, NEW).tolist()


def test_safe_shows_the_likeliest_first() -> None:
    assert order_by(0) == [MILK, OWN_BREAD, SAFFRON, YUZU]


def test_the_more_daring_the_lower_stands_a_best_seller() -> None:
    assert [order_by(daring).index(MILK) for daring in (0, 0.2, 1)] == [0, 2, 3]


def test_what_the_customer_buys_anyway_keeps_its_place() -> None:
    assert [order_by(daring).index(OWN_BREAD) for daring in (0, 0.2, 1)] == [1, 1, 1]


def test_where_all_sell_alike_nothing_moves() -> None:
    alike = np.full(4, 7, np.float32)
    assert prefer_rare(BEST_FIRST, LOG_ODDS, alike, NEW).tolist() == BEST_FIRST.tolist()


def test_only_candidates_of_the_order_are_in_it() -> None:
    assert sorted(order_by(1, np.array([YUZU, MILK]))) == [MILK, YUZU]
