"""A slate is not ten of a kind, and what has just come on sale gets its chance."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from math import ceil
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.assembly.diversity import (
    Likeness,
    SlateLimits,
    _last_position,
    arrange,
    diversify,
)
from models.recommender import Recommender
from models.rules.filters import Repeat
from models.settings import ArrivalSettings, DiversitySettings, PlacementSettings
from models.slate import ReasonKind, SlateRequest, Source
from tests.support.fitted_shop import fit_shop
from tests.support.shop import SMALL, Line, Product, ShopRecords, moment, names

# Three sizes of milk and two of cream are families; the brands go round; a gift card stands in no
# category.
SHELF = [
    *(Product(f"milk {size}", f"Milk {size}", "dairy", "Ashby") for size in (1, 2, 3)),
    *(Product(f"cream {size}", f"Cream {size}", "dairy", "Hartley") for size in (1, 2)),
    *(
        Product(f"{thing} loaf", f"{thing.title()} loaf", "bakery", "Ashby")
        for thing in ("rye", "oat", "corn", "nut")
    ),
    Product("gift card", "Gift card"),
    Product("key ring", "Key ring"),
    # These came on sale in the last week.
    *(
        Product(f"new {thing}", f"New {thing}", "dairy", "Lake", from_day=25)
        for thing in ("quark", "feta", "skyr")
    ),
    Product("new rake", "New rake", "garden", from_day=25),
]
IDS = sorted(product.id for product in SHELF)
MILKS, LOAVES = ["milk 1", "milk 2", "milk 3"], ["rye loaf", "oat loaf", "corn loaf", "nut loaf"]
ANYTHING = DiversitySettings(category=10, brand=10, family=10)


@pytest.fixture(scope="module")
def shop() -> Recommender:
    """Ann lives on milk, Bob on loaves and tried skyr; everybody else bought all that is old."""
    old = [product.id for product in SHELF if product.from_day is None]
    crowd = [Line(f"c{n}", name, n) for n in range(5) for name in old]
    ann = [Line("ann", name, day) for name in MILKS for day in (10, 20, 27)]
    bob = [Line("bob", name, day) for name in LOAVES for day in (10, 20)] + [
        Line("bob", "new skyr", 27)
    ]
    return fit_shop(ShopRecords([*crowd, *ann, *bob], SHELF))


def ranked(*products: str) -> np.ndarray:
    return np.array([IDS.index(name) for name in products], np.int64)


def shown(
    shop: Recommender, n: int, *products: str, diversity: DiversitySettings = ANYTHING
) -> list[str]:
    items = ranked(*products).tolist()
    likeness = Likeness.of(shop.model, diversity)
    return [products[index] for index in diversify(items, n, likeness)]


def test_the_best_come_first_where_nothing_is_alike(shop: Recommender) -> None:
    different = ["rye loaf", "gift card", "milk 1", "cream 2", "key ring"]
    assert shown(shop, 4, *different) == different[:4]


def test_two_sizes_of_milk_do_not_stand_side_by_side(shop: Recommender) -> None:
    assert shown(shop, 5, *MILKS, "gift card", "rye loaf") == [
        "milk 1",
        "gift card",
        "milk 2",
        "rye loaf",
        "milk 3",
    ]
    assert shown(shop, 3, *MILKS, "gift card", "rye loaf") == ["milk 1", "gift card", "milk 2"]


def test_two_of_a_family_are_enough_among_ten_while_there_is_something_else(
    shop: Recommender,
) -> None:
    two = replace(ANYTHING, family=2)
    order = [*MILKS, "gift card", "rye loaf", "oat loaf", "corn loaf", "key ring"]
    slate = ["milk 1", "gift card", "milk 2", "rye loaf", "oat loaf", "corn loaf", "key ring"]
    assert shown(shop, 7, *order, diversity=two) == slate
    assert shown(shop, 10, *order, diversity=two) == [*slate, "milk 3"]
    assert shown(shop, 5, *order, diversity=two) == [
        "milk 1",
        "gift card",
        "rye loaf",
        "oat loaf",
        "corn loaf",
    ]


def test_popular_and_similar_products_and_what_fills_a_slate_are_of_many_families(
    shop: Recommender,
) -> None:
    """Milk sells best by far: its sizes would stand first, and side by side."""
    family = shop.model.traits.family
    request = SlateRequest(n=6, as_of=moment(28))
    milk = shop.catalogue.ids.find("milk 1")
    slates = [shop.popular(request), shop.similar(milk, request), shop.recommend("new", request)]
    for slate in slates:
        codes = [int(family[slot.item]) for slot in slate.slots]
        assert len(codes) == 6
        assert max(Counter(code for code in codes if code >= 0).values()) <= 2
        assert all(one != other or one < 0 for one, other in pairwise(codes))


def test_sizes_of_one_family_stand_between_those_of_another(shop: Recommender) -> None:
    both = shown(shop, 5, *MILKS, "cream 1", "cream 2")
    assert both == ["milk 1", "cream 1", "milk 2", "cream 2", "milk 3"]


def test_sizes_stand_side_by_side_where_there_is_nothing_else(shop: Recommender) -> None:
    assert shown(shop, 3, *MILKS) == MILKS
    assert shown(shop, 4, *MILKS, "rye loaf") == ["milk 1", "rye loaf", "milk 2", "milk 3"]


def test_only_so_many_of_a_category_are_shown_and_the_next_best_take_their_places(
    shop: Recommender,
) -> None:
    everything = [
        "milk 1",
        "cream 1",
        "milk 2",
        "rye loaf",
        "cream 2",
        "gift card",
        "oat loaf",
        "key ring",
    ]
    two_of_five = DiversitySettings(category=4)
    assert shown(shop, 5, *everything, diversity=two_of_five) == [
        *("milk 1", "cream 1", "rye loaf", "gift card", "oat loaf")
    ]


def test_only_so_many_of_a_brand_are_shown(shop: Recommender) -> None:
    everything = ["milk 1", "rye loaf", "oat loaf", "cream 1", "gift card", "key ring"]
    assert shown(shop, 5, *everything, diversity=DiversitySettings(brand=4)) == [
        *("milk 1", "rye loaf", "cream 1", "gift card", "key ring")
    ]


def test_a_limit_of_ten_is_half_of_it_of_five_rounded_up(shop: Recommender) -> None:
    loaves_first = [*LOAVES, "milk 1", "cream 1", "gift card", "key ring"]
    for n, most in ((1, 1), (3, 1), (4, 2), (5, 2), (7, 3)):
        slate = shown(shop, n, *loaves_first, diversity=DiversitySettings(category=3))
        assert len(set(slate) & set(LOAVES)) == most


def test_nothing_is_lost_where_only_too_many_are_left(shop: Recommender) -> None:
    assert shown(shop, 4, *LOAVES, "milk 1", diversity=DiversitySettings(category=1)) == [
        *("rye loaf", "milk 1", "oat loaf", "corn loaf")
    ]


def test_products_without_category_and_brand_are_not_of_a_kind(shop: Recommender) -> None:
    assert shown(shop, 2, "gift card", "key ring", diversity=DiversitySettings(1, 1)) == [
        "gift card",
        "key ring",
    ]


PERMUTED = st.permutations(IDS).flatmap(
    lambda order: st.integers(1, len(order)).map(lambda kept: order[:kept])
)


@given(PERMUTED, st.integers(1, 15), st.integers(1, 10), st.integers(1, 10))
def test_whatever_is_ranked_limits_are_kept_while_anything_else_is_left(
    shop: Recommender, order: list[str], n: int, category: int, brand: int
) -> None:
    slate = shown(shop, n, *order, diversity=DiversitySettings(category, brand))
    assert slate[0] == order[0]
    assert len(slate) == len(set(slate)) == min(n, len(order))
    traits, catalogue = shop.model.traits, shop.catalogue
    for codes, most in (
        (traits.category, ceil(n * category / 10)),
        (catalogue.brand, ceil(n * brand / 10)),
    ):
        kinds = Counter(int(codes[item]) for item in ranked(*slate).tolist() if codes[item] >= 0)
        if max(kinds.values(), default=0) > most:
            assert not any(
                fits(shop, slate, name, n, category, brand) for name in set(order) - set(slate)
            )
    for item, other in pairwise(ranked(*slate).tolist()):
        if traits.family[item] == traits.family[other]:
            assert not any(
                fits(shop, slate, name, n, category, brand) for name in set(order) - set(slate)
            )


def fits(shop: Recommender, slate: list[str], name: str, n: int, category: int, brand: int) -> bool:
    """Whether a product that is not shown is of no kind of which there are enough."""
    item = IDS.index(name)
    return all(
        codes[item] < 0
        or np.count_nonzero(codes[ranked(*slate)] == codes[item]) < ceil(n * most / 10)
        for codes, most in (
            (shop.model.traits.category, category),
            (shop.catalogue.brand, brand),
            (shop.model.traits.family, DiversitySettings().family),
        )
    )


def with_arrivals(
    shop: Recommender, n: int, *products: str, customer: str = "ann", **diversity: int
) -> list[str]:
    """Of at least nine ranked products."""
    context = shop.build_context(
        shop.model.customers.ids.find(customer), SlateRequest(as_of=moment(28))
    )
    settings = replace(
        SMALL, diversity=replace(ANYTHING, **diversity), arrivals=ArrivalSettings(share=0.2)
    )
    order_shown = arrange(ranked(*products), context, SlateLimits(n), shop.model, settings)
    return [products[index] for index in order_shown]


TEN = [
    "rye loaf",
    "milk 1",
    "oat loaf",
    "milk 2",
    "corn loaf",
    "milk 3",
    "nut loaf",
    "cream 1",
    "gift card",
    "cream 2",
]


def test_the_last_places_are_for_arrivals_in_the_categories_that_a_customer_buys(
    shop: Recommender,
) -> None:
    order = [*TEN, "new rake", "new skyr", "key ring", "new feta", "new quark"]
    assert with_arrivals(shop, 10, *order) == [*TEN[:8], "new skyr", "new feta"]
    assert with_arrivals(shop, 5, *order) == [*TEN[:4], "new skyr"]
    assert with_arrivals(shop, 4, *order) == TEN[:4]  # a fifth of four is less than one


def test_a_category_that_is_hardly_bought_is_none_for_arrivals(shop: Recommender) -> None:
    order = [*TEN, "new rake", "new feta"]
    bob = shop.build_context(shop.model.customers.ids.find("bob"), SlateRequest(as_of=moment(28)))
    assert 0 < bob.profile.category_share[shop.catalogue.category_names.find("dairy")] < 0.2
    for least, slate in ((0.2, TEN), (0.05, [*TEN[:9], "new feta"])):
        arrivals = ArrivalSettings(share=0.2, category_share=least)
        settings = replace(SMALL, diversity=ANYTHING, arrivals=arrivals)
        order_shown = arrange(ranked(*order), bob, SlateLimits(10), shop.model, settings)
        assert [order[index] for index in order_shown] == slate


def test_an_arrival_that_earned_its_place_takes_one_of_the_last_ones(shop: Recommender) -> None:
    earned = ["new quark", *TEN[:9]]
    assert with_arrivals(shop, 10, *earned, "new feta", "new skyr") == [*earned[:9], "new feta"]
    earned = ["new quark", "new feta", "new skyr", *TEN[:7]]
    assert with_arrivals(shop, 10, *earned, "gift card") == earned


def test_what_a_customer_has_tried_is_no_arrival_to_them(shop: Recommender) -> None:
    assert with_arrivals(shop, 10, *TEN, "new skyr", customer="bob") == TEN
    assert with_arrivals(shop, 10, *TEN, "new feta", customer="bob")[-1] == "new feta"


def test_an_arrival_counts_to_the_limit_of_its_category(shop: Recommender) -> None:
    order = ["milk 1", "rye loaf", "gift card", "cream 1", "oat loaf", "key ring", "new skyr"]
    assert with_arrivals(shop, 5, *order) == [*order[:4], "new skyr"]
    # Of two products from the dairy it is the second one.
    assert with_arrivals(shop, 5, *order, category=4) == [
        "milk 1",
        "rye loaf",
        "gift card",
        "oat loaf",
        "new skyr",
    ]


def test_a_new_size_does_not_stand_beside_the_old_ones() -> None:
    products = [*SHELF, Product("milk 4", "Milk 4", "dairy", "Ashby", from_day=25)]
    lines = [Line(f"c{n}", product.id, n) for n in range(5) for product in SHELF] + [
        Line("ann", "milk 1", 27)
    ]
    shop = fit_shop(ShopRecords(lines, products))
    order = ["rye loaf", "oat loaf", "gift card", "corn loaf", "milk 1", "key ring", "milk 4"]
    ann = shop.model.customers.ids.find("ann")
    context = shop.build_context(ann, SlateRequest(as_of=moment(27)))
    settings = replace(SMALL, diversity=ANYTHING, arrivals=ArrivalSettings(share=0.2))
    items = np.array([shop.catalogue.ids.find(name) for name in order])
    beside_none = ["rye loaf", "oat loaf", "gift card", "milk 4", "corn loaf", "milk 1"]
    for n, slate in ((5, [*order[:4], "milk 4"]), (6, beside_none)):
        order_shown = arrange(items, context, SlateLimits(n), shop.model, settings)
        assert [order[index] for index in order_shown] == slate


def test_a_shop_may_have_taught_that_slates_need_room_for_more_of_a_category(
    shop: Recommender,
) -> None:
    """Customers five of ten, visits all ten; a placement's own limit holds as it is."""
    limits = np.array([6, 10], np.int32)
    taught = replace(shop.model, lesson=replace(shop.model.lesson, category_limits=limits))
    home = PlacementSettings("home", category=2)
    settings = replace(SMALL, diversity=replace(ANYTHING, category=2, placements=(home,)))
    untaught = Recommender(shop.manifest, shop.model, settings)
    shop = Recommender(shop.manifest, taught, settings)
    category = shop.catalogue.category
    loaves = tuple(shop.catalogue.ids.find(name) for name in LOAVES[:2])

    def most(recommender: Recommender, customer: str | None, **options: Any) -> int:
        request = SlateRequest(n=4, as_of=moment(28), repeat=Repeat.INCLUDE, **options)
        slots = recommender.recommend(customer, request).slots
        counts = Counter(int(category[slot.item]) for slot in slots)
        del counts[-1]
        return max(counts.values())

    assert (most(untaught, "bob"), most(shop, "bob")) == (1, 3)
    assert most(shop, "bob", placement="home") == 1
    assert most(untaught, None, recent=loaves) == 1
    assert most(shop, None, recent=loaves) == 2


def test_a_placement_has_its_own_limits(shop: Recommender) -> None:
    diversity = replace(ANYTHING, placements=(PlacementSettings("home", category=4),))
    limited = Recommender(shop.manifest, shop.model, replace(SMALL, diversity=diversity))
    request = SlateRequest(n=5, repeat=Repeat.INCLUDE)
    for placement, most in ((None, 4), ("email", 4), ("home", 2)):
        slate = names(limited, limited.recommend("bob", replace(request, placement=placement)))
        assert (len(slate), len({*slate} & {*LOAVES})) == (5, most)


def test_an_arrival_in_a_slate_says_that_it_is_new(shop: Recommender) -> None:
    slots = shop.recommend("ann", SlateRequest(n=10, as_of=moment(28), repeat=Repeat.INCLUDE)).slots
    new = [slot for slot in slots if slot.source is Source.NEW]
    assert len(new) == 1
    assert shop.catalogue.ids[new[0].item] in ("new feta", "new quark", "new skyr")
    assert (new[0].reason.kind, new[0].reason.text) == (ReasonKind.NEW, "New in dairy")


def test_an_arrival_that_a_customer_bought_is_theirs_and_not_new(shop: Recommender) -> None:
    slots = shop.recommend("bob", SlateRequest(n=10, as_of=moment(40), repeat=Repeat.INCLUDE)).slots
    (skyr,) = (slot for slot in slots if shop.catalogue.ids[slot.item] == "new skyr")
    assert (skyr.source, skyr.reason.kind) == (Source.OWN_PURCHASES, ReasonKind.BUY_AGAIN)


def test_an_arrival_of_no_family_comes_last_also_behind_others_of_none() -> None:
    assert _last_position([0, 1, 2], 3, np.array([5, 6, -1, -1])) == 3
