"""Slates of published methods: who is asked about, what may be shown, and what nobody may see."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models.data.ids import Ids
from tests.support.shop import Line
from tests.support.training_shop import small_purchases, small_shop_purchases
from training.config import EvaluationConfig
from training.evaluation.ease import MAX_PRODUCTS
from training.evaluation.reference_methods import (
    CHUNK,
    EASE,
    REFERENCE_METHODS,
    TIFU_KNN,
    build_reference_slates,
    list_limits,
)
from training.evaluation.split import Split, split_history
from training.evaluation.tifu_knn import MAX_CANDIDATES
from training.evaluation.visits import Visit
from training.fitting.counts import select_lines
from training.reading.purchases import Purchases

CROWD = [f"crowd {number:02}" for number in range(20)]


def corner_shop(*lines: Line) -> tuple[Split, Purchases]:
    """Twenty customers buy milk and bread on day 10, three of them jam too, all of them milk on day
    100.
    """
    crowd = [Line(customer, product, 10) for customer in CROWD for product in ("milk", "bread")]
    crowd += [Line(customer, "milk", 100) for customer in CROWD]
    crowd += [Line(customer, "jam", 10) for customer in CROWD[:3]]
    return cut(small_purchases([*crowd, *lines]), 7)


def cut(purchases: Purchases, days: int) -> tuple[Split, Purchases]:
    parts = split_history(purchases, EvaluationConfig(test_days=days))
    assert parts is not None
    return parts, purchases


def shown(
    slates: NDArray[np.int64], parts: Split, purchases: Purchases, customer: str
) -> list[str]:
    slate = slates[parts.users.tolist().index(purchases.customer_ids.find(customer))]
    assert (slate[np.argmin(slate) :] == -1).all() or slate.min() >= 0
    return [purchases.product_ids[item] for item in slate if item >= 0]


def of_customers(parts: Split, k: int, method: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Slates of all products, and of those new to the customer."""
    slates = build_reference_slates(parts, k)[method]
    return slates["all"], slates["discovery"]


@pytest.mark.parametrize("method", REFERENCE_METHODS)
def test_a_visit_is_shown_what_goes_with_what_it_has_seen_and_not_that_again(method: str) -> None:
    bought = [Line("anna", "milk", 20), Line("anna", "jam", 95), Line("anna", "milk", 96)]
    parts, purchases = corner_shop(*bought)
    milk = purchases.product_ids.find("milk")
    seen = replace(parts, visits=[Visit(-1, (milk,), frozenset([0]))] * 2, views=[])
    slates = build_reference_slates(seen, 5)[method]
    assert slates["visit"].shape == (2, 5)
    for slate in slates["visit"]:
        assert purchases.product_ids[slate[0]] == "bread"
        assert milk not in slate
    assert slates["next view"].shape == (0, 5)


@pytest.mark.parametrize("method", REFERENCE_METHODS)
def test_what_goes_together_is_shown_to_who_has_half_of_it(method: str) -> None:
    parts, purchases = corner_shop(Line("anna", "milk", 20), Line("anna", "bread", 95))
    everything, new = of_customers(parts, 5, method)
    assert "bread" in shown(everything, parts, purchases, "anna")
    assert shown(new, parts, purchases, "anna")[0] == "bread"
    assert "milk" not in shown(new, parts, purchases, "anna")


def test_own_purchases_come_first_in_tifu_knn() -> None:
    parts, purchases = corner_shop(Line("anna", "jam", 20), Line("anna", "bread", 95))
    everything, new = of_customers(parts, 5, TIFU_KNN)
    assert shown(everything, parts, purchases, "anna")[0] == "jam"
    assert shown(new, parts, purchases, "anna") == ["bread", "milk"]


@pytest.mark.parametrize("method", REFERENCE_METHODS)
def test_a_product_bought_twice_is_not_shown_and_a_slate_without_products_is_empty(
    method: str,
) -> None:
    rare = [Line("anna", "rare", 20), Line("ben", "rare", 20), Line("ben", "milk", 20)]
    parts, purchases = corner_shop(*rare, Line("anna", "milk", 95), Line("ben", "milk", 95))
    everything, new = of_customers(parts, 5, method)
    assert everything.shape == new.shape == (22, 5)
    assert shown(everything, parts, purchases, "anna") == shown(new, parts, purchases, "anna") == []
    assert purchases.product_ids.find("rare") not in everything
    assert shown(new, parts, purchases, CROWD[0]) == []
    assert -1 in everything


@pytest.mark.parametrize("method", REFERENCE_METHODS)
def test_nobody_is_shown_as_new_what_they_bought_and_no_product_twice(method: str) -> None:
    parts, _ = cut(small_shop_purchases(), 28)
    everything, new = of_customers(parts, 10, method)
    for user, anything, unknown in zip(parts.users, everything, new, strict=True):
        bought = set(parts.past.item[parts.past.user == user].tolist())
        assert not bought & set(unknown.tolist())
        for slate in (anything[anything >= 0], unknown[unknown >= 0]):
            assert len(set(slate.tolist())) == len(slate) > 0
            assert parts.countable[slate].all()


@pytest.mark.parametrize("method", REFERENCE_METHODS)
def test_what_was_only_looked_at_is_new(method: str) -> None:
    looked = Line("anna", "bread", 20, kind="view")
    parts, purchases = corner_shop(Line("anna", "milk", 20), looked, Line("anna", "bread", 95))
    assert shown(of_customers(parts, 5, method)[1], parts, purchases, "anna")[0] == "bread"


def test_what_was_bought_after_the_cut_changes_no_slate() -> None:
    parts, _ = cut(small_shop_purchases(), 28)
    nothing = replace(
        parts, future=select_lines(parts.future, np.zeros(len(parts.future), np.bool_))
    )
    for method in REFERENCE_METHODS:
        found, expected = of_customers(nothing, 10, method), of_customers(parts, 10, method)
        np.testing.assert_array_equal(found, expected)


def test_a_slate_does_not_depend_on_who_else_is_asked_about() -> None:
    customers = [f"c{number:03}" for number in range(CHUNK + 44)]
    products = [
        [f"p{number % 7}", f"p{number % 11}", f"p{number % 13}"] for number in range(len(customers))
    ]
    lines = [
        Line(one, product, 10)
        for one, bought in zip(customers, products, strict=True)
        for product in bought
    ]
    parts, _ = cut(small_purchases([*lines, *(Line(one, "p0", 100) for one in customers)]), 7)
    last = replace(parts, users=parts.users[CHUNK - 1 :])
    for method in REFERENCE_METHODS:
        alone, together = of_customers(last, 3, method), of_customers(parts, 3, method)
        for found, expected in zip(alone, together, strict=True):
            np.testing.assert_array_equal(found, expected[CHUNK - 1 :])


@pytest.mark.parametrize("method", REFERENCE_METHODS)
def test_a_shop_whose_customers_bought_nothing_that_counts_has_empty_slates(method: str) -> None:
    lines = [Line("", "milk", day, f"guest {day}") for day in range(3)]
    lines += [Line(customer, customer, 10) for customer in CROWD]
    parts, _ = cut(
        small_purchases([*lines, *(Line(customer, "milk", 100) for customer in CROWD)]), 7
    )
    everything, new = of_customers(parts, 3, method)
    assert everything.tolist() == new.tolist() == [[-1, -1, -1]] * 20


def test_progress_counts_the_customers_of_both_methods() -> None:
    told: list[tuple[int, int]] = []
    parts, _ = corner_shop()
    build_reference_slates(parts, 5, on_progress=lambda *step: told.append(step))
    assert told == [(20, 40), (40, 40)]


def test_of_a_small_shop_nothing_is_left_out() -> None:
    assert list_limits(corner_shop()[0]) == {}


def test_of_a_very_large_shop_it_is_said_what_was_left_out() -> None:
    parts, purchases = corner_shop()
    n = MAX_CANDIDATES + 1
    item = (np.arange(n) % (MAX_PRODUCTS + 1)).astype(np.int32)
    past = replace(
        select_lines(purchases, np.zeros(n, np.int64)), user=np.arange(n, dtype=np.int32), item=item
    )
    past = replace(past, customer_ids=Ids.of([f"{number:05}" for number in range(n)]))
    assert list_limits(
        replace(parts, past=past, countable=np.ones(MAX_PRODUCTS + 1, np.bool_))
    ) == {
        EASE: "the 12,000 most bought products alone",
        TIFU_KNN: "neighbours from 50,000 customers",
    }
