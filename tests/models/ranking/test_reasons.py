"""Sentences under products are true."""

from dataclasses import replace

import numpy as np
import pytest

from models.assembly.assemble import explain_items
from models.data.history import Interactions, add_session, build_interactions, find_pair_starts
from models.ranking.context import RankingContext, observed
from models.ranking.reasons import (
    ALSO_BOUGHT,
    BOUGHT_TOGETHER,
    buy_again,
    choose_reasons,
    new_arrival,
    popular,
)
from models.ranking.sources import CandidateSource, Factors, KnownCategories, Neighbours
from models.recommender import CustomerRequest, Recommender
from models.rules.filters import Repeat
from models.settings import HistorySettings
from models.slate import Reason, ReasonKind, SlateRequest
from tests.support.fitted_shop import fit_shop
from tests.support.literal_fit import build_histories
from tests.support.shop import SMALL, Line, Product, ShopRecords, moment


def bread(*days: float, returned: float = 0) -> Interactions:
    lines = [Line("ann", "bread", day) for day in days]
    if returned:
        lines.append(Line("ann", "bread", max(days), kind="return", quantity=returned))
    events = build_histories(ShopRecords(lines)).of(0)
    return build_interactions(
        events, find_pair_starts(events), moment(max(days)), HistorySettings()
    )


@pytest.mark.parametrize(
    ("days", "sentence"),
    [
        ((3,), "You bought this before"),
        ((3, 9), "You bought this twice, 6 days apart"),
        ((3, 4.2), "You bought this twice, a day apart"),
        ((3, 3.2), "You bought this twice"),
        ((0, 9, 18), "You buy this about every 9 days"),
        ((0, 7, 20, 27), "You buy this about every 9 days"),
        ((1, 2, 3, 4), "You buy this about every day"),
        ((0, 1.5, 3), "You buy this about every 2 days"),
        ((0, 59, 118), "You buy this about every 59 days"),
        ((0, 60, 121), "You buy this about every 2 months"),
        ((0, 182, 365), "You buy this about every 6 months"),
        ((1.1, 1.2, 1.3), "You bought this 3 times"),
    ],
)
def test_how_often_something_is_bought_is_told_as_it_was(
    days: tuple[float, ...], sentence: str
) -> None:
    reason = buy_again(bread(*days), 0, moment(max(days)))
    assert (reason.kind, reason.items, reason.text) == (ReasonKind.BUY_AGAIN, (0,), sentence)


def test_one_of_three_sent_back_was_bought_all_the_same() -> None:
    assert (
        buy_again(bread(0, 9, 18, returned=1), 0, moment(18)).text
        == "You buy this about every 9 days"
    )


@pytest.mark.parametrize(
    ("day", "sentence"), [(45, "You buy this about every 9 days"), (46, "You bought this 3 times")]
)
def test_a_rhythm_that_was_given_up_is_told_no_more(day: float, sentence: str) -> None:
    assert buy_again(bread(0, 9, 18), 0, moment(day)).text == sentence


def test_what_nobody_bought_lately_is_not_called_popular_now() -> None:
    assert popular(1).text == "Popular right now"
    assert popular(0).text == "Bought by other customers"


TITLES = [
    Product("bread", title="Rye loaf"),
    Product("butter", title="Butter"),
    Product("jam"),
    Product("tea"),
]
BREAD, BUTTER, JAM, TEA = range(4)


@pytest.fixture(scope="module")
def shop() -> Recommender:
    """Sell bread with butter 6 times, bread with tea 3, butter with jam 4, tea and jam alone."""
    baskets = (
        [("bread", "butter")] * 6
        + [("bread", "tea")] * 3
        + [("butter", "jam")] * 4
        + [("tea",), ("jam",)]
    )
    lines = [Line(f"c{n:02}", name, n) for n, basket in enumerate(baskets) for name in basket]
    return fit_shop(ShopRecords([*lines, Line("ann", "bread", 14), Line("ann", "jam", 2)], TITLES))


def ann(shop: Recommender, as_of: float = 14) -> Interactions:
    events = shop.model.histories.of(0)
    return build_interactions(events, find_pair_starts(events), moment(as_of), SMALL.history)


def knowing(shop: Recommender, pairs: Interactions, *basket: int) -> RankingContext:
    """Ann's context with these pairs and this basket instead of hers."""
    context = shop.build_context(0, SlateRequest())
    seen = shop.model.factors.observed(*observed(pairs, SMALL))
    return replace(context, pairs=pairs, observed=seen, basket=list(basket))


def strongest(source: CandidateSource, item: int, context: RankingContext) -> Reason:
    (reasons,) = source.explain([item], context)
    return next(iter(reasons))


def test_because_you_bought_names_the_product_whose_tie_weighs_most(shop: Recommender) -> None:
    pairs, neighbours = ann(shop), shop.model.neighbours
    weight = {
        int(item): float(interest * neighbours.similar(int(item))[BUTTER])
        for item, interest in zip(pairs.item, pairs.recent, strict=True)
    }
    assert weight[BREAD] > weight[JAM] > 0
    reason = strongest(Neighbours(), BUTTER, knowing(shop, pairs))
    assert (reason.kind, reason.items) == (ReasonKind.BECAUSE_YOU_BOUGHT, (BREAD,))
    assert reason.text == "Because you bought Rye loaf"


def test_a_product_without_a_title_is_not_named_by_its_number(shop: Recommender) -> None:
    only_jam = build_interactions(*_only(shop, JAM), moment(14), SMALL.history)
    reason = strongest(Neighbours(), BUTTER, knowing(shop, only_jam))
    assert (reason.items, reason.text) == ((JAM,), "Because of what you bought before")


def _only(shop: Recommender, item: int):
    events = shop.model.histories.of(0)
    kept = events.at(events.item == item)
    return kept, find_pair_starts(kept)


def test_what_was_looked_at_was_not_bought(shop: Recommender) -> None:
    visit = add_session(
        build_interactions(*_only(shop, TEA), moment(14), SMALL.history),
        np.array([BREAD, JAM], np.int32),
    )
    reason = strongest(Neighbours(), TEA, knowing(shop, visit))
    assert reason.kind is ReasonKind.BECAUSE_YOU_VIEWED
    assert reason.text == "Because you looked at Rye loaf"


def test_what_lies_in_the_basket_was_not_looked_at(shop: Recommender) -> None:
    visit = add_session(
        build_interactions(*_only(shop, TEA), moment(14), SMALL.history),
        np.array([BREAD, JAM], np.int32),
    )
    reason = strongest(Neighbours(), TEA, knowing(shop, visit, BREAD))
    assert reason.kind is ReasonKind.BECAUSE_OF_BASKET
    assert reason.text == "Because Rye loaf is in your basket"


def test_customers_like_you_are_told_by_what_you_share(shop: Recommender) -> None:
    bought = build_interactions(*_only(shop, BREAD), moment(14), SMALL.history)
    reason = strongest(Factors(), BUTTER, knowing(shop, bought))
    assert (reason.kind, reason.items) == (ReasonKind.SIMILAR_CUSTOMERS, (BREAD,))
    assert reason.text == "Customers who buy Rye loaf, like you, chose this"
    tea = build_interactions(*_only(shop, TEA), moment(14), SMALL.history)
    visit = add_session(tea, np.array([BREAD], np.int32))
    reason = strongest(Factors(), BUTTER, knowing(shop, visit))
    assert reason.text == "Customers who like Rye loaf chose this"


def test_a_bundle_names_the_product_it_goes_with(shop: Recommender) -> None:
    reason = BOUGHT_TOGETHER.about(shop.catalogue, BREAD)
    assert (reason.kind, reason.items) == (ReasonKind.BOUGHT_TOGETHER, (BREAD,))
    assert reason.text == "Often bought together with Rye loaf"


# Two shelves of tea, and honey that stands on none; a brand has both tea and biscuits.
TEAS = [
    Product("assam", title="Assam", category="tea", brand="Hill"),
    Product("biscuit", title="Biscuits", category="cakes", brand="Hill"),
    Product("ceylon", title="Ceylon", category="tea"),
    Product("darjeeling", title="Darjeeling", category="tea", brand="Lake"),
    Product("fudge", category="cakes", from_day=8),
    Product("honey", title="Honey", from_day=8),
]
ASSAM, BISCUIT, CEYLON, DARJEELING, FUDGE, HONEY = range(6)


@pytest.fixture(scope="module")
def tea_shop() -> Recommender:
    """Ann bought Ceylon once and Assam twice, and looked at Darjeeling; Bob sent his Assam back."""
    ann = [Line("ann", "assam", 2), Line("ann", "assam", 5), Line("ann", "ceylon", 6)]
    ann += [Line("ann", "darjeeling", day, kind="view") for day in (6, 7, 8)]
    bob = [
        Line("bob", "assam", 2),
        Line("bob", "assam", 3, kind="return"),
        Line("bob", "ceylon", 1),
    ]
    crowd = [Line(f"c{n}", name, 9, f"{n}") for n in range(5) for name in ("assam", "biscuit")]
    crowd += [Line(f"d{n}", name, 9, f"{n}") for n in range(5) for name in ("ceylon", "darjeeling")]
    return fit_shop(ShopRecords([*ann, *bob, *crowd], TEAS))


def because(shop: Recommender, customer: str, item: int) -> Reason:
    context = shop.build_context(shop.model.customers.ids.find(customer), SlateRequest())
    return strongest(KnownCategories(), item, context)


def test_an_aisle_is_known_by_what_was_bought_there_most(tea_shop: Recommender) -> None:
    reason = because(tea_shop, "ann", DARJEELING)
    assert (reason.kind, reason.items) == (ReasonKind.BECAUSE_YOU_BOUGHT, (ASSAM,))
    assert reason.text == "Because you bought Assam"
    assert because(tea_shop, "bob", DARJEELING).items == (CEYLON,)  # he sent the other one back


def test_where_nothing_of_the_aisle_was_bought_the_brand_is_the_reason(
    tea_shop: Recommender,
) -> None:
    assert because(tea_shop, "ann", BISCUIT).items == (ASSAM,)


def test_what_was_sent_back_is_no_reason_for_more_of_it(tea_shop: Recommender) -> None:
    reason = because(tea_shop, "bob", BISCUIT)
    assert (reason.kind, reason.items, reason.text) == (
        ReasonKind.POPULAR,
        (),
        "Bought by other customers",
    )


def test_what_has_neither_category_nor_brand_is_like_nothing_that_was_bought(
    tea_shop: Recommender,
) -> None:
    assert because(tea_shop, "ann", HONEY).kind is ReasonKind.POPULAR


def test_an_arrival_is_new_in_its_category(tea_shop: Recommender) -> None:
    assert new_arrival(tea_shop.catalogue, FUDGE) == Reason(ReasonKind.NEW, (), "New in cakes")
    assert new_arrival(tea_shop.catalogue, HONEY) == Reason(ReasonKind.NEW, (), "New in our shop")


def explained(
    shop: Recommender, customer: str, basket: tuple[int, ...] = (), **sources: int
) -> dict[int, Reason]:
    """Return the reasons of products, each given by the source that it is shown for."""
    user = shop.model.customers.ids.find(customer)
    context = shop.build_context(user, SlateRequest(basket=basket))
    return explain_items(list(sources.values()), list(sources), context, shop.ranker)


def test_every_product_of_a_slate_is_explained_by_the_source_that_put_it_there(
    tea_shop: Recommender,
) -> None:
    everything = {
        "own_purchases": ASSAM,
        "category": BISCUIT,
        "factors": CEYLON,
        "neighbours": DARJEELING,
        "new": FUDGE,
        "pinned": HONEY,
    }
    why = explained(tea_shop, "ann", **everything)
    assert {source: why[item].kind.value for source, item in everything.items()} == {
        "own_purchases": "buy_again",
        "category": "because_you_bought",
        "factors": "similar_customers",
        "neighbours": "because_you_bought",
        "new": "new",
        "pinned": "chosen_by_shop",
    }
    assert why[DARJEELING].items == (CEYLON,)
    assert explained(tea_shop, "ann", popular=BISCUIT)[BISCUIT].text == "Popular right now"


def test_nothing_to_explain_needs_no_reason(tea_shop: Recommender) -> None:
    assert explained(tea_shop, "ann") == {}


def test_bought_together_names_what_lies_in_the_basket_before_what_was_bought_last(
    tea_shop: Recommender,
) -> None:
    """On her last visit Ann bought Ceylon; Assam lies in her basket."""
    why = explained(tea_shop, "ann", (ASSAM,), bought_together=BISCUIT)
    assert (why[BISCUIT].kind, why[BISCUIT].items) == (ReasonKind.BOUGHT_TOGETHER, (ASSAM,))
    for basket in ((), (ASSAM,)):
        why = explained(tea_shop, "ann", basket, bought_together=DARJEELING)
        assert why[DARJEELING].items == (CEYLON,)


def test_what_is_like_a_product_names_it(shop: Recommender) -> None:
    assert (
        ALSO_BOUGHT.about(shop.catalogue, BREAD).text == "Customers who buy Rye loaf also buy this"
    )
    assert (
        ALSO_BOUGHT.about(shop.catalogue, JAM).text
        == "Customers who buy this product also buy this"
    )


def named(*items: int) -> list[Reason]:
    """Return the reasons of one product: each of these items is one, strongest first."""
    return [Reason(ReasonKind.BECAUSE_YOU_BOUGHT, (item,), f"for {item}") for item in items]


def test_a_product_is_the_reason_for_three_of_ten_and_then_the_next_true_one_is_told() -> None:
    chosen = choose_reasons([named(1, 2, 3, 4)] * 10)
    assert [reason.items[0] for reason in chosen] == [1, 1, 1, 2, 2, 2, 3, 3, 3, 4]


def test_without_another_truth_the_strongest_reason_is_told_again() -> None:
    reasons = choose_reasons([named(1)] * 4 + [named(2, 1)])
    assert [reason.items for reason in reasons] == [(1,), (1,), (1,), (1,), (2,)]


def test_a_reason_that_names_nothing_is_told_as_often_as_it_is_true() -> None:
    assert choose_reasons([[popular(1)]] * 10) == [popular(1)] * 10
    without_name = BOUGHT_TOGETHER.unnamed
    reasons = [[*named(1), without_name]] * 11
    assert choose_reasons(reasons) == [*named(1) * 3, *[without_name] * 7, *named(1)]


def test_bananas_are_not_the_reason_for_everything() -> None:
    """Ann bought bananas alone, with which everything is bought; Bob bought tea as well."""
    things = [f"thing {n}" for n in range(12)]
    crowd = [
        Line(f"c{n}", name, n % 20, f"{n}")
        for n in range(40)
        for name in ("banana", "tea", *(things[(n + k) % 12] for k in range(4)))
    ]
    own = [Line("ann", "banana", 20), Line("bob", "banana", 20), Line("bob", "tea", 20)]
    shop = fit_shop(ShopRecords([*crowd, *own]))
    banana, tea = shop.catalogue.ids.find("banana"), shop.catalogue.ids.find("tea")
    request = SlateRequest(repeat=Repeat.EXCLUDE)
    requests = [CustomerRequest(name, request) for name in ("ann", "bob")]
    slates = shop.recommend_each(requests)
    for slate, bought in zip(slates, ([banana], [banana, tea]), strict=True):
        named_items = [item for slot in slate.slots for item in slot.reason.items]
        assert {*named_items} == {*bought}
        assert max(named_items.count(item) for item in bought) <= 3
    assert slates == [shop.recommend(name, request) for name in ("ann", "bob")]


def test_what_was_looked_at_is_not_the_reason_for_itself(tea_shop: Recommender) -> None:
    why = explained(tea_shop, "ann", factors=DARJEELING)[DARJEELING]
    assert why.kind is ReasonKind.SIMILAR_CUSTOMERS
    assert DARJEELING not in why.items
