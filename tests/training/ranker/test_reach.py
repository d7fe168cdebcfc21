"""More of the shop is shown where it costs little: products that lack little rank higher."""

import numpy as np
import pytest

from training.ranker.reach import MAX_REACH, SEEN_BY, SLOTS, Proposals, learn_reach

BEST = list(range(SLOTS))  # what everyone is shown
CLOSE, FAR = SLOTS, SLOTS + 1
PRODUCTS = SLOTS + 2


def proposals(customers: int, close: float, far: float) -> Proposals:
    """The same ten best for everyone, and two behind them, to half of the customers far behind."""
    best = np.linspace(0, -0.9, SLOTS)
    near, off = [*best, -0.9 - close, -0.9 - far], [*best, -9, -9]
    return Proposals(
        item=np.tile([*BEST, CLOSE, FAR], 2 * customers),
        log_odds=np.concatenate([np.tile(near, customers), np.tile(off, customers)]),
        indptr=np.arange(2 * customers + 1) * (SLOTS + 2),
    )


def shown(found: Proposals, reach: np.ndarray) -> list[set[int]]:
    slates = []
    for start, end in zip(found.indptr[:-1], found.indptr[1:], strict=True):
        items = found.item[start:end]
        order = np.argsort(-(found.log_odds[start:end] + reach[items]), kind="stable")
        slates.append(set(items[order[:SLOTS]].tolist()))
    return slates


def test_a_product_that_lacks_little_is_lifted_into_slates() -> None:
    found = proposals(SEEN_BY, close=0.2, far=2 * MAX_REACH)
    reach = learn_reach(found, PRODUCTS, most=PRODUCTS)
    assert reach[CLOSE] == pytest.approx(0.2, abs=1e-3)
    assert [CLOSE in slate for slate in shown(found, reach)] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
    assert reach[FAR] == 0


def test_nothing_is_lifted_where_enough_of_the_shop_is_shown() -> None:
    found = proposals(SEEN_BY, close=0.2, far=0.3)
    assert not learn_reach(found, PRODUCTS, most=SLOTS).any()


def test_the_product_that_lacks_least_is_lifted_first() -> None:
    found = proposals(SEEN_BY, close=0.2, far=0.3)
    assert np.flatnonzero(learn_reach(found, PRODUCTS, most=SLOTS + 1)).tolist() == [CLOSE]


def test_too_few_customers_lift_nothing() -> None:
    found = proposals(SEEN_BY - 1, close=0.2, far=0.3)
    assert not learn_reach(found, PRODUCTS, most=PRODUCTS).any()


def test_a_slate_with_room_shows_everything_without_being_told() -> None:
    found = Proposals(
        item=np.tile([0, 1], SEEN_BY),
        log_odds=np.tile([0.0, -5.0], SEEN_BY),
        indptr=np.arange(SEEN_BY + 1) * 2,
    )
    assert not learn_reach(found, PRODUCTS, most=PRODUCTS).any()
    assert not learn_reach(
        Proposals(np.empty(0, np.int64), np.empty(0), np.zeros(1, np.int64)), PRODUCTS, PRODUCTS
    ).any()
