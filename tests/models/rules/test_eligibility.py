"""Every product that is kept out is kept out by a rule with a name."""

import numpy as np
import pytest

from models.data.history import build_interactions, find_pair_starts
from models.rules.eligibility import (
    ExclusionRule,
    remove_bought,
    remove_filtered,
    remove_named,
    remove_unsellable,
)
from models.rules.filters import NO_FILTERS, Filters, Repeat
from models.settings import HistorySettings, RepeatSettings
from models.sources.repurchase import Repurchases, build_repurchase_clocks
from tests.support.literal_fit import build_histories
from tests.support.shop import Line, Product, ShopRecords, catalogue_of, moment

CATALOGUE = catalogue_of(
    [
        Product("apple", category="fruit", brand="Ashby", price=1.0),
        Product("bread", category="bakery", brand="Ashby", price=3.0),
        Product("cake", category="bakery", brand="Hartley", price=9.0),
        Product("dates", category="fruit", brand="Hartley", price=5.0, in_stock=False),
        Product("enigma"),
    ]
)
NAMES = list(CATALOGUE.ids)
NOW = moment(50)


def kept_out(filters: Filters = NO_FILTERS, market: str | None = None) -> dict[str, str]:
    return named(remove_filtered(remove_unsellable(CATALOGUE, NOW, market), CATALOGUE, filters))


def named(removed: np.ndarray) -> dict[str, str]:
    return {
        NAMES[item]: ExclusionRule(rule).name for item, rule in enumerate(removed.tolist()) if rule
    }


def test_without_a_wish_only_what_is_sold_out_is_missing() -> None:
    assert kept_out() == {"dates": "NOT_FOR_SALE"}


def test_a_product_of_no_known_category_is_in_no_category() -> None:
    assert kept_out(Filters(category="bakery")) == {
        "apple": "OTHER_CATEGORY",
        "dates": "NOT_FOR_SALE",
        "enigma": "OTHER_CATEGORY",
    }


@pytest.mark.parametrize(
    ("filters", "rule"),
    [(Filters(category="shoes"), "OTHER_CATEGORY"), (Filters(brand="Nobody"), "OTHER_BRAND")],
)
def test_a_category_or_a_brand_that_the_shop_does_not_have_leaves_nothing(
    filters: Filters, rule: str
) -> None:
    expected = dict.fromkeys(NAMES, rule)
    assert kept_out(filters) == expected | {"dates": "NOT_FOR_SALE"}


def test_a_brand_keeps_the_others_out() -> None:
    assert {
        name for name, rule in kept_out(Filters(brand="Ashby")).items() if rule == "OTHER_BRAND"
    } == {
        "cake",
        "enigma",
    }


def test_bounds_of_a_price_are_part_of_it_and_an_unknown_price_is_outside() -> None:
    assert set(kept_out(Filters(min_price=3.0, max_price=9.0))) == {"apple", "dates", "enigma"}
    assert set(kept_out(Filters(min_price=3.01))) == {"apple", "bread", "dates", "enigma"}
    assert set(kept_out(Filters(max_price=2.99))) == {"bread", "cake", "dates", "enigma"}


def test_what_the_request_excludes_is_out_and_nothing_else() -> None:
    assert kept_out(Filters(exclude=(0, 4))) == {
        "apple": "EXCLUDED",
        "enigma": "EXCLUDED",
        "dates": "NOT_FOR_SALE",
    }


def test_what_is_asked_about_is_no_answer() -> None:
    removed = remove_unsellable(CATALOGUE, NOW, None)
    assert named(remove_named(removed, np.array([1], np.int32))) == {
        "bread": "ASKED_ABOUT",
        "dates": "NOT_FOR_SALE",
    }
    assert named(removed) == {"dates": "NOT_FOR_SALE"}  # the array that came in is as it was


# Ann bought bread 40 and 10 days ago, an apple yesterday, a cake 20 days ago, and sent the enigma
# back.
HISTORY = [
    *(Line("ann", "bread", day) for day in (10, 40)),
    Line("ann", "apple", 49),
    Line("ann", "cake", 30),
    Line("ann", "enigma", 20),
    Line("ann", "enigma", 25, kind="return"),
    Line("zoe", "dates", 1),
]
# Cakes are hardly bought again, all the rest is, after 10 days.
REPEATS = Repurchases(
    np.array([0.5, 0.5, 0.01, 0.5, 0.5], np.float32),
    np.array([0.4], np.float32),
    np.full(5, 10, np.float32),
)


def own(repeat: Repeat, lines: list[Line] = HISTORY) -> dict[str, str]:
    events = build_histories(ShopRecords(lines)).of(0)
    pairs = build_interactions(events, find_pair_starts(events), NOW, HistorySettings())
    settings = RepeatSettings(rare=0.2, too_soon=0.15)
    removed = remove_bought(
        np.zeros(5, np.uint8),
        pairs,
        build_repurchase_clocks(pairs, REPEATS, NOW, settings),
        REPEATS,
        repeat,
        settings,
    )
    return named(removed)


def test_a_product_bought_yesterday_is_not_recommended_and_a_cake_is_bought_once() -> None:
    assert own(Repeat.AUTO) == {"apple": "NOT_YET_DUE", "cake": "BOUGHT_ONCE", "enigma": "RETURNED"}


def test_who_wants_nothing_twice_sees_nothing_twice() -> None:
    assert own(Repeat.EXCLUDE) == dict.fromkeys(["apple", "bread", "cake"], "BOUGHT_BEFORE") | {
        "enigma": "RETURNED"
    }


def test_what_was_sent_back_stays_away_even_when_repeats_are_wanted() -> None:
    assert own(Repeat.INCLUDE) == {"enigma": "RETURNED"}


# Bob dismissed bread, has an apple in his cart, rated the cake low and bought it again, and rated
# the enigma low.
WISHES = [
    Line("bob", "bread", 49, kind="dismiss"),
    Line("bob", "apple", 49.9, kind="cart"),
    Line("bob", "cake", 20, kind="rating", stars=1),
    Line("bob", "cake", 21),
    Line("bob", "enigma", 20),
    Line("bob", "enigma", 21, kind="rating", stars=2),
    Line("zoe", "dates", 1),
]


@pytest.mark.parametrize("repeat", Repeat)
def test_what_is_dismissed_or_rated_low_or_in_the_cart_is_not_recommended(repeat: Repeat) -> None:
    expected = {"bread": "DISMISSED", "apple": "IN_CART", "enigma": "DISMISSED"}
    removed = own(repeat, WISHES)
    assert {name: rule for name, rule in removed.items() if name != "cake"} == expected
    assert removed.get("cake") == {Repeat.AUTO: "BOUGHT_ONCE", Repeat.EXCLUDE: "BOUGHT_BEFORE"}.get(
        repeat
    )


def test_the_first_rule_that_applies_is_the_one_that_is_named() -> None:
    removed = np.full(5, ExclusionRule.EXCLUDED, np.uint8)
    assert set(named(remove_named(removed, np.arange(5, dtype=np.int32))).values()) == {"EXCLUDED"}
