"""Units that a shop puts together, in a shop whose orders a reader can count."""

from dataclasses import replace

import numpy as np
import pytest

from models.bundles.offers import find_offers, find_problem, put_first
from models.model import Model
from models.rules.shop_bundles import ShopBundle, bundles_in_force
from models.settings import HistorySettings
from models.slate import Bundle
from tests.support.fitted_shop import fit_shop
from tests.support.shop import SMALL, Line, Product, ShopRecords

BREAD, BUTTER, JAM = range(3)
SHELF = tuple(Product(name, price=2.0, currency="EUR") for name in ("bread", "butter", "jam"))
# Of 10 orders bread and butter stand in 4, jam in 3 of these; in 2 bread alone, in 4 jam alone.
ORDERS = ["bread butter jam"] * 3 + ["bread butter"] + ["bread"] * 2 + ["jam"] * 4
EVERYTHING = np.ones(3, np.bool_)
BREAKFAST = ShopBundle("breakfast", ("butter", "bread"), 3.5, "EUR")


@pytest.fixture(scope="module")
def model() -> Model:
    lines = [
        Line("", thing, 1, f"order {number}")
        for number, order in enumerate(ORDERS)
        for thing in order.split()
    ]
    settings = replace(SMALL, history=HistorySettings(min_lines=1))
    return fit_shop(ShopRecords(lines, SHELF), settings).model


def offered(model: Model, *bundles: ShopBundle, asked: tuple[int, ...] = (BREAD,)) -> list[Bundle]:
    allowed = EVERYTHING.copy()
    allowed[list(asked)] = False  # what is asked for is no answer
    return find_offers(model, bundles, 0, asked, EVERYTHING, allowed)


def test_a_unit_is_shown_with_what_its_orders_say_and_what_it_may_gain(model: Model) -> None:
    (unit,) = offered(model, BREAKFAST)
    assert (unit.anchor, unit.items, unit.held, unit.offer) == (BREAD, (BUTTER,), (), BREAKFAST)
    assert unit.support == 4
    assert unit.rule_confidence == unit.score == pytest.approx(4 / 6)
    assert unit.lift == pytest.approx((4 / 6) / (4 / 10))
    # A third of those with bread lack butter; nobody buys butter without bread; .50 is saved
    assert unit.gain is not None
    assert unit.gain.value == pytest.approx(1 / 3 * 2 / 3 * (2 - 0.5) - 2 / 3 * 0.5)


def test_of_a_unit_that_the_basket_holds_in_part_the_rest_is_shown(model: Model) -> None:
    three = replace(BREAKFAST, products=("jam", "butter", "bread"))
    (unit,) = offered(model, three, asked=(BREAD, JAM))
    assert (unit.anchor, unit.held, unit.items) == (JAM, (BREAD,), (BUTTER,))
    # Jam and bread stand together in 3 orders, always with butter
    assert (unit.support, unit.rule_confidence) == (3, 1.0)
    assert offered(model, three, asked=(BREAD, JAM, BUTTER)) == []


def test_a_unit_of_other_products_or_another_time_is_not_shown(model: Model) -> None:
    assert offered(model, BREAKFAST, asked=(JAM,)) == []
    assert offered(model, replace(BREAKFAST, starts=1)) == []
    assert offered(model, replace(BREAKFAST, ends=0)) == []
    assert len(offered(model, replace(BREAKFAST, starts=0, ends=1))) == 1


def test_what_is_not_for_sale_hides_a_unit_though_it_is_what_was_asked_for(model: Model) -> None:
    for item in (BREAD, BUTTER):
        sellable = EVERYTHING.copy()
        sellable[item] = False
        assert find_offers(model, [BREAKFAST], 0, [BREAD], sellable, EVERYTHING) == []


def test_why_a_unit_is_not_shown_is_said_by_its_product(model: Model) -> None:
    assert find_problem(model, BREAKFAST, EVERYTHING) is None
    unknown = replace(BREAKFAST, products=("bread", "brioche"))
    assert "does not know the product brioche" in str(find_problem(model, unknown, EVERYTHING))
    no_butter = np.arange(3) != BUTTER
    assert "butter is not for sale" in str(find_problem(model, BREAKFAST, no_butter))
    dear = replace(BREAKFAST, price=4.0)
    assert "4 EUR: the bundle saves nothing" in str(find_problem(model, dear, EVERYTHING))
    assert find_problem(model, replace(dear, currency="USD"), EVERYTHING) is None


def test_the_shops_units_come_first_and_the_same_products_once() -> None:
    ours = Bundle(BREAD, (BUTTER,), 0.1, 4, 0.5, 2.0, offer=BREAKFAST)
    same, other = (
        Bundle(BREAD, (BUTTER,), 0.9, 4, 0.5, 2.0),
        Bundle(BREAD, (JAM,), 0.8, 3, 0.4, 1.5),
    )
    assert put_first([ours], [same, other], 9) == (ours, other)
    assert put_first([ours], [same, other], 1) == (ours,)
    assert put_first([], [same, other], 9) == (same, other)


def test_a_unit_in_force_by_the_clock_holds_for_answers_of_whatever_moment() -> None:
    timed = replace(BREAKFAST, starts=10, ends=20)
    kept = [bundles_in_force([timed], clock) for clock in (9, 10, 19, 20)]
    assert [len(bundles) for bundles in kept] == [0, 1, 1, 0]
    assert kept[1] == (BREAKFAST,)
