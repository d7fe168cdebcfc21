"""A shop adds a source of its own by one class, and everything reads it from the tuple."""

from dataclasses import replace

import numpy as np
import pytest

from models.model import LearnedRanker
from models.ranking.context import RankingContext
from models.ranking.features import FEATURES, build_rows
from models.ranking.product_trends import PRODUCT_FEATURES
from models.ranking.ranker import Ranker
from models.ranking.sources import SOURCES, CandidateSource, OwnFeature, Popular, propose_candidates
from models.recommender import CustomerRequest, Recommender
from models.settings import BlendSettings
from models.slate import Reason, ReasonKind, SlateRequest
from models.trees import Trees, TreeSplit
from tests.support.fitted_shop import fit_shop
from tests.support.shop import NEVER_SOLD, names, small_shop_records

CUSTOMER = "c00"
STRONG = 100.0  # a weight beyond everything that the other sources say


class Seasonal(CandidateSource):
    """Propose what the shop calls seasonal: a product that nobody has bought yet."""

    name = "seasonal"
    own_features = (OwnFeature("in_season", STRONG),)

    def propose(self, context: RankingContext, allowed: np.ndarray, n: int) -> np.ndarray:
        items = np.array([seasonal_item(context)])
        return items[allowed[items]][:n]

    def own_values(self, items: np.ndarray, context: RankingContext) -> np.ndarray:
        return (items == seasonal_item(context))[None].astype(np.float32)

    def explain(self, items: list[int], context: RankingContext) -> list[list[Reason]]:
        title = context.model.catalogue.ids[items[0]]
        return [
            [Reason(ReasonKind.CHOSEN_BY_SHOP, (item,), f"{title} is in season")] for item in items
        ]


class Trending(CandidateSource):
    """Propose what sells more than it did; a feature that is there already speaks for it."""

    name = "trending"
    features = ("trend",)

    def propose(self, context: RankingContext, allowed: np.ndarray, n: int) -> np.ndarray:
        items = np.flatnonzero(allowed)
        return items[np.argsort(-trend(context)[items], kind="stable")][:n]

    def explain(self, items: list[int], context: RankingContext) -> list[list[Reason]]:
        return [[Reason(ReasonKind.POPULAR, (), "On the rise")] for _ in items]


def seasonal_item(context: RankingContext) -> int:
    return context.model.catalogue.ids.find(NEVER_SOLD)


def trend(context: RankingContext) -> np.ndarray:
    return context.trends.columns[PRODUCT_FEATURES.index("trend")]


@pytest.fixture(scope="module")
def plain() -> Recommender:
    return fit_shop(small_shop_records())


@pytest.fixture(scope="module")
def shop(plain: Recommender) -> Recommender:
    return Recommender(plain.manifest, plain.model, plain.settings, sources=(*SOURCES, Seasonal()))


def context_of(shop: Recommender) -> RankingContext:
    return shop.build_context(shop.model.customers.ids.find(CUSTOMER), SlateRequest())


def test_a_source_of_ones_own_proposes_beside_the_others(shop: Recommender) -> None:
    allowed = np.ones(len(shop.catalogue), np.bool_)
    proposals = propose_candidates(shop.ranker.sources, context_of(shop), allowed)
    assert list(proposals) == [*(source.name for source in SOURCES), "seasonal"]
    assert [shop.catalogue.ids[item] for item in proposals["seasonal"].tolist()] == [NEVER_SOLD]
    allowed[proposals["seasonal"]] = False
    assert propose_candidates(shop.ranker.sources, context_of(shop), allowed)["seasonal"].size == 0


def test_its_product_is_ranked_and_shown_with_its_name_and_its_reason(
    plain: Recommender, shop: Recommender
) -> None:
    assert NEVER_SOLD not in names(plain, plain.recommend(CUSTOMER, SlateRequest(n=100)))
    slate = shop.recommend(CUSTOMER, SlateRequest())
    (seasonal,) = (slot for slot in slate.slots if slot.source == "seasonal")
    assert shop.catalogue.ids[seasonal.item] == NEVER_SOLD
    assert seasonal.reason.text == f"{NEVER_SOLD} is in season"
    assert slate.fallback_reason is None
    together = shop.recommend_each([CustomerRequest(CUSTOMER, SlateRequest())] * 2)
    assert together == [slate, slate]


def test_the_other_products_are_shown_as_without_it(plain: Recommender, shop: Recommender) -> None:
    before = plain.recommend(CUSTOMER, SlateRequest()).slots
    after = shop.recommend(CUSTOMER, SlateRequest()).slots
    others = [slot for slot in after if slot.source != "seasonal"]
    assert others == list(before[: len(others)])


def test_a_source_may_explain_products_by_a_feature_that_is_there(plain: Recommender) -> None:
    """Customers were seen to buy what is on the rise, so that is what puts it there."""
    rising = Trees.of([TreeSplit(0, FEATURES.index("trend"), 0.2, 0, 1)], [[-9.0, 9.0]])
    lesson = LearnedRanker(np.ones(2, np.float32), np.zeros(2, np.float32), rising)
    shop = Recommender(
        plain.manifest,
        replace(plain.model, lesson=lesson),
        plain.settings,
        sources=(*SOURCES, Trending()),
    )
    slots = shop.recommend(CUSTOMER, SlateRequest()).slots
    on_the_rise = [slot for slot in slots if slot.source == "trending"]
    assert on_the_rise
    assert {slot.reason.text for slot in on_the_rise} == {"On the rise"}
    assert all(trend(context_of(shop))[slot.item] > 0.2 for slot in on_the_rise)


def test_its_features_stand_behind_those_that_trees_of_older_artifacts_know(
    plain: Recommender, shop: Recommender
) -> None:
    items, context = np.arange(len(shop.catalogue)), context_of(shop)
    known, _ = build_rows(items, context, SOURCES)
    rows, _ = build_rows(items, context, shop.ranker.sources)
    assert shop.ranker.columns == (*FEATURES, "in_season")
    assert rows[:, :-1].tolist() == known.tolist()
    assert np.flatnonzero(rows[:, -1]).tolist() == [seasonal_item(context)]


def test_new_products_keep_the_sources_of_a_recommender(shop: Recommender) -> None:
    renewed = shop.with_model(shop.model)
    assert renewed.recommend(CUSTOMER, SlateRequest()) == shop.recommend(CUSTOMER, SlateRequest())


def test_one_source_alone_makes_slates(plain: Recommender) -> None:
    shop = Recommender(plain.manifest, plain.model, plain.settings, sources=(Popular(),))
    slate = shop.recommend(CUSTOMER, SlateRequest(n=20))
    assert {slot.source for slot in slate.slots} <= {"popular", "fill"}
    assert slate.slots[0].source == "popular"


class Misspelled(Seasonal):
    own_features = ()
    features = ("trendd",)


class AsBefore(Seasonal):
    own_features = (OwnFeature("trend", 1.0),)


class Silent(Seasonal):
    own_features = ()


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ((*SOURCES, Popular()), "two sources have one name"),
        ((Misspelled(),), "seasonal: no features trendd"),
        ((AsBefore(),), "adds a feature that there is already"),
        ((Silent(),), "no source has features"),
    ],
)
def test_sources_that_cannot_rank_together_are_refused(
    sources: tuple[CandidateSource, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Ranker(BlendSettings(), LearnedRanker.none(), sources)


def test_a_model_that_learned_from_a_source_is_not_ranked_without_it() -> None:
    learned = Trees.of([TreeSplit(0, len(FEATURES), 0.5, 0, 1)], [[0.0, 1.0]])
    lesson = LearnedRanker(np.ones(2, np.float32), np.zeros(2, np.float32), learned)
    Ranker(BlendSettings(), lesson, (*SOURCES, Seasonal()))
    with pytest.raises(ValueError, match=f"learned from column {len(FEATURES)}"):
        Ranker(BlendSettings(), lesson)
