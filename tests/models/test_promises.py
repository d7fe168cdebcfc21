"""Whatever is asked of a shop, by whomever, and whatever was learned: what is promised holds."""

from collections import Counter
from dataclasses import replace
from math import ceil

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from models.data.customers import NO, PERSONALIZE_EMAIL, PERSONALIZE_WEB
from models.recommender import Recommender
from models.rules.eligibility import ExclusionRule
from models.rules.filter_language import parse_filter
from models.rules.filter_mask import find_matching
from models.rules.filters import Filters, Repeat
from models.slate import FallbackReason, ReasonKind, Slate, SlateRequest, Slot, Source, Strategy
from tests.support.shop import DAYS, NEVER_SOLD, SOLD_OUT, SPECIAL, moment

# What each source may say of a product.
KINDS_OF = {
    Source.OWN_PURCHASES: {ReasonKind.BUY_AGAIN},
    Source.FACTORS: {ReasonKind.SIMILAR_CUSTOMERS},
    Source.NEIGHBOURS: {
        ReasonKind.BECAUSE_YOU_BOUGHT,
        ReasonKind.BECAUSE_YOU_VIEWED,
        ReasonKind.BECAUSE_OF_BASKET,
    },
    Source.BOUGHT_TOGETHER: {ReasonKind.BOUGHT_TOGETHER},
    Source.CATEGORY: {ReasonKind.BECAUSE_YOU_BOUGHT},
    Source.POPULAR: {ReasonKind.POPULAR},
    Source.FILL: {ReasonKind.POPULAR},
}

ITEMS = st.lists(st.integers(0, 39), max_size=6).map(tuple)
FILTERS = st.builds(
    Filters,
    exclude=st.lists(st.integers(0, 39), max_size=25).map(tuple),
    category=st.sampled_from([None, None, None, "toys", "dairy", "shoes"]),
    brand=st.sampled_from([None, None, None, "Hartley", "Nobody"]),
    min_price=st.none() | st.floats(0, 45),
    max_price=st.none() | st.floats(0, 45),
    market=st.sampled_from([None, "north", "south", "moon"]),
    expression=st.none()
    | st.sampled_from(
        ["product.shelf > 30", 'product.title.contains("e")', "has(product.color)"]
    ).map(parse_filter),
)
REQUESTS = st.builds(
    SlateRequest,
    n=st.integers(1, 100),
    as_of=st.none() | st.floats(-5, DAYS + 30).map(moment),
    repeat=st.sampled_from(Repeat),
    strict=st.booleans(),
    filters=FILTERS,
    recent=ITEMS,
    basket=ITEMS,
    placement=st.sampled_from([None, "home"]),
    purpose=st.sampled_from([PERSONALIZE_WEB, PERSONALIZE_EMAIL]),
)


@settings(max_examples=300, deadline=None)
@given(st.none() | st.sampled_from(SPECIAL), REQUESTS)
def test_whatever_is_asked_the_promises_hold(
    shop: Recommender, customer: str | None, request: SlateRequest
) -> None:
    slate = shop.recommend(customer, request)
    user = -1 if customer is None else shop.model.customers.ids.find(customer)
    named = set(request.recent + request.basket)
    said_no = user >= 0 and shop.model.customers.consent[user, request.purpose] == NO
    refused = slate.strategy is Strategy.NOT_PERSONALIZED
    assert refused == said_no
    _only_what_may_be_shown(
        shop, user, request, [slot.item for slot in slate.slots], set() if refused else named
    )
    _in_order(shop, request, slate)
    for slot in slate.slots:
        assert slot.reason.kind in KINDS_OF[slot.source]
        assert slot.reason.text
        _names_what_there_is(shop, user, request, slot)
        assert not (request.strict and slot.source is Source.FILL)
    if slate.strategy is Strategy.SESSION:
        assert named
        assert Source.OWN_PURCHASES not in {slot.source for slot in slate.slots}
    if slate.strategy in (Strategy.POPULAR, Strategy.NOT_PERSONALIZED):
        assert slate.fallback_reason is not None
        assert {slot.source for slot in slate.slots} <= {Source.POPULAR}
    else:
        is_proposed = any(slot.source is not Source.FILL for slot in slate.slots)
        assert slate.fallback_reason == (None if is_proposed else FallbackReason.NO_CANDIDATES)
        own = shop.build_context(user, request).pairs
        bought = set(own.item[(own.count > 0) & (own.last > 0)].tolist())
        assert {slot.item for slot in slate.slots if slot.source is Source.OWN_PURCHASES} <= bought
        if request.repeat is Repeat.EXCLUDE:
            assert not bought & {slot.item for slot in slate.slots}


def _names_what_there_is(shop: Recommender, user: int, request: SlateRequest, slot: Slot) -> None:
    """A reason names products of the history, basket or session that are tied to what is shown."""
    case = shop.build_context(user, shop.at_home(user, request))
    kept = set(case.pairs.item[case.pairs.count > 0].tolist())
    for because in slot.reason.items:
        if slot.source is Source.CATEGORY:
            assert because in kept
            assert any(
                codes[because] == codes[slot.item]
                for codes in (shop.catalogue.category, shop.catalogue.brand)
            )
        elif slot.source is Source.BOUGHT_TOGETHER:
            assert because in {*request.basket, *case.basket, *case.profile.last_basket}
            assert slot.item in shop.model.orders.item[shop.model.orders.row(because)]
        elif slot.source is Source.OWN_PURCHASES:
            assert because == slot.item
        else:
            assert because in kept | {*request.recent, *request.basket}


def _only_what_may_be_shown(
    shop: Recommender, user: int, request: SlateRequest, shown: list[int], named: set[int]
) -> None:
    """At most n, none twice, and of every product what the catalogue and the request say of it."""
    catalogue, filters = shop.catalogue, request.filters
    at_home = shop.model.customers.market[user] if user >= 0 else -1
    market = filters.market or (
        shop.model.customers.market_names[int(at_home)] if at_home >= 0 else None
    )
    assert len(shown) == len(set(shown)) <= request.n
    assert not set(shown) & ({*filters.exclude} | named)
    if filters.expression is not None:
        assert find_matching(filters.expression, catalogue)[shown].all()
    for item in shown:
        assert catalogue.ids[item] not in (SOLD_OUT, NEVER_SOLD)
        assert not catalogue.limited[item] or market in (None, "south")
        assert filters.category in (None, catalogue.category_names[int(catalogue.category[item])])
        assert filters.brand in (None, catalogue.brand_names[int(catalogue.brand[item])])
        assert filters.min_price is None or catalogue.price[item] >= filters.min_price
        assert filters.max_price is None or catalogue.price[item] <= filters.max_price


def _place(slot: Slot) -> tuple[float, int]:
    """Best first, then by id. Near 1 different log odds are one probability: which is first there
    cannot be told from the score.
    """
    return -slot.score, slot.item if slot.score < 0.99 else 0


def _in_order(shop: Recommender, request: SlateRequest, slate: Slate) -> None:
    """Best first, equal ones in the order of their ids, and what fills the slate after the rest.

    Where too many are of one aisle those come last, and of each aisle the best first.
    """
    fills = [slot.source is Source.FILL for slot in slate.slots]
    assert fills == sorted(fills)
    ranked = [slot for slot in slate.slots if slot.source is not Source.FILL]
    limits = shop.settings
    category = limits.diversity.category
    if slate.strategy not in (Strategy.PERSONAL, Strategy.SESSION):
        category = min(category, limits.popular.category)
    aisles = [int(shop.catalogue.category[slot.item]) for slot in ranked]
    most = ceil(request.n * category / 10)
    too_many = max(Counter(aisles).values(), default=0) > most
    for aisle in {*aisles} if too_many else {None}:
        alike = [slot for slot, its in zip(ranked, aisles, strict=True) if aisle in (None, its)]
        assert alike == sorted(alike, key=_place)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 39), REQUESTS)
def test_whatever_is_asked_about_a_product_it_is_not_its_own_answer(
    shop: Recommender, item: int, request: SlateRequest
) -> None:
    slate = shop.similar(item, request)
    _only_what_may_be_shown(shop, -1, request, [slot.item for slot in slate.slots], {item})
    _in_order(shop, request, slate)
    bundles = shop.bundles(item, request, size=3)
    assert len(bundles) <= request.n
    for bundle in bundles:
        _only_what_may_be_shown(shop, -1, replace(request, n=2), list(bundle.items), {item})
        assert (bundle.anchor, bundle.support >= 3, bundle.lift > 1) == (item, True, True)
        assert not {item, *bundle.items} & set(
            shop.model.substitutes.of([item, *bundle.items]).tolist()
        )
    assert len({frozenset(bundle.items) for bundle in bundles}) == len(bundles)


@settings(max_examples=100, deadline=None)
@given(ITEMS, REQUESTS)
def test_whatever_is_in_a_basket_is_not_what_completes_it(
    shop: Recommender, basket: tuple[int, ...], request: SlateRequest
) -> None:
    found = shop.complete(replace(request, basket=basket))
    _only_what_may_be_shown(shop, -1, request, [bundle.items[0] for bundle in found], set(basket))
    assert {bundle.anchor for bundle in found} <= set(basket)
    assert not {bundle.items[0] for bundle in found} & set(
        shop.model.substitutes.of(basket).tolist()
    )
    assert [bundle.score for bundle in found] == sorted(
        (bundle.score for bundle in found), reverse=True
    )


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(SPECIAL[:-1]), REQUESTS)
def test_every_product_that_is_missing_is_kept_out_by_a_rule(
    shop: Recommender, customer: str, request: SlateRequest
) -> None:
    """A filled slate of 100 holds all that was ever sold and no rule keeps out."""
    request = replace(
        request, n=100, strict=False, filters=replace(request.filters, market="south")
    )
    slate = shop.recommend(customer, request)
    if slate.strategy in (Strategy.PERSONAL, Strategy.SESSION):
        case = shop.build_context(shop.model.customers.ids.find(customer), request)
        allowed = (shop.find_removed(case, request) == ExclusionRule.NONE) & (
            case.trends.popularity.total > 0
        )
        assert {slot.item for slot in slate.slots} >= set(np.flatnonzero(allowed).tolist())
