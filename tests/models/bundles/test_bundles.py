"""Units that belong together, with figures a reader can count."""

from dataclasses import replace

import numpy as np
import pytest

from models.bundles.around_product import BundleFinder
from models.bundles.basket_ranker import BasketRanker
from models.bundles.bundles import complete_basket, find_not_needed
from models.settings import BundleSettings, HistorySettings
from models.slate import Bundle
from tests.support.fitted_shop import fit_shop
from tests.support.shop import SMALL, Line, Product, ShopRecords

BREAD, BUTTER, JAM, SOAP, TOWEL = range(5)
NAMES = ["bread", "butter", "jam", "soap", "towel"]
EVERYTHING = np.ones(5, np.bool_)

# 10 orders: bread, butter and jam four times, bread and butter twice more, soap and towel thrice,
# bread and soap once.
ORDERS = [[BREAD, BUTTER, JAM]] * 4 + [[BREAD, BUTTER]] * 2 + [[SOAP, TOWEL]] * 3 + [[BREAD, SOAP]]


@pytest.fixture(scope="module")
def baskets() -> BasketRanker:
    return counted(ORDERS_OF_GUESTS, min_unit_support=4)


def by_guests(orders: list[list[str]]) -> list[Line]:
    return [
        Line("", name, 1, f"order {number}")
        for number, order in enumerate(orders)
        for name in order
    ]


ORDERS_OF_GUESTS = by_guests([[NAMES[item] for item in order] for order in ORDERS])


def counted(
    lines: list[Line], products: tuple[Product, ...] = (), **changes: float
) -> BasketRanker:
    settings = replace(
        SMALL, history=HistorySettings(min_lines=1), bundles=replace(BundleSettings(), **changes)
    )
    return fit_shop(ShopRecords(lines, products), settings).baskets


def items(bundles: tuple[Bundle, ...]) -> list[tuple[int, ...]]:
    return [bundle.items for bundle in bundles]


def test_bread_goes_with_butter_and_the_figures_say_so(baskets: BasketRanker) -> None:
    first = BundleFinder(baskets).find(BREAD, EVERYTHING, 3, 2)[0]
    assert (first.anchor, first.items, first.support) == (BREAD, (BUTTER,), 6)
    assert first.rule_confidence == pytest.approx(6 / 7)
    assert first.lift == pytest.approx((6 / 10) / (7 / 10 * 6 / 10))


def test_one_order_is_no_bundle(baskets: BasketRanker) -> None:
    assert items(BundleFinder(baskets).find(BREAD, EVERYTHING, 9, 2)) == [(BUTTER,), (JAM,)]


def test_bundles_come_strongest_first_and_no_more_than_asked_for(baskets: BasketRanker) -> None:
    bundles = BundleFinder(baskets).find(BREAD, EVERYTHING, 9, 2)
    assert [bundle.score for bundle in bundles] == sorted(
        (bundle.score for bundle in bundles), reverse=True
    )
    assert BundleFinder(baskets).find(BREAD, EVERYTHING, 1, 2) == bundles[:1]


def test_three_products_that_are_bought_together_are_one_unit_and_not_two(
    baskets: BasketRanker,
) -> None:
    assert items(BundleFinder(baskets).find(BREAD, EVERYTHING, 9, 3)) == [(BUTTER, JAM)]


def test_a_unit_stays_smaller_where_no_third_product_holds_to_both(baskets: BasketRanker) -> None:
    assert items(BundleFinder(baskets).find(SOAP, EVERYTHING, 9, 3)) == [(TOWEL,)]


def test_a_product_that_may_not_be_shown_is_in_no_unit(baskets: BasketRanker) -> None:
    without_butter = EVERYTHING.copy()
    without_butter[BUTTER] = False
    assert items(BundleFinder(baskets).find(BREAD, without_butter, 9, 3)) == [(JAM,)]
    assert items(complete_basket(baskets, [BREAD], without_butter, 9)) == [(JAM,)]


def test_products_rarely_ordered_together_are_no_unit() -> None:
    six = counted(ORDERS_OF_GUESTS, min_support=6)
    assert items(BundleFinder(six).find(BREAD, EVERYTHING, 9, 2)) == [(BUTTER,)]


def test_what_completes_a_basket_is_not_in_it_and_names_what_it_goes_with(
    baskets: BasketRanker,
) -> None:
    bundles = complete_basket(baskets, [BREAD, SOAP], EVERYTHING, 9)
    assert sorted(items(bundles)) == [(BUTTER,), (JAM,), (TOWEL,)]
    tied = {bundle.items[0]: (bundle.anchor, bundle.support) for bundle in bundles}
    assert tied == {BUTTER: (BREAD, 6), JAM: (BREAD, 4), TOWEL: (SOAP, 3)}
    assert [bundle.score for bundle in bundles] == sorted(
        (bundle.score for bundle in bundles), reverse=True
    )


def test_an_empty_basket_is_completed_by_nothing(baskets: BasketRanker) -> None:
    assert complete_basket(baskets, [], EVERYTHING, 9) == ()


def test_a_weak_third_product_does_not_join_a_strong_pair() -> None:
    # 40 orders of cup and saucer, 3 with a spoon as well, 3 of a spoon and a fork, and 150 others.
    # Spoon and cup: 3 / √(43 · 6) = .19, less than a quarter of what ties cup and saucer.
    orders = [["cup", "saucer"]] * 40 + [["cup", "saucer", "spoon"]] * 3 + [["spoon", "fork"]] * 3
    lines = by_guests([*orders, *([f"pot {n}", f"lid {n}"] for n in range(150))])
    baskets = counted(lines, min_unit_support=3, best_sellers=0)
    ids = baskets.model.catalogue.ids
    everything = np.ones(len(ids), np.bool_)
    cup, saucer, spoon = ids.find("cup"), ids.find("saucer"), ids.find("spoon")
    assert items(BundleFinder(baskets).find(cup, everything, 9, 2)) == [(saucer,), (spoon,)]
    assert items(BundleFinder(baskets).find(cup, everything, 1, 3)) == [(saucer,)]
    loose = counted(lines, min_unit_support=3, best_sellers=0, coherence=0.1)
    assert items(BundleFinder(loose).find(cup, everything, 1, 3)) == [(saucer, spoon)]


def test_the_figures_of_three_products_are_those_of_all_three(baskets: BasketRanker) -> None:
    (unit,) = BundleFinder(baskets).find(JAM, EVERYTHING, 9, 3)
    assert (unit.anchor, set(unit.items), unit.support) == (JAM, {BREAD, BUTTER}, 4)
    # All 4 orders with jam hold bread and butter; 6 of 10 hold these two
    assert unit.rule_confidence == 1
    assert unit.lift == pytest.approx(1 / (6 / 10))
    assert unit.gain is None  # nothing has a price


def test_three_products_that_too_few_orders_hold_are_two_units(baskets: BasketRanker) -> None:
    rare = counted(ORDERS_OF_GUESTS, min_unit_support=5)
    assert items(BundleFinder(rare).find(BREAD, EVERYTHING, 9, 3)) == [(BUTTER,), (JAM,)]


def test_a_pair_that_chance_would_nearly_make_is_no_unit() -> None:
    # Bread stands in 7 of 10 orders and jam in 4, so chance makes 2.8 with both: 4 is 1.43 as many.
    baskets = counted(ORDERS_OF_GUESTS, min_lift=1.4)
    assert items(BundleFinder(baskets).find(BREAD, EVERYTHING, 9, 2)) == [(BUTTER,), (JAM,)]
    baskets = counted(ORDERS_OF_GUESTS, min_lift=1.43)
    assert items(BundleFinder(baskets).find(BREAD, EVERYTHING, 9, 2)) == []


def test_what_one_customer_buys_again_and_again_is_no_unit_for_others() -> None:
    def buys(*customers: str) -> list[tuple[int, ...]]:
        others = by_guests([["soap", "towel"]] * 20)
        lines = [
            Line(customers[number % len(customers)], thing, number, f"order {number}")
            for number in range(8)
            for thing in ("cheese", "gin", "limes")
        ]
        return items(BundleFinder(counted(lines + others)).find(0, np.ones(5, np.bool_), 9, 3))

    assert buys("a") == []
    assert buys("a", "b") == [(1,), (2,)]  # two products for two buyers
    assert buys("a", "b", "c") == [(1, 2)]


# In 200 orders a banana stands with whatever there is, and tea, milk and scones belong together.
TEA_TIME = [["banana", f"thing {number % 50}"] for number in range(150)]
TEA_TIME += [["tea", "scones", "milk", "banana"]] * 20 + [["tea", "scones"]] * 10
TEA_TIME += [[f"soap {number % 9}", f"towel {number % 9}"] for number in range(200)]


def test_what_goes_with_everything_stands_last_and_in_no_unit_of_three() -> None:
    baskets = counted(by_guests(TEA_TIME), best_sellers=1, best_seller_share=0.05)
    ids = baskets.model.catalogue.ids
    everything = np.ones(len(ids), np.bool_)

    def around(name: str, size: int) -> list[set[str]]:
        return sets(baskets, BundleFinder(baskets).find(ids.find(name), everything, 3, size))

    assert around("tea", 2) == [{"scones"}, {"milk"}, {"banana"}]
    assert around("tea", 3) == [{"scones", "milk"}, {"banana"}]
    assert around("banana", 3) == [{"milk"}, {"scones"}, {"tea"}]  # around it itself neither


# Six customers come ten times, for bread, butter and one milk or the other in turn; four of them
# once take both milks.
MILKS = {f"{brand} milk" for brand in ("blue", "red")}
BREAKFASTS = [
    (
        f"c{customer}",
        f"order {visit}",
        {"bread", "butter", ("blue milk", "red milk")[visit % 2]} | both,
    )
    for customer in range(6)
    for visit in range(10)
    for both in [MILKS if visit == 0 and customer < 4 else set()]
]
SHELF = tuple(
    Product(name, category=category)
    for name, category in {"bread": "bakery", "butter": "spreads", "soap": "bath"}.items()
) + tuple(Product(name, category="milk") for name in sorted(MILKS))


def two_milks(*, guests: bool) -> BasketRanker:
    """So many others wash that even the two milks stand together more often than by chance."""
    lines = [
        Line("", thing, 1, f"wash {number}") for number in range(400) for thing in ("soap", "towel")
    ]
    lines += [
        Line("" if guests else customer, thing, 1, f"{customer} {order}")
        for customer, order, things in BREAKFASTS
        for thing in sorted(things)
    ]
    return counted(lines, SHELF)


def sets(baskets: BasketRanker, bundles: tuple[Bundle, ...]) -> list[set[str]]:
    return [{baskets.model.catalogue.ids[item] for item in bundle.items} for bundle in bundles]


@pytest.fixture(scope="module")
def milks() -> BasketRanker:
    return two_milks(guests=False)


def named(baskets: BasketRanker, *names: str) -> list[int]:
    return [baskets.model.catalogue.ids.find(name) for name in names]


def test_bread_goes_with_milk_and_the_other_milk_does_not(milks: BasketRanker) -> None:
    everything = np.ones(6, np.bool_)
    bread, blue, red = named(milks, "bread", "blue milk", "red milk")
    assert sorted(items(BundleFinder(milks).find(blue, everything, 9, 2))) == [
        (bread,),
        tuple(named(milks, "butter")),
    ]
    assert {(blue,), (red,)} < set(items(BundleFinder(milks).find(bread, everything, 9, 2)))


def test_the_other_milk_completes_no_basket_that_holds_milk(milks: BasketRanker) -> None:
    everything = np.ones(6, np.bool_)
    assert sets(
        milks, complete_basket(milks, named(milks, "blue milk", "bread"), everything, 9)
    ) == [{"butter"}]
    assert sets(milks, complete_basket(milks, named(milks, "bread", "butter"), everything, 9)) == [
        {"red milk"},
        {"blue milk"},
    ]


def test_no_unit_of_three_or_four_holds_both_milks(milks: BasketRanker) -> None:
    everything = np.ones(6, np.bool_)
    for size in (3, 4):
        bundles = sets(milks, BundleFinder(milks).find(*named(milks, "bread"), everything, 9, size))
        assert sorted(map(sorted, bundles)) == [["blue milk", "butter"], ["butter", "red milk"]]


def test_were_they_all_guests_nobody_could_tell_that_the_milks_stand_in_for_each_other() -> None:
    strangers = two_milks(guests=True)
    bundles = BundleFinder(strangers).find(
        *named(strangers, "blue milk"), np.ones(6, np.bool_), 9, 2
    )
    assert sorted(sets(strangers, bundles), key=sorted) == [{"bread"}, {"butter"}, {"red milk"}]


# Everyone buys bread again and again, and a kettle once; a whisk is a tool like the kettle, salt is
# of no aisle.
PANTRY = (
    *(Product(name, category="bakery") for name in ("bread", "rolls")),
    *(Product(name, category="tools") for name in ("kettle", "whisk")),
    Product("salt"),
)
PANTRY_LINES = [
    line
    for customer in "abcdefgh"
    for line in (
        *(
            Line(customer, name, 10 * visit)
            for visit in range(6)
            for name in ("bread", "rolls", "salt")
        ),
        Line(customer, "kettle", 5),
        Line(customer, "whisk", 6),
    )
]


@pytest.fixture(scope="module")
def pantry() -> BasketRanker:
    return counted(PANTRY_LINES, PANTRY)


def may_follow(baskets: BasketRanker, *order: str, without: tuple[str, ...] = ()) -> set[str]:
    ids = baskets.model.catalogue.ids
    allowed = np.array([name not in without for name in ids])
    allowed &= ~find_not_needed(baskets, ids.find_all(order).tolist(), 0.5)
    return {ids[item] for item in np.flatnonzero(allowed).tolist()}


def test_nothing_of_an_order_follows_it_nor_another_tool_where_nobody_needs_a_second(
    pantry: BasketRanker,
) -> None:
    assert may_follow(pantry, "kettle") == {"bread", "rolls", "salt"}
    assert may_follow(pantry, "bread", "whisk") == {"rolls", "salt"}


def test_what_is_needed_again_may_follow_what_is_like_it(pantry: BasketRanker) -> None:
    assert may_follow(pantry, "bread") == {"rolls", "kettle", "whisk", "salt"}


def test_a_product_of_no_category_rules_out_itself_alone(pantry: BasketRanker) -> None:
    assert may_follow(pantry, "salt") == {"bread", "rolls", "kettle", "whisk"}


def test_after_an_order_of_nothing_known_everything_that_is_allowed_may_follow(
    pantry: BasketRanker,
) -> None:
    assert may_follow(pantry, without=("bread",)) == {"rolls", "kettle", "whisk", "salt"}


def test_what_was_asked_before_changes_no_bundle() -> None:
    for settings in ({"min_unit_support": 4}, {"min_support": 1, "min_lift": 0.0, "candidates": 1}):
        baskets = counted(ORDERS_OF_GUESTS, **settings)
        kept = BundleFinder(baskets)
        for left_out in (BUTTER, JAM, SOAP, TOWEL, BUTTER):
            allowed = EVERYTHING.copy()
            allowed[left_out] = False
            for size in (2, 3):
                asked = (BREAD, allowed, 9, size)
                assert kept.find(*asked) == BundleFinder(baskets).find(*asked)


def test_where_few_partners_are_looked_at_the_strongest_that_are_allowed_are() -> None:
    one = BundleFinder(counted(ORDERS_OF_GUESTS, candidates=1))
    assert items(one.find(BREAD, EVERYTHING, 9, 2)) == [(BUTTER,)]
    without_butter = EVERYTHING.copy()
    without_butter[BUTTER] = False
    assert items(one.find(BREAD, without_butter, 9, 2)) == [(JAM,)]
