"""Each source proposes to one customer of a shop with three aisles."""

from dataclasses import replace
from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data.history import NEVER
from models.ranking.context import RankingContext, SourceScores
from models.ranking.sources import (
    SOURCES,
    Popular,
    merge_candidates,
    propose_candidates,
    score_by_attributes,
)
from models.recommender import NOBODY, Recommender
from models.settings import ArrivalSettings, CandidateSettings
from models.slate import SlateRequest, Source
from models.sources.scores import SparseScores
from tests.support.fitted_shop import fit_shop
from tests.support.shop import SMALL, Line, Product, ShopRecords, moment

SHELF = [
    Product("bagel", category="bakery", brand="Ashby", price=2),
    Product("bread", category="bakery", brand="Ashby", price=2),
    Product("butter", category="dairy", brand="Hartley", price=4),
    Product("hoe", category="garden", price=30, from_day=20),
    Product("jam"),
    Product("kaiser", category="bakery", brand="Hartley", price=2, from_day=20),
    Product("loaf", category="bakery", brand="Ashby", price=2, from_day=20),
    Product("milk", category="dairy", brand="Ashby", price=1),
    Product("rake", category="garden", price=20),
    Product("rolls", category="bakery", brand="Hartley", price=4),
]
NAMES = [product.id for product in SHELF]
NEW = ("hoe", "kaiser", "loaf")
SETTINGS = replace(SMALL, arrivals=ArrivalSettings(days=14))
EVERYTHING = np.ones(len(SHELF), np.bool_)


def sold(product: str, times: int) -> list[Line]:
    """Sell a product in orders of their own, on the last days."""
    return [Line(f"{product} {number}", product, 27 - number / 10) for number in range(times)]


@pytest.fixture(scope="module")
def shop() -> Recommender:
    """Sell bread to Ann every week, and butter once. Every gap between two purchases is a week."""
    weekly = [Line(who, "bread", day) for who in ("ann", "bob", "cleo") for day in (0, 7, 14, 21)]
    crowd = [
        *sold("rolls", 6),
        *sold("bagel", 3),
        *sold("milk", 4),
        *sold("rake", 5),
        *sold("jam", 7),
    ]
    together = [Line(f"d{number}", name, 27) for number in range(4) for name in ("butter", "jam")]
    return fit_shop(
        ShopRecords([*weekly, *crowd, *together, Line("ann", "butter", 20)], SHELF), SETTINGS
    )


def context_of(
    shop: Recommender, day: float = 28, customer: str = "ann", basket: tuple[str, ...] = ()
) -> RankingContext:
    request = SlateRequest(as_of=moment(day), basket=tuple(map(NAMES.index, basket)))
    return shop.build_context(shop.model.customers.ids.find(customer), request)


def propose(
    context: RankingContext, allowed: np.ndarray = EVERYTHING, **limits: int
) -> dict[str, list[str]]:
    settings = replace(SETTINGS, candidates=CandidateSettings(**limits))
    proposals = propose_candidates(SOURCES, replace(context, settings=settings), allowed)
    return {source: [NAMES[item] for item in items.tolist()] for source, items in proposals.items()}


def with_scores(context: RankingContext, **scores_of: dict[str, float]) -> RankingContext:
    """Return the context with these scores and no others."""
    learned = dict.fromkeys(SourceScores.__dataclass_fields__, SparseScores.none())
    for source, scores in scores_of.items():
        items = np.array([NAMES.index(product) for product in scores], np.int32)
        learned[source] = SparseScores.summed(items, np.array(list(scores.values()), np.float32))
    return replace(context, scores=SourceScores(**learned))


def without(*products: str) -> np.ndarray:
    allowed = EVERYTHING.copy()
    allowed[[NAMES.index(product) for product in products]] = False
    return allowed


def test_everything_that_was_bought_before_is_proposed(shop: Recommender) -> None:
    assert propose(context_of(shop))["own_purchases"] == ["bread", "butter"]


def test_of_too_many_habits_the_strongest_are_proposed_and_whatever_is_due(
    shop: Recommender,
) -> None:
    proposals = propose(context_of(shop), bought=1)
    assert proposals["own_purchases"] == ["bread"]
    assert proposals["due"] == ["bread", "butter"]


@pytest.mark.parametrize(
    ("day", "due"),
    [(22, []), (25.5, ["butter"]), (27, ["bread", "butter"]), (31, ["bread"]), (32, [])],
)
def test_a_product_is_due_about_an_interval_after_its_last_purchase(
    shop: Recommender, day: float, due: list[str]
) -> None:
    """Products are due 5.25 to 10.5 days later; bread was last bought on day 21, butter on 20."""
    assert propose(context_of(shop, day))["due"] == due


@pytest.mark.parametrize(
    ("learned", "source"),
    [
        ("affinity", "factors"),
        ("neighbours", "neighbours"),
        ("basket", "basket"),
        ("together", "bought_together"),
    ],
)
def test_each_source_proposes_its_best_new_products(
    shop: Recommender, learned: str, source: str
) -> None:
    context = with_scores(
        context_of(shop), **{learned: {"bread": 9, "milk": 1, "rake": 3, "rolls": 2}}
    )
    proposals = propose(context, new=2)
    assert proposals[source] == ["rake", "rolls"]
    others = {"factors", "neighbours", "basket", "bought_together"} - {source}
    assert not any(proposals[other] for other in others)


def test_what_the_rules_removed_is_not_proposed_and_the_next_best_takes_its_place(
    shop: Recommender,
) -> None:
    context = with_scores(context_of(shop), affinity={"milk": 1, "rake": 3, "rolls": 2})
    proposals = propose(context, without("rake", "bread", "loaf"), new=2)
    assert proposals["factors"] == ["rolls", "milk"]
    assert proposals["own_purchases"] == proposals["due"] == ["butter"]
    assert proposals["new"] == ["kaiser"]


def test_what_goes_with_the_last_purchase_is_proposed(shop: Recommender) -> None:
    after_butter = context_of(shop, day=20.5)
    assert after_butter.profile.last_basket == [NAMES.index("butter")]
    assert propose(after_butter)["bought_together"] == ["jam"]
    assert (
        propose(context_of(shop, day=28))["bought_together"] == []
    )  # bread was always bought alone


def test_what_completes_the_basket_is_proposed(shop: Recommender) -> None:
    assert propose(context_of(shop, basket=("jam",)))["basket"] == []  # Ann knows butter already
    assert propose(context_of(shop, customer="bob", basket=("jam",)))["basket"] == ["butter"]


def test_what_sells_best_in_the_aisles_that_a_customer_knows_is_proposed(shop: Recommender) -> None:
    """Ann bought more bread than butter; rakes sell better than bagels, but not in her aisles."""
    assert propose(context_of(shop))["category"] == ["rolls", "bagel", "milk"]
    assert propose(context_of(shop), categories=1)["category"] == ["rolls", "bagel"]
    # Of an aisle so many are looked at, what she knows among them
    assert propose(context_of(shop), category=2)["category"] == ["rolls", "milk"]
    assert (
        propose(context_of(shop, customer="rake 1"))["category"] == []
    )  # one rake is all there is


def test_a_customer_whose_purchases_stand_in_no_aisle_is_proposed_none(shop: Recommender) -> None:
    proposals = propose(context_of(shop, customer="jam 1"))
    assert (proposals["own_purchases"], proposals["category"], proposals["new"]) == (
        ["jam"],
        [],
        [],
    )


def test_what_everybody_buys_is_proposed_to_who_does_not_know_it(shop: Recommender) -> None:
    assert propose(context_of(shop), new=3)["popular"] == ["jam", "rolls", "rake"]
    assert "jam" not in propose(context_of(shop, customer="jam 1"), new=3)["popular"]


def test_what_sold_best_ever_is_proposed_though_it_did_not_sell_lately() -> None:
    lines = [Line(f"jam {number}", "jam", 1) for number in range(9)]
    lines += [Line(f"{name} {number}", name, 200) for name in "abcdef" for number in range(3)]
    shop = fit_shop(ShopRecords(lines))
    everything = np.ones(7, np.bool_)
    context = shop.build_context(NOBODY, SlateRequest(as_of=moment(200)))
    for limit, proposes_jam in ((1, False), (3, True), (5, True)):
        items = Popular().propose(context, everything, limit)
        assert len(items) == len(set(items.tolist())) == limit
        assert (shop.catalogue.ids.find("jam") in items) == proposes_jam


def test_arrivals_are_proposed_in_the_aisles_that_a_customer_knows_the_best_suited_first(
    shop: Recommender,
) -> None:
    """Loaf is of the brand of her bread; hoes are nothing to her."""
    assert propose(context_of(shop))["new"] == ["loaf", "kaiser"]
    assert propose(context_of(shop), arrivals=1)["new"] == ["loaf"]
    assert propose(context_of(shop, customer="rake 1"))["new"] == ["hoe"]
    assert propose(context_of(shop, day=19))["new"] == []


def test_products_suit_by_category_then_brand_and_a_usual_price(shop: Recommender) -> None:
    context, model = context_of(shop), shop.model
    items = np.array([NAMES.index(name) for name in ("loaf", "kaiser", "rolls", "rake", "jam")])
    bakery = float(context.profile.category_share[0])
    ashby, hartley = context.profile.brand_share.tolist()
    assert (bakery + float(context.profile.category_share[1]), ashby + hartley) == pytest.approx(
        (1, 1)
    )
    dearer = (model.traits.price_in_category[items] - context.profile.price_in_category).tolist()
    assert score_by_attributes(items, context.profile, model).tolist() == pytest.approx(
        [
            bakery * (1 + 4 * ashby) * exp(-abs(dearer[0])),
            bakery * (1 + 4 * hartley) * exp(-abs(dearer[1])),
            bakery * (1 + 4 * hartley) * exp(-abs(dearer[2])),
            0,
            0,
        ]
    )
    assert (
        score_by_attributes(items, context.profile, model)[1]
        > score_by_attributes(items, context.profile, model)[2]
    )  # too dear


def test_a_product_without_a_price_suits_like_one_of_the_usual_price() -> None:
    shelf = [
        Product("bread", category="bakery", price=2),
        Product("rolls", category="bakery", from_day=1),
    ]
    shop = fit_shop(ShopRecords([Line("ann", "bread", 2), Line("bob", "bread", 2)], shelf))
    assert score_by_attributes(np.array([1]), context_of(shop, 2).profile, shop.model).tolist() == [
        1
    ]


def test_a_stranger_is_proposed_what_is_popular_and_nothing_else(shop: Recommender) -> None:
    proposals = propose(shop.build_context(NOBODY, SlateRequest()))
    assert {source for source, names in proposals.items() if names} == {"popular"}


def test_candidates_are_what_any_source_proposed_each_once(shop: Recommender) -> None:
    proposals = {
        "popular": np.array([4, 2]),
        "factors": np.array([2, 9]),
        "new": np.zeros(0, np.int64),
    }
    assert merge_candidates(proposals).tolist() == [2, 4, 9]


@given(
    st.lists(st.booleans(), min_size=len(SHELF), max_size=len(SHELF)),
    st.floats(0, 40),
    st.sampled_from(NAMES),
)
def test_whatever_the_rules_leave_no_source_proposes_anything_else(
    shop: Recommender, allowed: list[bool], day: float, visited: str
) -> None:
    context = context_of(shop, day, basket=(visited,))
    owned = {NAMES[item] for item in context.pairs.item[context.pairs.last != NEVER].tolist()}
    left = {name for name, kept in zip(NAMES, allowed, strict=True) if kept}
    for source, names in propose(context, np.array(allowed)).items():
        assert len(names) == len(set(names))
        assert set(names) <= (left & owned if source in ("own_purchases", "due") else left - owned)


def test_the_answer_documents_every_source_that_is_registered() -> None:
    # Of no slate that a customer is ranked for: of rules, fill, one product, mails, and lists
    elsewhere = {Source.PINNED, Source.FILL, Source.SIMILAR, Source.OWN_INTEREST}
    elsewhere |= {Source.PRICE_DROPPED, Source.BACK_IN_STOCK, Source.BEST_RATED}
    assert {source.shown_as for source in SOURCES} == set(Source) - elsewhere
