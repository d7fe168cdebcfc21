"""One customer at one moment: every source is context, about every product."""

import numpy as np
import pytest

from models.data.history import NEVER
from models.ranking.context import RankingContext, observed
from models.recommender import NOBODY, Recommender
from models.slate import SlateRequest
from models.sources.scores import Scores
from tests.support.fitted_shop import fit_shop
from tests.support.shop import SMALL, Line, Product, ShopRecords, moment, small_shop_records

BREAD, BUTTER, JAM, MILK, OATS, TEA = range(6)
ANN, BOB = range(2)
NOW = 10.0


@pytest.fixture(scope="module")
def shop() -> Recommender:
    """Sell bread with butter and tea with milk, six times each; jam is bought alone, oats are new.

    Ann bought tea, then bread; Bob sent back the tea he had bought.
    """
    pairs = [Line(f"c{n}", name, n, "once") for n in range(6) for name in ("bread", "butter")]
    pairs += [Line(f"d{n}", name, n, "once") for n in range(6) for name in ("tea", "milk")]
    alone = [Line(f"e{n}", "jam", n) for n in range(6)]
    ann = [Line("ann", "tea", 2), Line("ann", "bread", 5), Line("ann", "jam", 6, kind="view")]
    bob = [Line("bob", "tea", 5), Line("bob", "tea", NOW, kind="return")]
    shelf = [Product("bread"), Product("oats", from_day=8)]
    return fit_shop(ShopRecords([*pairs, *alone, *ann, *bob], shelf))


def context_of(shop: Recommender, user: int = ANN, **options: object) -> RankingContext:
    return shop.build_context(user, SlateRequest(**options))  # type: ignore[arg-type]


def all_scores(scores: Scores) -> np.ndarray:
    """Return the scores of every product of the shop."""
    return scores.of(np.arange(6))


def scored_items(scores: Scores) -> list[int]:
    return np.flatnonzero(all_scores(scores)).tolist()


def test_every_source_says_what_it_knows_about_every_product(shop: Recommender) -> None:
    scores = context_of(shop).scores
    assert scored_items(scores.affinity) == [
        BREAD,
        BUTTER,
        JAM,
        MILK,
        TEA,
    ]  # of oats nothing was learned
    assert all_scores(scores.affinity)[BREAD] > all_scores(scores.affinity)[BUTTER]
    assert scored_items(scores.neighbours) == [BUTTER, MILK]  # of bread and of tea
    assert scored_items(scores.together) == [BUTTER]  # the last thing that Ann bought was bread
    assert scored_items(scores.basket) == []  # her basket is empty


def test_what_a_customer_is_unlikely_to_want_is_no_evidence_against_anything() -> None:
    shop = fit_shop(small_shop_records())
    context = context_of(shop, shop.model.customers.ids.find("c03"))
    factors = shop.model.factors
    affinity = context.observed.folded_in() @ factors.factors
    assert affinity.min() < 0
    assert context.scores.affinity.of(factors.item).tolist() == pytest.approx(
        np.maximum(affinity, 0).tolist(), abs=1e-6
    )


def test_the_basket_is_completed_apart_from_what_was_bought(shop: Recommender) -> None:
    scores = context_of(shop, basket=(MILK,)).scores
    assert scored_items(scores.basket) == [TEA]
    assert scored_items(scores.together) == [BUTTER]


def test_what_lies_in_the_basket_twice_completes_it_like_once(shop: Recommender) -> None:
    once, twice = (
        context_of(shop, basket=basket).scores.basket for basket in ((MILK, JAM), (JAM, MILK, JAM))
    )
    assert all_scores(once).tolist() == all_scores(twice).tolist()


def test_what_was_sent_back_leads_to_nothing(shop: Recommender) -> None:
    assert scored_items(context_of(shop, BOB, as_of=moment(9)).scores.together) == [MILK]
    later = context_of(shop, BOB).scores
    assert (scored_items(later.together), scored_items(later.neighbours)) == ([], [])


def test_a_visit_is_asked_about_like_a_purchase_and_is_none(shop: Recommender) -> None:
    visit = context_of(shop, NOBODY, recent=(TEA,))
    assert scored_items(visit.scores.neighbours) == [MILK]
    assert scored_items(visit.scores.together) == []
    assert (visit.pairs.item.tolist(), visit.pairs.last.tolist()) == ([TEA], [NEVER])
    assert visit.clocks.passed.tolist() == [np.inf]


def test_somebody_of_whom_nothing_is_known_is_no_reason_for_anything(shop: Recommender) -> None:
    none = context_of(shop, NOBODY).scores
    for scores in (none.affinity, none.neighbours, none.basket, none.together):
        assert scored_items(scores) == []


def test_a_model_is_as_old_as_the_newest_sales_it_has_learned_from(shop: Recommender) -> None:
    assert [context_of(shop, as_of=moment(day)).lag_days for day in (3, 5, 5.5, 12)] == [
        0,
        0,
        0.5,
        7,
    ]
    assert context_of(shop).as_of == moment(5)


def test_an_arrival_is_one_until_the_customer_has_bought_it() -> None:
    crowd = [Line(f"c{n}", "bread", n) for n in range(9)]
    shop = fit_shop(ShopRecords([*crowd, Line("ann", "jam", 8)], [Product("jam", from_day=7)]))
    jam = shop.catalogue.ids.find("jam")
    ann, someone = (shop.model.customers.ids.find(name) for name in ("ann", "c0"))
    assert context_of(shop, someone).arrivals.tolist() == [jam]
    assert context_of(shop, ann).arrivals.tolist() == []


def test_confidence_grows_with_interest_and_what_was_only_looked_at_is_observed_too(
    shop: Recommender,
) -> None:
    pairs = context_of(shop, as_of=moment(NOW)).pairs
    items, confidence = observed(pairs, SMALL)
    half_life, alpha = SMALL.history.taste_half_life_days, SMALL.factors.alpha
    assert items.tolist() == [BREAD, JAM, TEA]
    looked_at = 0.05 + 0.95 * 2 ** (-4 / SMALL.history.visit_half_life_days)
    tasted = [2 ** (-5 / half_life), looked_at * 2 ** (-4 / half_life), 2 ** (-8 / half_life)]
    assert confidence.tolist() == pytest.approx([1 + alpha * taste for taste in tasted])


def test_what_was_sent_back_is_not_observed(shop: Recommender) -> None:
    items, confidence = observed(context_of(shop, BOB).pairs, SMALL)
    assert (items.tolist(), confidence.tolist()) == ([], [])
