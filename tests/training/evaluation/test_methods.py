"""The slates that are compared, for customers whose slates can be told by hand and for a whole
small shop.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from models.model import LearnedRanker
from models.ranking.features import BLENDED
from models.recommender import Recommender
from models.rules.filters import Repeat
from models.settings import CandidateSettings, DiversitySettings
from models.slate import SlateRequest
from models.trees import Trees
from tests.support.shop import Line, Product, moment, names
from tests.support.training_shop import small_purchases, small_shop_purchases, trained
from training.evaluation.methods import (
    AUTO,
    BASELINES,
    BLEND,
    CATEGORIES,
    DIVERSITIES,
    LEARNED_BLEND,
    METHODS,
    OWN_PURCHASES,
    POPULARITY,
    QUARTER_POPULARITY,
    RECENT_POPULARITY,
    RULED,
    SERVED,
    SINGLE_SOURCES,
    WEEK_POPULARITY,
    WINDOW_DAYS,
    AddedMethods,
    MethodSlates,
    build_method_slates,
)

SHOP = trained(small_shop_purchases())
END = SHOP.manifest.data_as_of

# Anna bought milk three times long ago and bread once yesterday; the others bought jam often, honey
# lately.
CORNER = trained(
    small_purchases(
        [
            *(Line("anna", "milk", day) for day in (0, 1, 2)),
            Line("anna", "bread", 99),
            *(Line(f"c{number}", "jam", 10 + number) for number in range(9)),
            *(Line(f"c{number}", "honey", 95) for number in range(5)),
            *(Line(f"c{number}", "soldout", 95) for number in range(8)),
        ],
        [Product("soldout", in_stock=False)],
    )
)


def shown_by(method: str, answer: MethodSlates, shop: Recommender = CORNER) -> list[str]:
    return [shop.catalogue.ids[item] for item in answer.items[method]]


def of_anna(k: int = 10, as_of: int | None = None) -> tuple[MethodSlates, MethodSlates]:
    user = CORNER.model.customers.ids.find("anna")
    return build_method_slates(
        CORNER, user, CORNER.manifest.data_as_of if as_of is None else as_of, k
    )


def test_popularity_is_what_sold_most_and_recent_popularity_what_sold_lately() -> None:
    everything, new = of_anna()
    assert shown_by(POPULARITY, everything) == ["jam", "honey", "milk", "bread"]
    assert shown_by(RECENT_POPULARITY, everything) == ["honey", "bread"]
    assert shown_by(WEEK_POPULARITY, everything) == ["honey", "bread"]
    assert shown_by(QUARTER_POPULARITY, everything) == ["jam", "honey", "bread"]
    assert shown_by(POPULARITY, new) == ["jam", "honey"]
    assert shown_by(RECENT_POPULARITY, new) == ["honey"]


def test_own_purchases_are_what_they_bought_most_and_lately_and_nothing_else() -> None:
    everything, new = of_anna()
    # Half-life of 90 days: three of about 98 days ago count 1.4, one of yesterday 1.
    assert shown_by(OWN_PURCHASES, everything) == ["milk", "bread"]
    assert shown_by("source: own purchases", everything) == ["milk", "bread"]
    assert shown_by(OWN_PURCHASES, new) == shown_by("source: own purchases", new) == []


def test_equal_own_purchases_stand_in_the_order_of_what_sells() -> None:
    lines = [Line("anna", "apple", 1), Line("anna", "pear", 1)]
    shop = trained(
        small_purchases([*lines, *(Line(f"c{number}", "pear", 2) for number in range(3))])
    )
    everything, _ = build_method_slates(shop, 0, moment(2), 10)
    assert shown_by(OWN_PURCHASES, everything, shop) == ["pear", "apple"]


def test_an_earlier_moment_sees_nothing_that_came_after_it() -> None:
    everything, _ = of_anna(as_of=moment(50))
    assert shown_by(POPULARITY, everything) == ["jam", "milk"]
    assert shown_by(OWN_PURCHASES, everything) == ["milk"]


def test_no_method_shows_more_than_k_or_what_cannot_be_bought() -> None:
    for answer in of_anna(k=1):
        for method in answer.items:
            assert len(shown_by(method, answer)) <= 1
            assert "soldout" not in shown_by(method, answer)


def test_slots_that_no_source_proposed_a_product_for_are_counted() -> None:
    # Each source proposes one product, and popular is what sold best ever: jam.
    settings = replace(CORNER.settings, candidates=CandidateSettings(new=1, category=1))
    sparing = Recommender(CORNER.manifest, CORNER.model, settings)
    user = CORNER.model.customers.ids.find("anna")
    everything, new = build_method_slates(sparing, user, CORNER.manifest.data_as_of, 10)
    assert (shown_by(SERVED, everything), everything.filled) == (
        ["milk", "bread", "jam", "honey"],
        1,
    )
    assert (shown_by(SERVED, new), new.filled) == (["jam", "honey"], 1)
    assert (shown_by(BLEND, everything), shown_by(BLEND, new)) == (
        ["milk", "bread", "jam"],
        ["jam"],
    )


@pytest.mark.parametrize(
    ("task", "repeat", "method"),
    [(0, Repeat.INCLUDE, SERVED), (0, Repeat.AUTO, AUTO), (1, Repeat.EXCLUDE, SERVED)],
)
def test_what_is_measured_is_what_a_customer_is_served(
    task: int, repeat: Repeat, method: str
) -> None:
    for user in range(0, 54, 5):
        answer = build_method_slates(SHOP, user, END, 10)[task]
        served = SHOP.recommend(SHOP.model.customers.ids[user], SlateRequest(repeat=repeat))
        assert shown_by(method, answer, SHOP) == names(SHOP, served)


def test_each_source_alone_is_its_candidates_in_the_order_of_what_it_says() -> None:
    everything = np.arange(len(SHOP.catalogue))
    methods_with_slates = set()
    for user in range(0, 54, 3):
        context = SHOP.build_context(user, SHOP.at_home(user, SlateRequest(as_of=END)))
        own = np.zeros(len(SHOP.catalogue), np.float32)
        own[context.pairs.item] = context.pairs.long
        scores_of: dict[str, Sequence[float]] = {
            "source: own purchases": own.tolist(),
            "source: factors (ALS)": context.scores.affinity.of(everything).tolist(),
            "source: item neighbours": context.scores.neighbours.of(everything).tolist(),
            "source: recent sales": context.trends.popularity.recent.tolist(),
        }
        for answer in build_method_slates(SHOP, user, END, 5):
            for method, scores in scores_of.items():
                shown = answer.items[method].tolist()
                assert shown == sorted(
                    shown, key=lambda item: (-np.float32(np.log1p(scores[item] / 0.01)), item)
                )
                assert all(scores[item] > 0 for item in shown)
                if len(shown) > 1:
                    methods_with_slates.add(method)
    assert methods_with_slates == set(SINGLE_SOURCES)


def test_a_ranker_that_is_added_ranks_what_was_proposed_by_its_own_weights() -> None:
    newest = np.zeros((3, len(BLENDED)), np.float32)
    newest[:, BLENDED.index("all_sales")] = 1
    ones, zeros = np.ones(3, np.float32), np.zeros(3, np.float32)
    lesson = LearnedRanker(ones, zeros, Trees.none(), weights=newest)
    added = AddedMethods(rankers={"what sold": lesson})
    for answer in build_method_slates(SHOP, 0, END, 5, added):
        proposed, sold = answer.ranked.items, answer.ranked.rows[:, BLENDED.index("all_sales")]
        best = proposed[np.lexsort((proposed, -sold))][:5]
        assert answer.items["what sold"].tolist() == best.tolist()
    assert added.names == (*METHODS, "what sold", "what sold, varied")


def test_a_ranker_that_is_added_is_shown_with_the_limits_of_variety_too() -> None:
    """The ranker that serves shows what is served; an answer that had to be filled does not count."""
    added = AddedMethods(rankers={"as it serves": SHOP.model.lesson})
    answers = [
        answer
        for user in range(0, 54, 9)
        for answer in build_method_slates(SHOP, user, END, 5, added)
        if not answer.filled
    ]
    assert answers
    for answer in answers:
        assert answer.items["as it serves, varied"].tolist() == answer.items[SERVED].tolist()


def test_best_sellers_of_their_categories_are_what_that_source_proposes() -> None:
    for user in range(0, 54, 9):
        for answer in build_method_slates(SHOP, user, END, 5):
            proposed = answer.proposed["category"].tolist()
            assert answer.items[CATEGORIES].tolist() == proposed[:5]


def test_only_the_task_of_everything_asks_what_is_served_with_repeats_in_their_time() -> None:
    everything, new = of_anna()
    assert (
        set(everything.items)
        == set(METHODS) - {RULED}
        == {
            SERVED,
            AUTO,
            BLEND,
            LEARNED_BLEND,
            *SINGLE_SOURCES,
            CATEGORIES,
            *BASELINES,
            *WINDOW_DAYS,
        }
    )
    assert set(new.items) == set(METHODS) - {AUTO, RULED}


def test_the_blend_is_what_would_be_served_had_nothing_been_learned_and_were_nothing_too_much_alike() -> (
    None
):
    """A lesson that turns every slate upside down: the blend stays what it was."""
    backwards = LearnedRanker(np.float32([-1, -1]), np.float32([0, 0]), Trees.of([], [[0.0]]))
    settings = replace(SHOP.settings, diversity=DiversitySettings(category=10))
    plain = Recommender(SHOP.manifest, SHOP.model, settings)
    reversed_shop = Recommender(SHOP.manifest, replace(SHOP.model, lesson=backwards), settings)
    for user in range(0, 54, 5):
        for learned, blended in zip(
            build_method_slates(reversed_shop, user, END, 5),
            build_method_slates(plain, user, END, 5),
            strict=True,
        ):
            assert (
                shown_by(BLEND, learned, SHOP)
                == shown_by(BLEND, blended, SHOP)
                == shown_by(SERVED, blended, SHOP)
            )
            assert shown_by(SERVED, learned, SHOP) != shown_by(BLEND, learned, SHOP)


def test_the_lower_the_limit_the_fewer_of_a_category_are_shown_while_there_are_others() -> None:
    category = SHOP.catalogue.category
    for user in range(0, 54, 5):
        for answer in build_method_slates(SHOP, user, END, 10):
            proposed = {item for items in answer.proposed.values() for item in items.tolist()}
            assert set(answer.ranked.items.tolist()) == proposed
            for slate, limit in zip(answer.varied, DIVERSITIES, strict=True):
                shown = np.bincount(category[slate], minlength=5)
                left = sorted(proposed - set(slate.tolist()))
                assert shown.max() <= limit or all(shown[category[left]] >= limit)
