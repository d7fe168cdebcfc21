"""A rule of the shop names products, a place and a time, and keeps to them."""

import json
from dataclasses import replace

import numpy as np
import pytest

from models.data.ids import Strings
from models.rules.shop_rules import (
    BoostRule,
    BuryRule,
    CapRule,
    ExcludeRule,
    FilterRule,
    MinimumRule,
    PinRule,
    ProductSelector,
    ShopRule,
    active_rules,
    rules_in_force,
)
from tests.support.shop import Product, catalogue_of

CATALOGUE = catalogue_of(
    [
        Product("apple", category="fruit", brand="Ashby", price=1.0, cost=0.5),
        Product(
            "bread",
            category="bakery",
            brand="Ashby",
            price=3.0,
            attributes='{"shelf": "a"}',
            cost=2.7,
        ),
        Product("cake", category="bakery", brand="Hartley", price=9.0),
        Product("enigma", cost=1),
        Product("flan", price=2.0),
        Product("gift", price=0.0, cost=0),
    ]
)
NAMES = list(CATALOGUE.ids)
NOON = 1_700_000_000


def named(mask: np.ndarray) -> list[str]:
    return [name for name, matches in zip(NAMES, mask, strict=True) if matches]


def matched(**parts: object) -> list[str]:
    return named(ProductSelector(**parts).matches(CATALOGUE))


def kept_out(rule: ShopRule) -> list[str]:
    return named(rule.keeps_out(CATALOGUE))


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
    assert kept_out(ExcludeRule("rule", bakery)) == ["bread", "cake"]
    assert kept_out(FilterRule("rule", bakery)) == ["apple", "enigma", "flan", "gift"]


def test_a_minimum_price_keeps_out_what_is_cheaper_and_what_has_no_price() -> None:
    ashby = ProductSelector(brand="Ashby")
    of_all = MinimumRule("rule", of="price", minimum=3.0)
    assert kept_out(of_all) == ["apple", "enigma", "flan", "gift"]
    assert kept_out(replace(of_all, which=ashby)) == ["apple"]


def test_an_older_version_has_the_cost_among_the_attributes() -> None:
    told = ["0.50", 2.7, "unknown", 1, None, 0]
    texts = [f'{{"cost": {json.dumps(cost)}}}' if cost is not None else "" for cost in told]
    older = replace(CATALOGUE, attributes=Strings.of(texts), cost=np.zeros(0))
    np.testing.assert_array_equal(older.known_costs, CATALOGUE.known_costs)
    np.testing.assert_array_equal(older.margin, CATALOGUE.margin)


def test_a_minimum_margin_keeps_out_what_earns_less_and_what_nobody_knows_the_cost_of() -> None:
    assert CATALOGUE.margin[:2].tolist() == pytest.approx([0.5, 0.1])
    assert np.isnan(CATALOGUE.margin[2:]).all()
    margin = MinimumRule("rule", of="margin", minimum=0.3)
    assert kept_out(margin) == ["bread", "cake", "enigma", "flan", "gift"]
    assert kept_out(replace(margin, which=ProductSelector(category="fruit"))) == []


@pytest.mark.parametrize(
    "rule",
    [
        BoostRule("rule", strength=2.0),
        BuryRule("rule", strength=2.0),
        PinRule("rule", ProductSelector(("cake",)), position=1),
        CapRule("rule", by="brand", most=1),
    ],
    ids=lambda rule: rule.kind,
)
def test_what_moves_and_counts_products_keeps_none_out(rule: ShopRule) -> None:
    assert kept_out(rule) == []


def test_a_campaign_begins_with_its_first_second_and_is_over_with_its_last() -> None:
    campaign = BoostRule("sale", starts=NOON, ends=NOON + 60, strength=2.0)
    active = [campaign.holds(None, None, NOON + second) for second in (-1, 0, 59, 60)]
    assert active == [False, True, True, False]


def test_a_rule_holds_in_its_placements_and_its_market_alone() -> None:
    home = BoostRule("home", placements=("home", "basket"), strength=2.0)
    north = BoostRule("north", market="north", strength=2.0)
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
        BoostRule(name, ends=ends, strength=2.0)
        for name, ends in (("c", None), ("a", None), ("b", NOON))
    ]
    assert [rule.id for rule in active_rules(rules, "home", None, NOON)] == ["a", "c"]


def test_a_rule_in_force_today_holds_for_a_mail_of_any_day() -> None:
    fruit = ExcludeRule("fruit", ProductSelector(category="fruit"), starts=100, ends=200)
    assert [len(rules_in_force([fruit], clock)) for clock in (99, 100, 199, 200)] == [0, 1, 1, 0]
    (in_force,) = rules_in_force([fruit], 150)
    assert all(in_force.holds("email", None, as_of) for as_of in (0, 150, 900))
