"""TIFU-KNN: a customer's vector and its neighbours, by hand."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from tests.support.shop import Line
from tests.support.training_shop import small_purchases
from training.evaluation.tifu_knn import (
    MAX_CANDIDATES,
    TifuKnnSettings,
    build_basket_vectors,
    fit_tifu_knn,
    select_candidates,
)
from training.fitting.counts import select_lines
from training.reading.purchases import Purchases

TWO_GROUPS = TifuKnnSettings(
    basket_decay=0.5, group_decay=0.1, groups=2, neighbours=1, own_weight=0.75
)


def everything(purchases: Purchases) -> NDArray[np.bool_]:
    return np.ones(len(purchases.product_ids), np.bool_)


def row(matrix: csr_matrix, purchases: Purchases, customer: str) -> dict[str, float]:
    """The products above 0."""
    values = matrix[purchases.customer_ids.find(customer)].toarray().ravel().tolist()
    return {name: value for name, value in zip(purchases.product_ids, values, strict=True) if value}


def vector(
    lines: list[Line], settings: TifuKnnSettings = TWO_GROUPS, *, without: str = ""
) -> dict[str, float]:
    """Anna's."""
    purchases = small_purchases(lines)
    countable = np.array([name != without for name in purchases.product_ids])
    return row(build_basket_vectors(purchases, countable, settings), purchases, "anna")


def scores(
    lines: list[Line], settings: TifuKnnSettings = TWO_GROUPS
) -> dict[str, dict[str, float]]:
    """Of every customer, the products above 0."""
    purchases = small_purchases(lines)
    found = fit_tifu_knn(purchases, everything(purchases), settings)
    matrix = csr_matrix(found.scores(np.arange(len(purchases.customer_ids), dtype=np.int32)))
    return {customer: row(matrix, purchases, customer) for customer in purchases.customer_ids}


FIVE = [("milk",), ("bread",), ("milk",), ("jam",), ("milk", "bread")]  # baskets, oldest first
ANNA = [Line("anna", product, day) for day, basket in enumerate(FIVE) for product in basket]


def test_baskets_fall_into_groups_that_decay_of_baskets_that_decay() -> None:
    # Older group: (.5 milk + bread) / 2. Newer, larger by one: (.25 milk + .5 jam + milk + bread) /
    # 3.
    assert vector(ANNA) == pytest.approx(
        {
            "milk": (1.25 / 3 + 0.1 * 0.5 / 2) / 2,
            "bread": (1 / 3 + 0.1 * 1 / 2) / 2,
            "jam": (0.5 / 3) / 2,
        }
    )


def test_with_fewer_baskets_than_groups_each_is_a_group() -> None:
    settings = replace(TWO_GROUPS, groups=7)
    assert vector(ANNA[:2], settings) == pytest.approx({"milk": 0.1 / 2, "bread": 1 / 2})
    assert vector(ANNA[:1], settings) == pytest.approx({"milk": 1})


def test_groups_that_can_be_equal_are() -> None:
    assert vector(ANNA[:4]) == pytest.approx(
        {"jam": 1 / 4, "milk": (0.5 + 0.1 * 0.5) / 4, "bread": 0.1 / 4}
    )


def test_baskets_are_taken_in_the_order_of_time_and_not_of_their_names() -> None:
    renamed = [replace(line, order=f"{9 - line.day}") for line in ANNA]
    assert vector(renamed) == pytest.approx(vector(ANNA))


def test_a_product_twice_in_a_basket_counts_once() -> None:
    assert vector([*ANNA[:2], Line("anna", "bread", 1.5)]) == pytest.approx(vector(ANNA[:2]))


def test_a_basket_of_products_that_do_not_count_is_a_basket() -> None:
    expected = vector(ANNA)
    del expected["jam"]
    assert vector(ANNA, without="jam") == pytest.approx(expected)


def test_views_and_returns_and_what_others_bought_change_nobody_s_vector() -> None:
    others = [
        Line("", "milk", 2, "a guest's"),
        Line("ben", "milk", 2),
        Line("anna", "jam", 9, kind="view"),
    ]
    assert vector([*ANNA, *others, Line("anna", "bread", 9, kind="return")]) == pytest.approx(
        vector(ANNA)
    )


def test_a_score_mixes_their_own_with_the_mean_of_the_nearest() -> None:
    # One basket each. Ben shares two of three products with Anna, Carl one of two.
    baskets = {"anna": "milk bread", "ben": "milk bread jam", "carl": "milk tea"}
    lines = [
        Line(customer, product, 1)
        for customer, basket in baskets.items()
        for product in basket.split()
    ]
    assert scores(lines)["anna"] == pytest.approx({"milk": 1, "bread": 1, "jam": 0.25})
    everyone = scores(lines, replace(TWO_GROUPS, neighbours=10))
    assert everyone["anna"] == pytest.approx(
        {"milk": 1, "bread": 0.875, "jam": 0.125, "tea": 0.125}
    )


def test_the_nearest_is_who_buys_in_the_same_proportion() -> None:
    # Milk and bread: Anna 1 and 1; Ben 1/2 and 1/2, and 1/4 jam; Carl 1 and 1/2, and 1/2 tea.
    baskets = {
        "anna": ["milk bread"],
        "ben": ["milk", "bread", "milk", "bread jam"],
        "carl": ["milk bread", "milk tea"],
    }
    lines = [
        Line(customer, product, day)
        for customer, orders in baskets.items()
        for day, basket in enumerate(orders)
        for product in basket.split()
    ]
    evenly = TifuKnnSettings(basket_decay=1, group_decay=1, groups=4, neighbours=1, own_weight=0.75)
    # Cosines of 1 / (√2 · 3/4) = .94 and 1.5 / (√2 · √1.5) = .87
    assert scores(lines, evenly)["anna"] == pytest.approx(
        {"milk": 0.875, "bread": 0.875, "jam": 0.0625}
    )


def test_who_has_nothing_in_common_with_others_is_left_with_their_own() -> None:
    lines = [
        Line("anna", "milk", 1),
        Line("ben", "bread", 1),
        Line("carl", "bread", 1),
        Line("carl", "jam", 1),
    ]
    found = scores(lines, replace(TWO_GROUPS, neighbours=3))
    assert found["anna"] == pytest.approx({"milk": 0.75})
    assert found["ben"] == pytest.approx({"bread": 1, "jam": 0.25})


def test_who_bought_nothing_has_no_scores() -> None:
    lines = [Line("anna", "milk", 1), Line("ben", "milk", 1), Line("carl", "milk", 1, kind="view")]
    assert scores(lines)["carl"] == {}


def crowd(customers: int) -> Purchases:
    """Everybody bought milk once."""
    lines = select_lines(small_purchases([Line("anna", "milk", 5)]), np.zeros(customers, np.int64))
    return replace(lines, user=np.arange(customers, dtype=np.int32))


def test_of_very_many_customers_a_sample_may_be_neighbours_and_it_is_always_the_same() -> None:
    shops = [crowd(MAX_CANDIDATES + 100) for _ in range(2)]
    one, again = (select_candidates(shop, everything(shop)).tolist() for shop in shops)
    assert one == again == sorted(set(one))
    assert len(one) == MAX_CANDIDATES


def test_nobody_is_left_out_of_a_smaller_crowd_but_who_bought_nothing_that_counts() -> None:
    shop = crowd(MAX_CANDIDATES)
    assert select_candidates(shop, everything(shop)).tolist() == list(range(MAX_CANDIDATES))
    assert len(select_candidates(shop, ~everything(shop))) == 0
