"""A rule of the shop names products, a place and a time, and keeps to them."""

import numpy as np
import pytest

from models.rules.shop_rules import MinimumOf, ProductSelector, RuleKind, ShopRule, active_rules
from tests.support.shop import Product, catalogue_of

CATALOGUE = catalogue_of(
    [
        Product("apple", category="fruit", brand="Ashby", price=1.0, attributes='{"cost": "0.50"}'),
        Product(
            "bread",
            category="bakery",
            brand="Ashby",
            price=3.0,
            attributes='{"cost": 2.7, "shelf": "a"}',
        ),
        Product(
            "cake", category="bakery", brand="Hartley", price=9.0, attributes='{"cost": "unknown"}'
        ),
        Product("enigma", attributes='{"cost": 1}'),
        Product("flan", price=2.0, attributes='{"costume": "none"}'),
        Product("gift", price=0.0, attributes='{"cost": 0}'),
    ]
)
NAMES = list(CATALOGUE.ids)
NOON = 1_700_000_000
EVERYTHING = ProductSelector()


def named(found: np.ndarray) -> list[str]:
    return [name for name, yes in zip(NAMES, found, strict=True) if yes]


def matched(**parts: object) -> list[str]:
    return named(ProductSelector(**parts).matches(CATALOGUE))


def kept_out(kind: RuleKind, which: ProductSelector = EVERYTHING, **numbers: object) -> list[str]:
    return named(ShopRule("rule", kind, which, **numbers).keeps_out(CATALOGUE))


def test_every_part_that_is_given_has_to_match() -> None:
    assert matched() == NAMES
    assert matched(brand="Ashby") == ["apple", "bread"]
    assert matched(brand="Ashby", category="bakery") == ["bread"]
    assert matched(product_ids=("cake", "apple"), max_price=5.0) == ["apple"]
    assert matched(min_price=3.0) == ["bread", "cake"]


def test_what_the_catalogue_does_not_know_matches_nothing() -> None:
    assert (
        matched(category="shoes") == matched(brand="Nobody") == matched(product_ids=("shoe",)) == []
    )


def test_a_filter_keeps_out_all_that_does_not_match_and_an_exclusion_all_that_does() -> None:
    bakery = ProductSelector(category="bakery")
    assert kept_out(RuleKind.EXCLUDE, bakery) == ["bread", "cake"]
    assert kept_out(RuleKind.FILTER, bakery) == ["apple", "enigma", "flan", "gift"]


def test_a_minimum_price_keeps_out_what_is_cheaper_and_what_has_no_price() -> None:
    assert kept_out(RuleKind.MINIMUM, minimum=3.0) == ["apple", "enigma", "flan", "gift"]
    assert kept_out(RuleKind.MINIMUM, ProductSelector(brand="Ashby"), minimum=3.0) == ["apple"]


def test_a_minimum_margin_keeps_out_what_earns_less_and_what_nobody_knows_the_cost_of() -> None:
    assert CATALOGUE.margin[:2].tolist() == pytest.approx([0.5, 0.1])
    assert np.isnan(CATALOGUE.margin[2:]).all()
    margin = {"of": MinimumOf.MARGIN, "minimum": 0.3}
    assert kept_out(RuleKind.MINIMUM, **margin) == ["bread", "cake", "enigma", "flan", "gift"]
    assert kept_out(RuleKind.MINIMUM, ProductSelector(category="fruit"), **margin) == []


@pytest.mark.parametrize("kind", [RuleKind.BOOST, RuleKind.BURY, RuleKind.PIN, RuleKind.CAP])
def test_what_moves_and_counts_products_keeps_none_out(kind: RuleKind) -> None:
    assert kept_out(kind) == []


def test_a_campaign_begins_with_its_first_second_and_is_over_with_its_last() -> None:
    campaign = ShopRule("sale", RuleKind.BOOST, starts=NOON, ends=NOON + 60)
    held = [campaign.holds(None, None, NOON + second) for second in (-1, 0, 59, 60)]
    assert held == [False, True, True, False]


def test_a_rule_holds_in_its_placements_and_its_market_alone() -> None:
    home = ShopRule("home", RuleKind.BOOST, placements=("home", "basket"))
    north = ShopRule("north", RuleKind.BOOST, market="north")
    assert [home.holds(placement, "north", NOON) for placement in ("home", "email", None)] == [
        True,
        False,
        False,
    ]
    assert [north.holds("home", market, NOON) for market in ("north", "south", None)] == [
        True,
        False,
        False,
    ]


def test_the_rules_that_hold_come_in_the_order_of_their_ids() -> None:
    rules = [
        ShopRule(name, RuleKind.BOOST, ends=ends)
        for name, ends in (("c", None), ("a", None), ("b", NOON))
    ]
    assert [rule.id for rule in active_rules(rules, "home", None, NOON)] == ["a", "c"]
