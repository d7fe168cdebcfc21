"""Baskets whose hits can be counted: breakfast is bought together, and so are tools."""

from pathlib import Path

import pytest

from tests.support.shop import SMALL, Line, Product
from tests.support.training_shop import small_purchases, trained
from training.config import EvaluationConfig
from training.evaluation.bundles import evaluate_bundles
from training.evaluation.split import split_history
from training.progress import ignore
from training.publishing import write_twin

BREAKFAST = ("bread", "butter", "jam")
TOOLS = ("hammer", "nails", "saw")
KINDS = {"bread": BREAKFAST, "hammer": TOOLS}
SHELF = [Product(product, category=kind) for kind, kit in KINDS.items() for product in kit]
Rates = dict[str, dict[str, float]]


def order(customer: str, products: tuple[str, ...], day: float) -> list[Line]:
    return [Line(customer, product, day, f"{customer} {day} {products[0]}") for product in products]


def rates(
    root: Path, *baskets: tuple[str, ...], always: tuple[str, ...] = (), **options: int
) -> Rates:
    """Hit rates for these orders, placed after the cut in a shop that sold breakfasts and tools
    before it.

    `always`: what stood in every order before the cut.
    """
    config = EvaluationConfig(test_days=10, **options)
    lines = [
        line
        for n in range(25)
        for kit in (BREAKFAST, TOOLS)
        for line in order(f"c{n:02}", kit + always, n)
    ]
    lines += order("c00", ("rare", *always), 1)
    lines += [
        line for n in range(25) for line in order(f"c{n:02}", ("bread",), 60)
    ]  # someone to ask about, no basket
    lines += [
        line
        for number, basket in enumerate(baskets)
        for line in order(f"guest {number}", basket, 59)
    ]
    parts = split_history(small_purchases(lines, SHELF), config)
    assert parts is not None
    twin = write_twin(root, trained(parts.past).model, parts.past, SMALL)
    return evaluate_bundles(twin, parts, config, processes=1, on_progress=ignore)


def test_a_basket_that_is_always_bought_together_is_completed(tmp_path: Path) -> None:
    every = {"per order": 1.0, "per product": 1.0, "orders": 1}
    assert rates(tmp_path, BREAKFAST) == {"basket": every, "one product": every}


def test_a_product_that_never_stood_with_the_others_is_a_miss(tmp_path: Path) -> None:
    # Breakfast is completed three times; of bread with three tools, bread is missed and the tools
    # are found.
    found = rates(tmp_path, BREAKFAST, ("bread", *TOOLS))
    assert found["basket"] == {
        "per order": pytest.approx((1 + 3 / 4) / 2),
        "per product": pytest.approx((3 + 3) / 7),
        "orders": 2,
    }
    assert found["one product"]["per product"] <= 6 / 7


def test_a_product_of_every_order_completes_no_basket_and_makes_no_bundle(tmp_path: Path) -> None:
    # As it is served: only what is bought with a product more often than chance would have it.
    found = rates(tmp_path, *[("bread", "butter", "bag")] * 12, always=("bag",))
    # The bag is never proposed; bread and butter are, where the other is in the basket, or is the
    # one that is given.
    assert found["basket"]["per product"] == pytest.approx(2 / 3)
    assert 0 < found["one product"]["per product"] < 2 / 3


def test_only_the_first_k_count(tmp_path: Path) -> None:
    # Given bread and hammer, four products are tied alike; the two that are hidden in turn are not
    # both the first.
    assert (
        rates(tmp_path, ("bread", "hammer", "butter", "nails"), k=4)["basket"]["per product"] == 1
    )
    assert rates(tmp_path, ("bread", "hammer", "butter", "nails"), k=1)["basket"]["per product"] < 1


def test_small_large_and_unlearned_orders_are_not_asked_about(tmp_path: Path) -> None:
    two_that_count = ("bread", "jam", "rare")
    found = rates(
        tmp_path, BREAKFAST, ("bread", "jam"), BREAKFAST + TOOLS, two_that_count, largest_order=5
    )
    assert found["basket"]["orders"] == 1


def test_without_orders_of_that_size_there_are_no_rates(tmp_path: Path) -> None:
    assert rates(tmp_path, ("bread", "jam")) == {}


def test_a_sample_of_orders_is_as_large_as_asked_for(tmp_path: Path) -> None:
    assert rates(tmp_path, *[BREAKFAST] * 7, max_orders=4)["basket"]["orders"] == 4
