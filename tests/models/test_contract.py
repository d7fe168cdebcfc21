"""What every model of Regulars promises, whoever asks and whatever for."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits

from models.arrays import flatten
from models.customers import NO, PERSONALIZE_EMAIL, PERSONALIZE_WEB
from models.recommender import Recommender
from models.registry import Registry
from models.rules import Rule
from models.slate import FallbackReason, Filters, ReasonKind, Repeat, Slate, SlateRequest, Source, Strategy
from tests.shop import (
    DAYS,
    NEVER_BOUGHT,
    NEVER_SOLD,
    NO_EMAIL,
    NO_WEB,
    ONLY_RARE,
    ONLY_RETURNED,
    REGULAR,
    SOLD_OUT,
    Line,
    moment,
    names,
    open_shop,
    slates_of,
    small_purchases,
    small_shop,
    small_shop_purchases,
    trained,
)
from training.export import Layout, Order, export_slates
from training.progress import ignore
from training.recipients import everyone
from training.workers import spread

SPECIAL = (NEVER_BOUGHT, NO_EMAIL, NO_WEB, ONLY_RARE, ONLY_RETURNED, REGULAR, "c00", "c01", "c02", "unknown")
ALL = SlateRequest(n=100, repeat=Repeat.INCLUDE)

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
    Source.POPULAR: {ReasonKind.POPULAR},
    Source.FILL: {ReasonKind.POPULAR},
}


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return small_shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def shop(registry: Registry) -> Recommender:
    return open_shop(registry)


def slates(shop: Recommender) -> dict[str, Slate]:
    return dict(slates_of(shop, list(shop.model.customers.ids)))


def test_asked_for_more_than_there_is_everything_for_sale_is_shown_once(shop: Recommender) -> None:
    sold = shop.model.sales.popularity(shop.manifest.data_as_of, len(shop.catalogue), shop.settings.popular).total > 0
    for customer in SPECIAL:
        for market in ("north", "south"):
            request = replace(ALL, filters=Filters(market=market))
            for_sale = shop.catalogue.sellable(shop.manifest.data_as_of, market) & sold
            if customer == ONLY_RETURNED:
                for_sale[shop.catalogue.ids.find("rake")] = False
            shown = [slot.item for slot in shop.recommend(customer, request).slots]
            assert sorted(shown) == np.flatnonzero(for_sale).tolist()


def test_what_is_sold_out_or_was_never_sold_is_shown_to_nobody(shop: Recommender) -> None:
    for customer in shop.model.customers.ids:
        assert not {SOLD_OUT, NEVER_SOLD} & set(names(shop, shop.recommend(customer, ALL)))


def test_nothing_left_is_an_empty_slate_with_the_reason(shop: Recommender) -> None:
    nothing = SlateRequest(filters=Filters(category="shoes"))
    assert shop.recommend("c00", nothing) == Slate(Strategy.PERSONAL, FallbackReason.NO_CANDIDATES, ())
    assert shop.popular(nothing) == Slate(Strategy.POPULAR, FallbackReason.NO_CANDIDATES, ())
    assert shop.recommend("unknown", nothing).slots == ()


def test_strict_means_fewer_and_the_same_ones_first(shop: Recommender) -> None:
    for customer in ("c00", "c04", REGULAR):
        full = shop.recommend(customer, ALL).slots
        strict = shop.recommend(customer, replace(ALL, strict=True)).slots
        assert full[: len(strict)] == strict
        assert {slot.source for slot in full[len(strict) :]} == {Source.FILL}
        assert Source.FILL not in {slot.source for slot in strict}


def test_a_shorter_slate_is_the_beginning_of_a_longer_one(shop: Recommender) -> None:
    for customer in SPECIAL:
        for repeat in Repeat:
            longer = shop.recommend(customer, SlateRequest(n=40, repeat=repeat)).slots
            for n in (1, 5, 17):
                assert shop.recommend(customer, SlateRequest(n=n, repeat=repeat)).slots == longer[:n]


def test_the_same_question_has_the_same_answer(registry: Registry, shop: Recommender) -> None:
    assert slates(shop) == slates(shop) == slates(open_shop(registry))


def test_what_was_saved_and_loaded_answers_like_the_original(shop: Recommender) -> None:
    assert slates(trained(small_shop_purchases())) == slates(shop)


def test_many_at_once_are_answered_like_one_by_one(registry: Registry, shop: Recommender) -> None:
    customers = list(shop.model.customers.ids)
    directory = registry.path(shop.manifest.version)
    parts = spread(directory, slates_of, customers, chunk=23, processes=2)
    assert [pair for part in parts for pair in part] == list(slates(shop).items())


def test_an_export_holds_what_the_service_answers(registry: Registry, shop: Recommender, tmp_path: Path) -> None:
    order = Order(n=10, repeat=Repeat.AUTO, layout=Layout.LONG)
    output = tmp_path / "slates.ndjson"
    directory = registry.path(shop.manifest.version)
    export_slates(directory, everyone(shop.model.customers.ids), order, output, processes=1, on_progress=ignore)
    expected = [
        (customer, rank, shop.catalogue.ids[slot.item], slot.score, slot.source)
        for customer in shop.model.customers.ids
        for rank, slot in enumerate(shop.recommend(customer, SlateRequest(purpose=PERSONALIZE_EMAIL)).slots, 1)
    ]
    rows = [tuple(orjson.loads(line).values()) for line in output.read_bytes().splitlines()]
    assert [(*row[:3], pytest.approx(row[3]), row[4]) for row in rows] == expected


def test_a_seed_gives_the_same_model_on_one_thread_and_on_two(shop: Recommender) -> None:
    models = []
    for threads in (1, 2):
        with threadpool_limits(limits=threads):
            models.append(dict(flatten(trained(small_shop_purchases()).model)))
    for name, array in flatten(shop.model):
        np.testing.assert_array_equal(models[0][name], models[1][name], err_msg=name)
        np.testing.assert_array_equal(models[0][name], array, err_msg=name)


def test_products_that_are_equal_in_everything_stand_in_the_order_of_their_ids() -> None:
    shelf = ["pear", "apple", "fig", "date"]
    alone = [Line(f"d{n}", "tea", 4) for n in range(3)]
    shop = trained(small_purchases([*alone, *(Line(f"c{n}", name, n) for n in range(6) for name in shelf)]))
    assert names(shop, shop.popular(SlateRequest())) == [*sorted(shelf), "tea"]
    assert names(shop, shop.similar(0, SlateRequest(strict=True))) == ["date", "fig", "pear"]
    assert [bundle.items for bundle in shop.complete((0,), 3, Filters())] == [(1,), (2,), (3,)]
    assert [bundle.items for bundle in shop.bundles(0, 3, Filters())] == [(1,), (2,), (3,)]


ITEMS = st.lists(st.integers(0, 39), max_size=6).map(tuple)
FILTERS = st.builds(
    Filters,
    exclude=st.lists(st.integers(0, 39), max_size=25).map(tuple),
    category=st.sampled_from([None, None, None, "toys", "dairy", "shoes"]),
    brand=st.sampled_from([None, None, None, "Hartley", "Nobody"]),
    min_price=st.none() | st.floats(0, 45),
    max_price=st.none() | st.floats(0, 45),
    market=st.sampled_from([None, "north", "south", "moon"]),
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
    purpose=st.sampled_from([PERSONALIZE_WEB, PERSONALIZE_EMAIL]),
)


@settings(max_examples=300, deadline=None)
@given(st.none() | st.sampled_from(SPECIAL), REQUESTS)
def test_whatever_is_asked_the_promises_hold(shop: Recommender, customer: str | None, request: SlateRequest) -> None:
    slate = shop.recommend(customer, request)
    user = -1 if customer is None else shop.model.customers.ids.find(customer)
    named = set(request.recent + request.basket)
    said_no = user >= 0 and shop.model.customers.consent[user, request.purpose] == NO
    refused = slate.strategy is Strategy.NOT_PERSONALIZED
    assert refused == said_no
    _only_what_may_be_shown(shop, user, request, [slot.item for slot in slate.slots], set() if refused else named)
    _in_order(slate)
    for slot in slate.slots:
        assert slot.reason.kind in KINDS_OF[slot.source]
        assert slot.reason.text
        assert not (request.strict and slot.source is Source.FILL)
    if slate.strategy is Strategy.SESSION:
        assert named
        assert Source.OWN_PURCHASES not in {slot.source for slot in slate.slots}
    if slate.strategy in (Strategy.POPULAR, Strategy.NOT_PERSONALIZED):
        assert slate.fallback_reason is not None
        assert {slot.source for slot in slate.slots} <= {Source.POPULAR}
    else:
        assert slate.fallback_reason == (None if slate.slots else FallbackReason.NO_CANDIDATES)
        own = shop.case(user, request).pairs
        bought = set(own.item[(own.count > 0) & (own.last > 0)].tolist())
        assert {slot.item for slot in slate.slots if slot.source is Source.OWN_PURCHASES} <= bought
        if request.repeat is Repeat.EXCLUDE:
            assert not bought & {slot.item for slot in slate.slots}


def _only_what_may_be_shown(
    shop: Recommender, user: int, request: SlateRequest, shown: list[int], named: set[int]
) -> None:
    """At most n, none twice, and of every product what the catalogue and the request say of it."""
    catalogue, filters = shop.catalogue, request.filters
    at_home = shop.model.customers.market[user] if user >= 0 else -1
    market = filters.market or (shop.model.customers.market_names[int(at_home)] if at_home >= 0 else None)
    assert len(shown) == len(set(shown)) <= request.n
    assert not set(shown) & ({*filters.exclude} | named)
    for item in shown:
        assert catalogue.ids[item] not in (SOLD_OUT, NEVER_SOLD)
        assert not catalogue.limited[item] or market in (None, "south")
        assert filters.category in (None, catalogue.category_names[int(catalogue.category[item])])
        assert filters.brand in (None, catalogue.brand_names[int(catalogue.brand[item])])
        assert filters.min_price is None or catalogue.price[item] >= filters.min_price
        assert filters.max_price is None or catalogue.price[item] <= filters.max_price


def _in_order(slate: Slate) -> None:
    """Best first, equal ones in the order of their ids, and what fills the slate after the rest."""
    fills = [slot.source is Source.FILL for slot in slate.slots]
    assert fills == sorted(fills)
    ranked = [slot for slot in slate.slots if slot.source is not Source.FILL]
    if slate.strategy in (Strategy.PERSONAL, Strategy.SESSION):
        assert ranked == sorted(ranked, key=lambda slot: (-slot.score, slot.item))
    else:
        assert [slot.score for slot in ranked] == sorted((slot.score for slot in ranked), reverse=True)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 39), REQUESTS)
def test_whatever_is_asked_about_a_product_it_is_not_its_own_answer(
    shop: Recommender, item: int, request: SlateRequest
) -> None:
    slate = shop.similar(item, request)
    _only_what_may_be_shown(shop, -1, request, [slot.item for slot in slate.slots], {item})
    _in_order(slate)
    bundles = shop.bundles(item, request.n, request.filters, request.as_of, size=3)
    assert len(bundles) <= request.n
    for bundle in bundles:
        _only_what_may_be_shown(shop, -1, replace(request, n=2), list(bundle.items), {item})
        assert (bundle.anchor, bundle.support >= 3, bundle.lift > 1) == (item, True, True)
    assert len({frozenset(bundle.items) for bundle in bundles}) == len(bundles)


@settings(max_examples=100, deadline=None)
@given(ITEMS, REQUESTS)
def test_whatever_is_in_a_basket_is_not_what_completes_it(
    shop: Recommender, basket: tuple[int, ...], request: SlateRequest
) -> None:
    found = shop.complete(basket, request.n, request.filters, request.as_of)
    _only_what_may_be_shown(shop, -1, request, [bundle.items[0] for bundle in found], set(basket))
    assert {bundle.anchor for bundle in found} <= set(basket)
    assert [bundle.score for bundle in found] == sorted((bundle.score for bundle in found), reverse=True)


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(SPECIAL[:-1]), REQUESTS)
def test_every_product_that_is_missing_is_kept_out_by_a_rule(
    shop: Recommender, customer: str, request: SlateRequest
) -> None:
    """Whoever asks for 100 and lets it be filled sees all that was ever sold and no rule keeps out."""
    request = replace(request, n=100, strict=False, filters=replace(request.filters, market="south"))
    slate = shop.recommend(customer, request)
    if slate.strategy in (Strategy.PERSONAL, Strategy.SESSION):
        case = shop.case(shop.model.customers.ids.find(customer), request)
        allowed = (shop.removed(case, request) == Rule.NONE) & (case.evidence.popularity.total > 0)
        assert {slot.item for slot in slate.slots} >= set(np.flatnonzero(allowed).tolist())
