"""Pairs of products in orders: plain counts by hand, strength and lift against their formulas,
written out slowly.
"""

import itertools
import math

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from models.data.events import DAY
from models.settings import BundleSettings
from models.sources.co_purchases import CoPurchases
from training.fitting.co_purchases import fit_co_purchases

SETTINGS = BundleSettings(min_support=1)
NOW = 1000 * DAY


def fit(
    orders: list[set[int]], days_ago: list[float], settings: BundleSettings = SETTINGS, n: int = 6
) -> CoPurchases:
    matrix = np.zeros((len(orders), n), np.float32)
    for row, order in enumerate(orders):
        matrix[row, list(order)] = 1
    times = np.array([NOW - round(days * DAY) for days in days_ago], np.int64)
    users = np.arange(len(orders), dtype=np.int32) - 1  # the first one is a guest's
    return fit_co_purchases(csr_matrix(matrix), times, users, NOW, settings)


def partners(pairs: CoPurchases, item: int) -> dict[int, tuple[float, float, int]]:
    """Partner -> (strength, lift, orders with both)."""
    here = pairs.row(item)
    columns = (
        pairs.item[here],
        pairs.strength[here],
        np.exp(pairs.log_lift[here]),
        pairs.together[here],
    )
    return {int(b): (float(s), float(lift), int(n)) for b, s, lift, n in zip(*columns, strict=True)}


def literal(
    orders: list[set[int]], days_ago: list[float]
) -> dict[int, dict[int, tuple[float, float, int]]]:
    decay = [2 ** (-days / SETTINGS.half_life_days) for days in days_ago]
    # q = d (s - 1)^-power for each pair of an order of s products
    weight = dict.fromkeys(itertools.permutations(range(6), 2), 0.0)
    together = dict.fromkeys(weight, 0)
    for d, order in zip(decay, orders, strict=True):
        for pair in itertools.permutations(order, 2):
            weight[pair] += d * (len(order) - 1) ** -SETTINGS.size_power
            together[pair] += 1
    degree = [sum(w for (a, _), w in weight.items() if a == item) for item in range(6)]
    found: dict[int, dict[int, tuple[float, float, int]]] = {}
    for a in range(6):
        bought = sum(d for d, order in zip(decay, orders, strict=True) if a in order)
        rows = {}
        for b in (b for b in range(6) if together.get((a, b))):
            expected = degree[a] * degree[b] / sum(degree)
            lift = (weight[a, b] + SETTINGS.lift_damping) / (expected + SETTINGS.lift_damping)
            rows[b] = (weight[a, b] / (bought + SETTINGS.confidence_damping), lift, together[a, b])
        total = sum(
            confidence * lift**SETTINGS.lift_weight for confidence, lift, _ in rows.values()
        )
        found[a] = {
            b: (confidence / math.sqrt(total), lift, n) for b, (confidence, lift, n) in rows.items()
        }
    return found


def test_every_pair_is_the_formula() -> None:
    random = np.random.default_rng(5)
    orders = [
        set(random.choice(6, random.integers(1, 6), replace=False).tolist()) for _ in range(40)
    ]
    days_ago = random.uniform(0, 400, 40).tolist()
    pairs, wanted = fit(orders, days_ago), literal(orders, days_ago)
    for item in range(6):
        found = partners(pairs, item)
        assert list(found) == sorted(wanted[item])
        for partner, figures in wanted[item].items():
            assert found[partner] == pytest.approx(figures, rel=1e-4)


def test_orders_are_counted_whatever_their_age() -> None:
    pairs = fit([{0, 1}, {0, 1, 2}, {0}, {3}], [0, 900, 0, 0])
    assert {b: n for b, (_, _, n) in partners(pairs, 0).items()} == {1: 2, 2: 1}
    assert pairs.orders.tolist() == [3, 2, 1, 1, 0, 0]
    assert pairs.total.tolist() == [4]


def test_an_order_too_large_to_mean_anything_ties_nothing() -> None:
    pairs = fit([{0, 1, 2, 3}, {0, 1}], [0, 0], BundleSettings(min_support=1, largest_order=3))
    assert {item: list(partners(pairs, item)) for item in range(4)} == {
        0: [1],
        1: [0],
        2: [],
        3: [],
    }
    assert pairs.orders.tolist()[:4] == [2, 2, 1, 1]
    assert [pairs.lists.of(item).tolist() for item in range(4)] == [[0], [0], [], []]


def test_every_order_of_several_products_stands_in_the_list_of_each() -> None:
    pairs = fit([{0}, {0, 1}, {2}, {0, 1, 2}], [0, 900, 0, 0])
    assert [pairs.lists.of(item).tolist() for item in range(4)] == [[0, 1], [0, 1], [1], []]
    assert pairs.lists.user.tolist() == [0, 2]


def test_only_the_strongest_partners_are_kept() -> None:
    orders = [{0, 1}] * 5 + [{0, 2}] * 3 + [{0, 3}]
    pairs = fit(orders, [0] * 9, BundleSettings(min_support=1, neighbours=2))
    assert list(partners(pairs, 0)) == [1, 2]
    assert list(partners(pairs, 3)) == [0]


def test_of_equal_partners_the_first_by_id_are_kept() -> None:
    pairs = fit([{0, 1, 2, 3, 4}] * 3, [0] * 3, BundleSettings(min_support=1, neighbours=2))
    assert [list(partners(pairs, item)) for item in range(5)] == [
        [1, 2],
        [0, 2],
        [0, 1],
        [0, 1],
        [0, 1],
    ]


@pytest.mark.parametrize("orders", [[], [{0}], [set()]])
def test_a_shop_that_never_sold_two_things_at_once_has_no_pairs(orders: list[set[int]]) -> None:
    pairs = fit(orders, [0] * len(orders))
    assert len(pairs.item) == 0
    assert pairs.total.tolist() == [len(orders)]


def test_progress_ends_with_the_last_product() -> None:
    told: list[tuple[int, int]] = []
    orders = csr_matrix(np.ones((1, 3), np.float32))
    fit_co_purchases(
        orders,
        np.array([NOW]),
        np.array([-1]),
        NOW,
        SETTINGS,
        on_progress=lambda *step: told.append(step),
    )
    assert told[-1] == (3, 3)
