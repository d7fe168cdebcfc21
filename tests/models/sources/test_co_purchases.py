"""Orders that a reader can count."""

import itertools
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data.events import DAY
from models.settings import BundleSettings
from models.sources.co_purchases import CoPurchases, OrderLists
from tests.support.literal_fit import Order, fit_co_purchases
from tests.support.shop import moment

BREAD, BUTTER, MILK, TEA = range(4)
BASKETS = [{BREAD, BUTTER}, {BREAD, BUTTER, MILK}, {BREAD, MILK}, {MILK, TEA}, {BREAD, BUTTER}]
NOW = moment(100)
DEFAULTS = BundleSettings(min_support=1)


def pairs_of(
    baskets: list[set[int]], ages: list[float] | None = None, settings: BundleSettings = DEFAULTS
) -> CoPurchases:
    orders = [
        Order(basket, time=NOW - round(age * DAY))
        for basket, age in zip(baskets, ages or [0.0] * len(baskets), strict=True)
    ]
    return fit_co_purchases(orders, 4, NOW, settings)


def find_entry(pairs: CoPurchases, anchor: int, other: int) -> int:
    row = pairs.row(anchor)
    return row.start + pairs.item[row].tolist().index(other)


def together(pairs: CoPurchases, anchor: int, other: int) -> int:
    """Orders with both."""
    return int(pairs.together[find_entry(pairs, anchor, other)])


def test_bread_and_butter_are_counted_from_five_orders() -> None:
    pairs = pairs_of(BASKETS)
    assert pairs.orders.tolist() == [4, 3, 3, 1]
    assert pairs.total.tolist() == [5]
    assert together(pairs, BREAD, BUTTER) == 3
    assert together(pairs, BREAD, MILK) == 2
    assert together(pairs, TEA, MILK) == 1


def test_products_that_were_never_in_one_order_are_no_pair() -> None:
    pairs = pairs_of(BASKETS)
    assert pairs.item[pairs.row(TEA)].tolist() == [MILK]
    assert pairs.item[pairs.row(BUTTER)].tolist() == [BREAD, MILK]


def test_orders_that_hold_three_products_are_counted_one_by_one() -> None:
    pairs = pairs_of(BASKETS)
    assert pairs.lists.of(BUTTER).tolist() == [0, 1, 4]
    assert pairs.lists.of_all([MILK, BREAD, BUTTER]).tolist() == [1]
    assert pairs.count_orders([MILK, BREAD, BUTTER]) == 1
    assert pairs.count_orders([BREAD]) == 4
    assert pairs.count_orders([BUTTER, BREAD]) == 3
    assert pairs.count_orders([TEA, BREAD]) == 0


def test_orders_are_counted_of_products_that_are_not_among_the_strongest_partners() -> None:
    few = pairs_of(BASKETS, settings=BundleSettings(min_support=3))
    assert few.item[few.row(MILK)].tolist() == []
    assert few.count_orders([BREAD, MILK]) == 2


def test_of_a_product_that_was_never_learned_from_no_order_is_known() -> None:
    pairs = pairs_of([{BREAD, BUTTER}] * 3)
    assert pairs.count_orders([BREAD, TEA]) is None
    assert pairs.count_orders([TEA]) is None


def test_a_model_of_before_knows_of_pairs_alone() -> None:
    before = replace(pairs_of(BASKETS), lists=OrderLists())
    assert before.count_orders([BUTTER, BREAD]) == 3
    assert before.count_orders([TEA, BREAD]) is None
    assert before.count_orders([BREAD, BUTTER, MILK]) is None


def test_customers_and_guests_who_placed_orders_are_counted_each_once() -> None:
    orders = [Order({BREAD, BUTTER}, customer, NOW) for customer in (0, 0, 2, -1, -1)]
    lists = fit_co_purchases(orders, 4, NOW, DEFAULTS).lists
    assert lists.count_buyers(lists.of(BREAD)) == 4
    assert lists.count_buyers(lists.of(BREAD)[:2]) == 1


def test_the_orders_of_who_is_left_out_are_in_no_list() -> None:
    orders = [
        Order({BREAD, BUTTER}, 0, NOW),
        Order({BREAD, MILK}, 1, NOW),
        Order({BREAD, BUTTER}, -1, NOW),
    ]
    lists = fit_co_purchases(orders, 4, NOW, DEFAULTS).lists
    rest = lists.without(np.array([True, False]))
    assert [rest.of(item).tolist() for item in range(4)] == [[1, 2], [2], [1], []]
    assert rest.user.tolist() == [-1, 1, -1]
    nobody = fit_co_purchases(orders[2:], 4, NOW, DEFAULTS).lists.without(np.zeros(0, np.bool_))
    assert nobody.of(BREAD).tolist() == [0]


@given(
    st.lists(st.sets(st.integers(0, 3), max_size=4), min_size=1, max_size=12),
    st.sets(st.integers(0, 3), min_size=1),
)
def test_what_is_counted_is_what_a_reader_counts(baskets: list[set[int]], unit: set[int]) -> None:
    counted = pairs_of(baskets).count_orders(sorted(unit))
    sold = all(any(item in basket for basket in baskets) for item in unit)
    assert counted == (sum(unit <= basket for basket in baskets) if sold else None)


BASKET = st.sets(st.integers(0, 3), max_size=4)


@given(st.lists(BASKET, min_size=1, max_size=12))
def test_any_orders_are_counted_as_if_by_hand(baskets: list[set[int]]) -> None:
    pairs = pairs_of(baskets)
    both = Counter(pair for basket in baskets for pair in itertools.permutations(basket, 2))
    alone = Counter(item for basket in baskets for item in basket)
    assert pairs.orders.tolist() == [alone[item] for item in range(4)]
    counted = {
        (a, int(b)): together(pairs, a, int(b)) for a in range(4) for b in pairs.item[pairs.row(a)]
    }
    assert counted == both


def test_an_order_counts_less_when_it_is_old_or_large() -> None:
    settings = BundleSettings(
        min_support=1, half_life_days=10.0, size_power=1.0, lift_damping=0.5, confidence_damping=1.0
    )
    pairs = pairs_of([{BREAD, BUTTER}, {BREAD, BUTTER, MILK}], [0, 10], settings)
    # Bread and butter: 1 + 2^-1 / 2. Each of the other two pairs: 2^-1 / 2.
    both, other = 1.25, 0.25
    degree = {BREAD: both + other, BUTTER: both + other, MILK: 2 * other}
    everything = sum(degree.values())
    row = pairs.row(BREAD)
    assert pairs.item[row].tolist() == [BUTTER, MILK]
    lifts = [
        (weight + 0.5) / (degree[BREAD] * degree[partner] / everything + 0.5)
        for weight, partner in ((both, BUTTER), (other, MILK))
    ]
    assert np.exp(pairs.log_lift[row]) == pytest.approx(lifts, rel=1e-5)
    # P(b | bread) with bread in 1.5 orders and one pseudo order
    confidence = [both / 2.5, other / 2.5]
    total = sum(c * lift**settings.lift_weight for c, lift in zip(confidence, lifts, strict=True))
    assert pairs.strength[row] == pytest.approx([c / total**0.5 for c in confidence], rel=1e-5)


def test_an_order_with_more_products_than_allowed_makes_no_pairs() -> None:
    pairs = pairs_of(
        [{BREAD, BUTTER}, {BREAD, BUTTER, MILK}],
        settings=BundleSettings(min_support=1, largest_order=2),
    )
    assert [len(range(*pairs.row(item).indices(99))) for item in range(4)] == [1, 1, 0, 0]
    assert pairs.together.tolist() == [1, 1]


def test_only_the_strongest_partners_are_kept() -> None:
    pairs = pairs_of(BASKETS, settings=BundleSettings(min_support=1, neighbours=1))
    assert pairs.item[pairs.row(BREAD)].tolist() == [BUTTER]
    assert len(pairs.item) == 4


@given(st.lists(BASKET, min_size=1, max_size=12), BASKET, st.floats(0, 2))
def test_a_basket_is_completed_by_the_sum_of_its_ties(
    baskets: list[set[int]], basket: set[int], lift_weight: float
) -> None:
    pairs = pairs_of(baskets)
    expected = [0.0] * 4
    for anchor in basket:
        for entry in range(*pairs.row(anchor).indices(len(pairs.item))):
            lift = np.exp(float(pairs.log_lift[entry]))
            tie = float(pairs.strength[entry]) * lift ** (lift_weight * (1 - 1 / len(basket)))
            expected[int(pairs.item[entry])] += tie
    expected = [0.0 if item in basket else score for item, score in enumerate(expected)]
    assert pairs.basket_scores(sorted(basket), lift_weight).of(
        np.arange(4)
    ).tolist() == pytest.approx(expected, rel=1e-4)


def test_an_empty_basket_is_completed_by_nothing() -> None:
    assert pairs_of(BASKETS).basket_scores([], 1.0).of(np.arange(4)).tolist() == [0, 0, 0, 0]


def test_the_product_with_the_strongest_tie_is_named_first() -> None:
    pairs = pairs_of(BASKETS)
    (evidence,) = pairs.evidence([BREAD, TEA], [MILK], 0.9)
    ties = {}
    for a in (BREAD, TEA):  # of two products: half the weight of the lift
        entry = find_entry(pairs, a, MILK)
        ties[a] = float(pairs.strength[entry] * np.exp(0.45 * pairs.log_lift[entry]))
    assert list(evidence) == sorted(ties, key=ties.__getitem__, reverse=True)


def test_nothing_in_an_empty_basket_is_named() -> None:
    (evidence,) = pairs_of(BASKETS).evidence([], [MILK], 0.9)
    assert list(evidence) == []
