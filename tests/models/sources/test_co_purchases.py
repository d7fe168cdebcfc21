"""Orders that a reader can count."""

import itertools
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data.events import DAY
from models.settings import BundleSettings
from models.sources.co_purchases import CoPurchases
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


def figures(pairs: CoPurchases, anchor: int, other: int) -> tuple[int, float]:
    """Orders with both, and the lift."""
    row = pairs.row(anchor)
    entry = row.start + pairs.item[row].tolist().index(other)
    return int(pairs.together[entry]), float(pairs.lifts(anchor, slice(entry, entry + 1))[0])


def test_bread_and_butter_are_counted_from_five_orders() -> None:
    pairs = pairs_of(BASKETS)
    assert pairs.orders.tolist() == [4, 3, 3, 1]
    assert pairs.total.tolist() == [5]
    # In 3 of 5 orders together, bread in 4 and butter in 3: (3/5) / (4/5 · 3/5)
    assert figures(pairs, BREAD, BUTTER) == (3, pytest.approx(1.25))
    # Bread and milk: (2/5) / (4/5 · 3/5)
    assert figures(pairs, BREAD, MILK) == (2, pytest.approx(5 / 6))
    assert figures(pairs, TEA, MILK) == (1, pytest.approx(5 / 3))


def test_products_that_were_never_in_one_order_are_no_pair() -> None:
    pairs = pairs_of(BASKETS)
    assert pairs.item[pairs.row(TEA)].tolist() == [MILK]
    assert pairs.item[pairs.row(BUTTER)].tolist() == [BREAD, MILK]


BASKET = st.sets(st.integers(0, 3), max_size=4)


@given(st.lists(BASKET, min_size=1, max_size=12))
def test_any_orders_are_counted_as_if_by_hand(baskets: list[set[int]]) -> None:
    pairs = pairs_of(baskets)
    both = Counter(pair for basket in baskets for pair in itertools.permutations(basket, 2))
    alone = Counter(item for basket in baskets for item in basket)
    assert pairs.orders.tolist() == [alone[item] for item in range(4)]
    counted = {
        (a, int(b)): figures(pairs, a, int(b)) for a in range(4) for b in pairs.item[pairs.row(a)]
    }
    assert counted == {
        (a, b): (count, pytest.approx(count * len(baskets) / alone[a] / alone[b]))
        for (a, b), count in both.items()
    }


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
    ties = {  # of two products: half the weight of the lift
        a: float(
            pairs.link_scores(pairs.row(a), 0.45)[pairs.item[pairs.row(a)].tolist().index(MILK)]
        )
        for a in (BREAD, TEA)
    }
    assert list(evidence) == sorted(ties, key=ties.__getitem__, reverse=True)


def test_nothing_in_an_empty_basket_is_named() -> None:
    (evidence,) = pairs_of(BASKETS).evidence([], [MILK], 0.9)
    assert list(evidence) == []
