"""Substitutes told from complements: what one customer buys again and again, but hardly ever in one
order.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import pytest

from models.model import Model
from models.settings import BundleSettings, HistorySettings
from tests.support.shop import SMALL, Line, Product
from tests.support.training_shop import small_purchases, trained

DAIRY = (
    Product("blue milk", category="milk"),
    Product("red milk", category="milk"),
    Product("bread", category="bread"),
)


def orders_of(customer: str, orders: Sequence[Sequence[str]]) -> list[Line]:
    return [
        Line(customer, thing, 1, f"{customer} {number}")
        for number, order in enumerate(orders)
        for thing in order
    ]


def learned(lines: list[Line], products: Sequence[Product], **changes: float) -> Model:
    bundles = replace(BundleSettings(), **changes)  # type: ignore[arg-type]
    settings = replace(SMALL, history=HistorySettings(min_lines=1), bundles=bundles)
    return trained(small_purchases(lines, products), settings).model


def found(
    lines: list[Line], products: Sequence[Product] = DAIRY, **changes: float
) -> set[tuple[str, str]]:
    """Pairs of substitutes, told alike by either of the two."""
    model = learned(lines, products, **changes)
    of = [set(model.substitutes.of([item]).tolist()) for item in range(len(model.catalogue))]
    pairs = [(a, b) for a, b in combinations(range(len(of)), 2) if b in of[a]]
    assert all(a not in of[a] for a in range(len(of)))
    assert sum(map(len, of)) == 2 * len(pairs) == 2 * sum(a in of[b] for a, b in pairs)
    return {(model.catalogue.ids[a], model.catalogue.ids[b]) for a, b in pairs}


def in_turn(*things: str, customers: int = 6) -> list[Line]:
    """Customers with ten orders each: bread, and one of the things after the other."""
    orders = [["bread", things[visit % len(things)]] for visit in range(10)]
    return [line for number in range(customers) for line in orders_of(f"c{number}", orders)]


def test_two_milks_bought_in_turn_are_substitutes_and_bread_is_none_of_them() -> None:
    assert found(in_turn("blue milk", "red milk")) == {("blue milk", "red milk")}


def test_two_milks_that_are_bought_at_once_are_none() -> None:
    assert (
        found(
            [line for n in range(6) for line in orders_of(f"c{n}", [["blue milk", "red milk"]] * 5)]
        )
        == set()
    )


def test_what_guests_order_tells_nothing() -> None:
    guests = [
        replace(line, customer="", order=f"{line.customer} {line.order}")
        for line in in_turn("blue milk", "red milk")
    ]
    assert found(guests) == set()
    # Nor do guests who take both milks speak against it.
    both = [line for number in range(100) for line in orders_of("", [["blue milk", "red milk"]])]
    both = [replace(line, order=f"{number // 2}") for number, line in enumerate(both)]
    assert found(in_turn("blue milk", "red milk") + both) == {("blue milk", "red milk")}


def test_what_different_customers_buy_tells_nothing() -> None:
    lines = [
        line
        for n in range(6)
        for line in orders_of(f"c{n}", [["bread", ("blue milk", "red milk")[n % 2]]] * 10)
    ]
    assert found(lines) == set()


@pytest.mark.parametrize(("customers", "told"), [(4, False), (5, True)])
def test_a_few_orders_are_not_enough_to_tell(customers: int, told: bool) -> None:
    # Chance would put 5 and 5 of a customer's 10 orders into 25 / 10 with both, and there are none:
    # 20.5 < .67 (20.5 + 2.5 customers) from 4.04 customers on
    lines = in_turn("blue milk", "red milk", customers=customers)
    assert bool(found(lines, substitute_damping=20.5)) == told


def test_an_order_with_both_now_and_then_changes_nothing_and_many_do() -> None:
    lines = in_turn("blue milk", "red milk")
    once = [
        replace(line, order="extra")
        for n in range(3)
        for line in orders_of(f"c{n}", [["blue milk", "red milk"]])
    ]
    assert found(lines + once) == {("blue milk", "red milk")}
    often = [
        line for n in range(6) for line in orders_of(f"c{n} ", [["blue milk", "red milk"]] * 5)
    ]
    assert found(lines + [replace(line, customer=line.customer.strip()) for line in often]) == set()


def test_products_of_two_categories_are_never_substitutes() -> None:
    tea = (Product("blue milk", category="milk"), Product("tea", category="tea"))
    assert found(in_turn("blue milk", "tea"), tea) == set()


def test_where_categories_are_unknown_titles_tell_what_is_alike() -> None:
    alike = (
        Product("blue milk", "Whole milk 1 l"),
        Product("red milk", "WHOLE MILK organic"),
        Product("bread", "Rye"),
    )
    other = (
        Product("blue milk", "Whole milk 1 l"),
        Product("red milk", "Green tea"),
        Product("bread", "Rye"),
    )
    assert found(in_turn("blue milk", "red milk"), alike) == {("blue milk", "red milk")}
    assert found(in_turn("blue milk", "red milk"), other) == set()


def test_where_titles_are_unknown_too_nothing_is_alike() -> None:
    assert found(in_turn("p1", "p2"), ()) == set()


YOGHURTS = (*(Product(f"yoghurt {n}", category="yoghurt") for n in range(4)), *DAIRY)


def categories(lines: list[Line], products: Sequence[Product]) -> set[str]:
    """Categories whose products stand in for one another."""
    model = learned(lines, products)
    return {model.catalogue.category_names[code] for code in model.substitutes.category.tolist()}


def test_of_milk_nobody_takes_two_at_once_and_of_yoghurt_everybody_does() -> None:
    milk = in_turn("blue milk", "red milk")
    yoghurt = [
        line
        for n in range(6)
        for line in orders_of(f"c{n}", [[f"yoghurt {k}" for k in range(4)], ["bread"]] * 5)
    ]
    assert categories(milk + yoghurt, YOGHURTS) == {"milk"}


def test_a_category_is_judged_by_all_its_pairs_though_each_alone_is_too_rare_to_tell() -> None:
    # Each customer takes two of twelve kinds in turn; two customers only know of a pair of kinds.
    kinds = tuple(Product(f"milk {n:02}", category="milk") for n in range(12))
    lines = [
        replace(line, customer=f"{first} {line.customer}")
        for first in range(0, 12, 2)
        for line in in_turn(f"milk {first:02}", f"milk {first + 1:02}", customers=1)
    ]
    shelf = (*kinds, *DAIRY[2:])
    assert found(lines, shelf) == set()
    assert categories(lines, shelf) == {"milk"}


def test_without_customers_or_categories_no_category_stands_in_for_anything() -> None:
    guests = [
        replace(line, customer="", order=f"{line.customer} {line.order}")
        for line in in_turn("blue milk", "red milk")
    ]
    assert categories(guests, DAIRY) == set()
    assert categories(in_turn("blue milk", "red milk"), ()) == set()
