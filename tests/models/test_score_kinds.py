"""The scores of one answer have one meaning, which it names."""

from dataclasses import replace

import pytest

from models.model import LearnedRanker
from models.recommender import Recommender
from models.settings import CandidateSettings
from models.slate import ScoreKind, SlateRequest, Source
from tests.support.fitted_shop import LESSON, fit_shop
from tests.support.shop import REGULAR, small_shop_records

ALL = SlateRequest(n=40)


@pytest.fixture(scope="module")
def shop() -> Recommender:
    return fit_shop(small_shop_records(), lesson=LESSON)


def test_a_shop_that_learned_nothing_says_that_its_scores_are_those_of_the_formula(
    shop: Recommender,
) -> None:
    unlearned = shop.with_model(replace(shop.model, lesson=LearnedRanker.none()))
    assert unlearned.recommend(REGULAR, ALL).score_kind is ScoreKind.BLEND


@pytest.mark.parametrize(
    ("objective", "kind"),
    [("purchases", ScoreKind.PROBABILITY), ("margin", ScoreKind.WEIGHTED)],
)
def test_learned_scores_are_probabilities_which_an_objective_may_weigh(
    shop: Recommender, objective: str, kind: ScoreKind
) -> None:
    ranker = replace(shop.settings.ranker, objective=objective)
    learned = Recommender(shop.manifest, shop.model, replace(shop.settings, ranker=ranker))
    slate = learned.recommend(REGULAR, ALL)
    assert slate.score_kind is kind
    assert all(0 <= slot.score <= 1 for slot in slate.slots)


def test_what_fills_a_slate_has_no_score_of_another_kind(shop: Recommender) -> None:
    few = replace(shop.settings, candidates=CandidateSettings(new=2, category=2))
    shop = Recommender(shop.manifest, shop.model, few)
    slates = [shop.recommend(REGULAR, ALL), shop.similar(0, ALL), shop.popular(ALL, 1)]
    kinds = [slate.score_kind for slate in slates]
    assert kinds == [shop.score_kind, ScoreKind.SIMILARITY, ScoreKind.SALES]
    filled = [slot for slate in slates for slot in slate.slots if slot.source == Source.FILL]
    assert {slot.score for slot in filled} == {0.0}
