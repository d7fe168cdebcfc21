"""The rules of a shop on every kind of slate: what they show and hide, and what stays true."""

import pickle
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.artifact.registry import Registry
from models.recommender import Recommender
from models.rules.eligibility import ExclusionRule
from models.rules.filters import Filters, Repeat
from models.rules.rule_effects import MOST_BOOSTED, Cap, CapCounter, insert_pinned
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
)
from models.slate import FallbackReason, ReasonKind, Slate, SlateRequest, Slot, Source
from tests.support.fitted_shop import fit_shop
from tests.support.shop import (
    AISLES,
    DAYS,
    NEVER_SOLD,
    SOLD_OUT,
    SPECIAL,
    Line,
    Product,
    ShopRecords,
    moment,
    names,
    open_shop,
)

ALL = SlateRequest(n=40, repeat=Repeat.INCLUDE)
PRODUCTS = sorted(" ".join(AISLES.values()).split())
TOYS = ProductSelector(category="toys")


def pin(product: str, position: int, name: str = "pin") -> ShopRule:
    return PinRule(name, ProductSelector((product,)), position=position)


def with_rules(*rules: ShopRule, request: SlateRequest = ALL) -> SlateRequest:
    return replace(request, rules=rules)


def slates(shop: Recommender, request: SlateRequest) -> Iterator[Slate]:
    """One of every kind: personal, of a session, of a stranger, popular, and like a product."""
    yield shop.recommend("c00", request)
    yield shop.recommend("c03", request)
    yield shop.recommend(
        None, replace(request, recent=tuple(shop.catalogue.ids.find_all(["bread"]).tolist()))
    )
    yield shop.recommend("unknown", request)
    yield shop.popular(request, 365)
    yield shop.similar(shop.catalogue.ids.find("espresso"), request)


def positions(shop: Recommender, slate: Slate, product: str) -> list[int]:
    return [position for position, name in enumerate(names(shop, slate), 1) if name == product]


@pytest.mark.parametrize("position", [1, 3, 10])
def test_a_pinned_product_stands_at_its_place_once_and_says_who_chose_it(
    shop: Recommender, position: int
) -> None:
    for n in (10, 40):
        for slate in slates(shop, with_rules(pin("spade", position), request=SlateRequest(n=n))):
            if len(slate.slots) >= position:
                assert positions(shop, slate, "spade") == [position]
                slot = slate.slots[position - 1]
                assert (slot.source, slot.reason.kind) == (Source.PINNED, ReasonKind.CHOSEN_BY_SHOP)
                assert (slot.reason.items, slot.reason.text) == ((), "Chosen by our shop")


def test_a_pin_moves_the_rest_down_and_the_slate_keeps_its_length(shop: Recommender) -> None:
    request = SlateRequest(n=5)
    plain = names(shop, shop.popular(request))
    assert NEVER_SOLD not in plain
    pinned = names(shop, shop.popular(with_rules(pin(NEVER_SOLD, 2), request=request)))
    assert pinned == [plain[0], NEVER_SOLD, *plain[1:4]]


def test_of_two_pins_for_one_place_the_second_has_the_next_that_is_free(shop: Recommender) -> None:
    rules = (pin("kite", 1, "b"), pin("rake", 2, "c"), pin("spade", 1, "a"), pin("rake", 7, "d"))
    for slate in slates(shop, with_rules(*rules)):
        assert names(shop, slate)[:3] == ["spade", "rake", "kite"]
        assert positions(shop, slate, "rake") == [2]


def test_one_pin_may_show_several_products_from_its_place_on(shop: Recommender) -> None:
    several = PinRule("launch", ProductSelector(("kite", SOLD_OUT, "beans", "doll")), position=2)
    for slate in slates(shop, with_rules(several)):
        assert names(shop, slate)[1:4] == ["kite", "beans", "doll"]


def test_what_may_not_be_shown_is_not_shown_for_being_pinned(shop: Recommender) -> None:
    request = SlateRequest(
        repeat=Repeat.EXCLUDE, filters=Filters(exclude=(shop.catalogue.ids.find("kite"),))
    )
    rules = (
        pin(SOLD_OUT, 1, "a"),
        pin("kite", 2, "b"),
        pin("no such thing", 1, "c"),
        pin("spade", 11, "d"),
    )
    for slate in slates(shop, with_rules(*rules, request=request)):
        assert Source.PINNED not in {slot.source for slot in slate.slots}
    rake = with_rules(pin("rake", 1))
    assert "rake" not in names(shop, shop.recommend("only-returned", rake))
    assert "rake" not in names(
        shop, shop.recommend(None, replace(rake, basket=(shop.catalogue.ids.find("rake"),)))
    )
    hidden = ExcludeRule("no toys", TOYS)
    assert "kite" not in names(shop, shop.recommend("c03", with_rules(pin("kite", 1), hidden)))


def test_a_pin_stands_last_where_there_is_too_little_before_it(shop: Recommender) -> None:
    two = FilterRule("two", ProductSelector(("ball", "bread", "kite")))
    assert names(shop, shop.popular(with_rules(two, pin("kite", 9))))[-1] == "kite"
    assert len(shop.popular(with_rules(two, pin("kite", 9))).slots) == 3


def test_an_ended_campaign_stops_at_its_second(shop: Recommender) -> None:
    end = moment(DAYS + 3)
    campaign = replace(pin("spade", 1), starts=end - 60, ends=end)
    active = [
        names(shop, shop.recommend("c00", replace(with_rules(campaign), as_of=end + seconds)))[0]
        == "spade"
        for seconds in (-61, -60, -1, 0)
    ]
    assert active == [False, True, True, False]


def test_a_filter_leaves_only_what_matches_in_the_fill_too(shop: Recommender) -> None:
    toys = FilterRule("toys", TOYS)
    for slate in slates(shop, with_rules(toys)):
        assert set(names(shop, slate)) <= set(AISLES["toys"].split())
    few = FilterRule("two", ProductSelector(("beans", "kite")))
    filled = shop.similar(
        shop.catalogue.ids.find(NEVER_SOLD), with_rules(few)
    )  # like nothing: coffee fills it
    assert [(shop.catalogue.ids[slot.item], slot.source) for slot in filled.slots] == [
        ("beans", Source.FILL)
    ]
    removed = shop.find_removed(shop.build_context(0, ALL), with_rules(toys))
    assert (
        Counter(removed.tolist())[ExclusionRule.SHOP_FILTER] == 40 - 8 - 1
    )  # what is sold out was not for sale before


def test_the_rules_of_the_home_page_do_not_touch_the_mail(shop: Recommender) -> None:
    home = replace(pin("spade", 1), placements=("home",))
    for plain, mail, page in zip(
        slates(shop, replace(ALL, placement="email")),
        slates(shop, replace(with_rules(home), placement="email")),
        slates(shop, replace(with_rules(home), placement="home")),
        strict=True,
    ):
        assert plain == mail
        assert names(shop, page)[0] == "spade"


def test_the_rules_of_a_market_hold_for_the_customers_at_home_there(shop: Recommender) -> None:
    south = with_rules(replace(pin("spade", 1), market="south"))
    shown = [
        names(shop, shop.recommend(customer, south))[0] == "spade"
        for customer in ("c00", "c01", "c03")
    ]
    assert shown == [True, False, True]


def test_a_boost_moves_up_and_a_bury_moves_down_and_neither_changes_what_a_product_is_worth(
    shop: Recommender,
) -> None:
    for boost, buried in ((1.0, 1.0), (50.0, 1e6)):
        rules = (
            BoostRule("up", ProductSelector(("spade",)), strength=boost),
            BuryRule("down", ProductSelector(("bread",)), strength=buried),
        )
        for plain, moved in zip(slates(shop, ALL), slates(shop, with_rules(*rules)), strict=True):
            if boost == 1:
                assert plain == moved
            for product, up in (("spade", True), ("bread", False)):
                for before, after in zip(
                    positions(shop, plain, product), positions(shop, moved, product), strict=False
                ):
                    assert after <= before if up else after >= before
            worth = {
                slot.item: slot.score for slot in plain.slots if slot.source is not Source.FILL
            }
            for slot in moved.slots:
                if slot.item in worth and slot.source is not Source.FILL:
                    assert slot.score == pytest.approx(worth[slot.item], abs=1e-6)
    first = with_rules(BoostRule("up", ProductSelector(("spade",)), strength=1e6))
    assert (
        names(shop, shop.recommend("c03", first))[0]
        == names(shop, shop.popular(first))[0]
        == "spade"
    )


def test_a_boost_never_stands_above_a_pin(shop: Recommender) -> None:
    boost = BoostRule("up", ProductSelector(("kite",)), strength=1e6)
    for customer in ("c00", "c03", "unknown"):
        assert names(shop, shop.recommend(customer, with_rules(boost, pin("spade", 1))))[:2] == [
            "spade",
            "kite",
        ]


def test_a_boosted_product_that_nothing_speaks_for_has_its_chance_and_says_who_chose_it(
    shop: Recommender,
) -> None:
    boost = BoostRule("launch", ProductSelector((NEVER_SOLD,)), strength=1e6)
    user = shop.model.customers.ids.find("c00")
    context, request = shop.build_context(user, ALL), with_rules(boost)
    removed = shop.find_removed(context, request)
    assert shop.catalogue.ids.find(NEVER_SOLD) not in shop.rank(context, removed).items
    slot = shop.recommend("c00", request).slots[0]
    assert shop.catalogue.ids[slot.item] == NEVER_SOLD
    assert (slot.source, slot.reason.kind) == (Source.PINNED, ReasonKind.CHOSEN_BY_SHOP)
    known = with_rules(replace(boost, which=ProductSelector(("butter",))))
    assert shop.recommend("c00", known).slots[0].source is not Source.PINNED


def test_a_boost_of_everything_brings_in_the_few_that_sell_best() -> None:
    product_ids = [f"p{number:02}" for number in range(60)]
    lines = [Line(f"c{n}", name, n) for n in range(4) for name in product_ids[: 20 + 10 * n]]
    shop = fit_shop(
        ShopRecords([*lines, Line("ann", "p59", 3)], [Product(name) for name in product_ids])
    )
    none = np.zeros(60, np.uint8)
    offers = shop.rule_effects(with_rules(BoostRule("all", strength=2.0))).shop_candidates(
        none, shop.model.sales.window(moment(9), 28, 60), {}
    )
    assert sorted(offers.tolist()) == list(range(MOST_BOOSTED))


def test_a_cap_is_two_of_a_brand_in_ten_and_one_in_five_even_where_nothing_else_is_left(
    shop: Recommender,
) -> None:
    cap = CapRule("mix", by="brand", most=2)
    for n, most in ((10, 2), (5, 1), (4, 1)):
        for slate in slates(
            shop, with_rules(cap, request=SlateRequest(n=n, repeat=Repeat.INCLUDE))
        ):
            counts = Counter(shop.catalogue.brand[[slot.item for slot in slate.slots]].tolist())
            assert set(counts.values()) <= set(range(1, most + 1))
            assert len(slate.slots) == min(n, 3 * most)  # three brands


def test_a_cap_counts_the_products_that_it_names_and_the_pinned_ones_first(
    shop: Recommender,
) -> None:
    cap = CapRule("few toys", TOYS, by="category", most=1)
    request = with_rules(cap, pin("doll", 4, "a"), pin("kite", 2, "b"), request=SlateRequest(n=10))
    for slate in slates(shop, request):
        assert set(names(shop, slate)) & set(AISLES["toys"].split()) == {"doll"}


def test_a_slate_of_nothing_but_pins_and_fill_is_less_than_what_was_asked_for(
    shop: Recommender,
) -> None:
    only = FilterRule("only", ProductSelector(("spade",)))
    slate = shop.recommend("unknown", with_rules(only, pin("spade", 1)))
    assert [slot.source for slot in slate.slots] == [Source.PINNED]
    assert slate.fallback_reason is FallbackReason.UNKNOWN_CUSTOMER
    assert (
        shop.recommend("c00", with_rules(only, pin("spade", 1))).fallback_reason
        is FallbackReason.NO_CANDIDATES
    )


def test_bundles_hold_nothing_that_the_shop_keeps_out(shop: Recommender) -> None:
    bread, butter = shop.catalogue.ids.find_all(["bread", "butter"]).tolist()
    hide = ExcludeRule("no butter", ProductSelector(("butter",)), placements=("basket",))
    for placement, is_shown in (("basket", False), ("product", True)):
        request = SlateRequest(n=40, placement=placement, rules=(hide,))
        completed = shop.complete(replace(request, basket=(bread,)))
        for bundles in (shop.bundles(bread, request), completed):
            items = {item for bundle in bundles for item in bundle.items}
            assert (butter in items) == is_shown


def test_rules_sent_to_another_process_make_the_same_slates_there(
    shop: Recommender, registry: Registry
) -> None:
    hide = ExcludeRule("no toys", TOYS)
    cap = CapRule("mix", by="brand", most=3)
    request, there = (
        with_rules(hide, cap, pin("spade", 2), request=SlateRequest()),
        open_shop(registry),
    )
    sent = pickle.loads(pickle.dumps(request))
    for customer in SPECIAL:
        assert there.recommend(customer, sent) == shop.recommend(customer, request)


def test_room_is_what_the_caps_leave_and_everything_is_shown_once() -> None:
    red, blue = (
        Cap(np.array([0, 0, 0, 1, 1, -1], np.int32), 2),
        Cap(np.array([0, 1, 0, 1, 0, 0], np.int32), 3),
    )

    def taken(counter: CapCounter, *items: int) -> list[int]:
        return [item for item in items if counter.take(item)]

    assert taken(CapCounter([red], 10, [0]), *range(6)) == [1, 3, 4, 5]
    order = (0, 2, 4, 4, 1, 3, 5)
    assert taken(CapCounter([red, blue], 10), *order) == [0, 2, 4, 3]
    assert taken(CapCounter([red, blue], 5), *order) == [0, 4]
    assert taken(CapCounter([], 5, [2]), *range(4)) == [0, 1, 3]


def test_what_has_a_seat_keeps_it_while_there_is_something_before_it() -> None:
    assert insert_pinned("abc", {0: "X", 2: "Y"}) == ["X", "a", "Y", "b", "c"]
    assert insert_pinned("a", {1: "X", 7: "Y"}) == ["a", "X", "Y"]


WHICH = st.builds(
    ProductSelector,
    product_ids=st.lists(st.sampled_from(PRODUCTS), max_size=4).map(tuple),
    category=st.sampled_from([None, None, *AISLES, "shoes"]),
    brand=st.sampled_from([None, None, "Hartley", "Nobody"]),
    min_price=st.sampled_from([None, None, 5.0]),
    max_price=st.sampled_from([None, None, 30.0]),
)
NUMBERS = {
    FilterRule: {},
    ExcludeRule: {},
    BoostRule: {"strength": st.floats(1, 1e6)},
    BuryRule: {"strength": st.floats(1, 1e6)},
    PinRule: {"position": st.integers(1, 12)},
    CapRule: {"by": st.sampled_from(["category", "brand"]), "most": st.integers(1, 10)},
    MinimumRule: {"of": st.just("price"), "minimum": st.floats(0, 30)},
}
KINDS = [
    st.builds(
        kind,
        id=st.text("abcdef", min_size=1, max_size=3),
        which=WHICH,
        placements=st.sampled_from([(), (), ("home",), ("email", "basket")]),
        market=st.sampled_from([None, None, "north"]),
        starts=st.sampled_from([None, None, moment(100)]),
        ends=st.sampled_from([None, None, moment(150)]),
        **numbers,
    )
    for kind, numbers in NUMBERS.items()
]
RULES = st.lists(st.one_of(KINDS), max_size=5, unique_by=lambda rule: rule.id).map(tuple)
REQUESTS = st.builds(
    SlateRequest,
    n=st.integers(1, 40),
    as_of=st.sampled_from([None, moment(99), moment(120), moment(200)]),
    repeat=st.sampled_from(Repeat),
    strict=st.booleans(),
    filters=st.builds(Filters, market=st.sampled_from([None, "north", "south"])),
    placement=st.sampled_from([None, "home", "email"]),
    rules=RULES,
)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(SPECIAL), st.integers(0, 39), REQUESTS)
def test_whatever_the_rules_no_slate_shows_what_they_remove(
    shop: Recommender, customer: str, item: int, request: SlateRequest
) -> None:
    request = shop.at_home(shop.model.customers.ids.find(customer), request)
    as_of = shop.manifest.data_as_of if request.as_of is None else request.as_of
    active = active_rules(request.rules, request.placement, request.filters.market, as_of)
    for slate in (
        shop.recommend(customer, request),
        shop.popular(request),
        shop.similar(item, request),
    ):
        check(shop, slate.slots, request, active)


def check(
    shop: Recommender, slots: tuple[Slot, ...], request: SlateRequest, active: tuple[ShopRule, ...]
) -> None:
    items = [slot.item for slot in slots]
    assert len(items) == len(set(items)) <= request.n
    assert shop.catalogue.ids.find(SOLD_OUT) not in items
    for rule in active:
        assert not rule.keeps_out(shop.catalogue)[items].any()
        if isinstance(rule, CapRule):
            counted = [item for item in items if rule.matches(shop.catalogue)[item]]
            codes = shop.catalogue.category if rule.by == "category" else shop.catalogue.brand
            assert all(
                number <= ceil(request.n * rule.most / 10)
                for number in Counter(codes[counted]).values()
            )
    pins = [rule for rule in active if isinstance(rule, PinRule)]
    pinned = {name for rule in pins for name in rule.which.product_ids}
    boosts = any(isinstance(rule, BoostRule) for rule in active)
    for slot in slots:
        chosen = slot.source is Source.PINNED
        assert chosen == (slot.reason.kind is ReasonKind.CHOSEN_BY_SHOP)
        assert not chosen or boosts or shop.catalogue.ids[slot.item] in pinned
