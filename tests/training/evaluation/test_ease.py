"""EASE: the formula of the paper on shops of a few products, from whichever matrix is the smaller."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.data.ids import Ids
from tests.support.shop import Line, moment
from tests.support.training_shop import small_purchases
from training.evaluation.ease import MAX_PRODUCTS, Ease, EaseSettings, fit_ease, select_products
from training.fitting.counts import select_lines
from training.reading.purchases import Purchases

PLAIN = EaseSettings(half_life_days=10, power=0.5, regularization=1.0)


def everything(purchases: Purchases) -> NDArray[np.bool_]:
    return np.ones(len(purchases.product_ids), np.bool_)


def fitted(lines: list[Line], day: float, settings: EaseSettings = PLAIN) -> tuple[Ease, Purchases]:
    purchases = small_purchases(lines)
    return fit_ease(purchases, everything(purchases), moment(day), settings), purchases


def told(ease: Ease, purchases: Purchases, customer: str) -> dict[str, float]:
    scores = ease.scores(np.array([purchases.customer_ids.find(customer)], np.int32))[0]
    return dict(zip(purchases.product_ids, scores.tolist(), strict=True))


def literal(x: NDArray[np.float64], regularization: float) -> NDArray[np.float64]:
    """S = XB, B = I - P / diag(P), P = (XᵀX + λI)⁻¹."""
    p = np.linalg.inv(x.T @ x + regularization * np.eye(x.shape[1]))
    b = np.eye(x.shape[1]) - p / np.diag(p)
    return x @ b


def test_two_products_by_hand() -> None:
    # XᵀX + I = [[2, 1], [1, 3]] for bread and milk; its inverse is [[3, -1], [-1, 2]] / 5.
    ease, shop = fitted(
        [Line("anna", "milk", 5), Line("anna", "bread", 5), Line("ben", "milk", 5)], day=5
    )
    assert told(ease, shop, "anna") == pytest.approx({"bread": 1 / 3, "milk": 1 / 2}, abs=1e-6)
    assert told(ease, shop, "ben") == pytest.approx({"bread": 1 / 3, "milk": 0}, abs=1e-6)


def test_a_purchase_of_two_half_lives_ago_counts_half_and_two_of_the_same_day_the_root_of_two() -> (
    None
):
    lines = [
        Line("anna", "milk", 0),
        Line("ben", "milk", 20, "first"),
        Line("ben", "milk", 20, "second"),
    ]
    ease, _ = fitted(lines, day=20)
    assert ease.bought.toarray().ravel() == pytest.approx([0.5, 2**0.5])


@pytest.mark.parametrize(("customers", "products"), [(30, 8), (8, 30), (9, 9)])
def test_scores_are_those_of_the_paper_whether_customers_or_products_are_fewer(
    customers: int, products: int
) -> None:
    x = np.random.default_rng(3).random((customers, products)) < 0.4
    x[:, 0] = x[0] = True
    lines = [Line(f"c{user:02}", f"p{item:02}", 5) for user, item in np.argwhere(x)]
    ease, _ = fitted(lines, day=5)
    assert len(ease.inverse) == min(customers, products)
    found = ease.scores(np.arange(customers, dtype=np.int32))
    np.testing.assert_allclose(found, literal(x.astype(float), 1.0), atol=2e-5)


def test_products_that_do_not_count_and_guests_say_nothing() -> None:
    lines = [Line("anna", "milk", 5), Line("anna", "bread", 5), Line("ben", "milk", 5)]
    more = [
        *lines,
        Line("anna", "rare", 5),
        Line("", "milk", 5, "a guest's"),
        Line("", "bread", 5, "a guest's"),
    ]
    purchases = small_purchases(more)
    countable = np.array([name != "rare" for name in purchases.product_ids])
    ease = fit_ease(purchases, countable, moment(5), PLAIN)
    without, shop = fitted(lines, day=5)
    assert told(ease, purchases, "anna") == pytest.approx(
        {**told(without, shop, "anna"), "rare": 0}, abs=1e-6
    )


def test_of_someone_who_bought_nothing_nothing_is_expected() -> None:
    lines = [
        Line("anna", "milk", 5),
        Line("anna", "bread", 5),
        Line("ben", "milk", 5),
        Line("carl", "milk", 5, kind="view"),
    ]
    ease, shop = fitted(lines, day=5)
    assert told(ease, shop, "carl") == {"bread": 0, "milk": 0}


def crowd(customers: int, products: int) -> Purchases:
    """Everybody bought one product once, and the last product was bought once more."""
    n = max(customers, products)
    one = small_purchases([Line("anna", "milk", 5)])
    items = np.append(np.arange(n) % products, products - 1).astype(np.int32)
    names = [Ids.of([f"{number:05}" for number in range(count)]) for count in (customers, products)]
    user = np.sort(np.arange(n + 1) % customers).astype(np.int32)
    lines = select_lines(one, np.zeros(n + 1, np.int64))
    return replace(lines, user=user, item=items, customer_ids=names[0], product_ids=names[1])


def test_of_too_many_products_the_most_bought_are_kept() -> None:
    shop = crowd(MAX_PRODUCTS + 1, MAX_PRODUCTS + 1)
    kept = select_products(shop, everything(shop))
    assert kept.tolist() == [*range(MAX_PRODUCTS - 1), MAX_PRODUCTS]


@pytest.mark.parametrize(
    ("customers", "products"), [(MAX_PRODUCTS, MAX_PRODUCTS + 1), (MAX_PRODUCTS + 1, MAX_PRODUCTS)]
)
def test_all_products_are_kept_where_they_or_the_customers_are_few_enough(
    customers: int, products: int
) -> None:
    shop = crowd(customers, products)
    assert len(select_products(shop, everything(shop))) == products


def test_products_that_do_not_count_take_no_place() -> None:
    shop = crowd(MAX_PRODUCTS + 1, MAX_PRODUCTS + 1)
    countable = everything(shop)
    countable[0] = False
    assert select_products(shop, countable).tolist() == [*range(1, MAX_PRODUCTS + 1)]


@pytest.mark.parametrize("customers", [3, 9])
def test_a_visit_is_scored_like_a_customer_who_bought_what_it_has_seen(customers: int) -> None:
    """With fewer customers than products and with more, two different matrices are inverted."""
    random = np.random.default_rng(1)
    bought = [sorted(random.choice(5, 3, replace=False).tolist()) for _ in range(customers)]
    lines = [Line(f"c{row}", f"p{item}", 5) for row, own in enumerate(bought) for item in own]
    lines += [Line("c0", f"p{item}", 5) for item in range(5)]
    ease, shop = fitted(lines, day=5)
    assert len(shop.product_ids) == 5
    seen = csr_matrix(ease.bought.toarray())
    users = np.arange(customers, dtype=np.int32)
    np.testing.assert_allclose(ease.scores_of_visits(seen), ease.scores(users), atol=1e-5)
