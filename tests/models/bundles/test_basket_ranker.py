"""What may join a basket, in a shop of ten orders that a reader can count."""

from dataclasses import replace
from math import exp, log, sqrt
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.artifact.registry import Registry
from models.bundles.around_product import BundleFinder
from models.bundles.basket_ranker import FEATURES, BasketRanker
from models.bundles.bundles import complete_basket
from models.model import LearnedRanker
from models.recommender import Recommender
from models.settings import BundleSettings, HistorySettings
from models.trees import Trees, TreeSplit
from tests.support.fitted_shop import fit_shop
from tests.support.shop import SMALL, Line, Product, ShopRecords, open_shop

BREAD, BUTTER, JAM, SOAP, TOWEL = range(5)
SHELF = (
    Product("bread", category="bakery", brand="Ashby"),
    Product("butter", category="breakfast", brand="Ashby"),
    Product("jam", category="breakfast", brand="Hartley"),
    Product("soap", category="bath"),
    Product("towel", category="bath"),
)
# Bread, butter and jam four times, bread and butter twice more, soap and towel thrice, bread and
# soap once.
ORDERS = [(BREAD, BUTTER, JAM)] * 4 + [(BREAD, BUTTER)] * 2 + [(SOAP, TOWEL)] * 3 + [(BREAD, SOAP)]
EVERYTHING = np.ones(5, np.bool_)


def shop_of(
    orders: list[tuple[int, ...]], lesson: LearnedRanker | None = None, **changes: int
) -> Recommender:
    lines = [
        Line("", SHELF[item].id, 1, f"order {number}")
        for number, order in enumerate(orders)
        for item in order
    ]
    settings = replace(
        SMALL, history=HistorySettings(min_lines=1), bundles=BundleSettings(**changes)
    )
    return fit_shop(ShopRecords(lines, SHELF), settings, lesson)


@pytest.fixture(scope="module")
def baskets() -> BasketRanker:
    return shop_of(ORDERS).baskets


def items(
    baskets: BasketRanker, *basket: int, allowed: NDArray[np.bool_] = EVERYTHING
) -> list[int]:
    return baskets.find_candidates(basket, allowed).item.tolist()


def columns(baskets: BasketRanker, *basket: int) -> dict[str, list[float]]:
    rows = baskets.build_rows(basket, baskets.find_candidates(basket, EVERYTHING))
    assert rows.dtype == np.float32
    assert rows.shape[1] == len(FEATURES)
    assert np.isfinite(rows).all()
    return dict(zip(FEATURES, rows.T.tolist(), strict=True))


def test_candidates_are_tied_to_the_basket_and_not_in_it(baskets: BasketRanker) -> None:
    assert items(baskets, BREAD) == [BUTTER, JAM]
    assert items(baskets, BREAD, BUTTER) == [JAM]
    assert items(baskets, BREAD, SOAP) == [BUTTER, JAM, TOWEL]


def test_what_may_not_be_shown_is_no_candidate(baskets: BasketRanker) -> None:
    allowed = EVERYTHING.copy()
    allowed[BUTTER] = False
    assert items(baskets, BREAD, SOAP, allowed=allowed) == [JAM, TOWEL]
    assert allowed[[BREAD, SOAP]].all()  # the caller's array is left as it was


def test_an_empty_basket_has_no_candidates(baskets: BasketRanker) -> None:
    candidates, scores, order = baskets.rank([], EVERYTHING)
    assert (len(candidates.item), len(scores), len(order)) == (0, 0, 0)


def test_a_product_that_never_stood_with_another_has_no_candidates() -> None:
    alone = shop_of([*ORDERS, (TOWEL,)], min_support=4).baskets
    candidates, scores, order = alone.rank([TOWEL], EVERYTHING)
    assert (len(candidates.item), len(scores), len(order)) == (0, 0, 0)


def test_ties_that_chance_would_make_are_not_enough_and_one_above_it_is() -> None:
    # Bread stands in 6 of 9 orders, towel in 4: chance makes 6 · 4 / 9 = 2.67 with both, not 2.
    # Soap stands in 3, and with towel in 2 where chance makes 1.33.
    orders = [(BREAD, TOWEL)] * 2 + [(SOAP, TOWEL)] * 2 + [(BREAD, JAM)] * 4 + [(SOAP,)]
    shop = shop_of(orders, min_support=2).baskets
    assert items(shop, BREAD) == [JAM]
    candidates = shop.find_candidates([BREAD, SOAP], EVERYTHING)
    assert candidates.item.tolist() == [JAM, TOWEL]
    tie = candidates.strongest_tie(1)
    assert (candidates.ties.anchor[tie], candidates.ties.lift[tie]) == (
        SOAP,
        pytest.approx(2 / (3 * 4 / 9)),
    )


def test_no_more_are_ranked_than_is_set_and_those_with_the_highest_scores() -> None:
    few = shop_of(ORDERS, candidates=2).baskets
    everyone = shop_of(ORDERS).baskets.find_candidates([BREAD, SOAP], EVERYTHING)
    kept = few.find_candidates([BREAD, SOAP], EVERYTHING)
    best = np.sort(np.argsort(-everyone.score, kind="stable")[:2])
    assert kept.item.tolist() == everyone.item[best].tolist()
    assert kept.score.tolist() == everyone.score[best].tolist()
    assert (
        kept.ties.anchor[kept.starts].tolist()
        == everyone.ties.anchor[everyone.starts[best]].tolist()
    )


def test_the_formula_is_strength_times_a_power_of_lift_that_grows_with_the_basket(
    baskets: BasketRanker,
) -> None:
    pairs, settings = baskets.model.orders, baskets.settings
    for basket, exponent in (
        ((BREAD,), settings.unit_lift_weight),
        ((BREAD, BUTTER), settings.lift_weight / 2),
    ):
        expected = 0.0
        for anchor in basket:
            row = pairs.row(anchor)
            pair = row.start + pairs.item[row].tolist().index(JAM)
            expected += float(pairs.strength[pair]) * exp(exponent * float(pairs.log_lift[pair]))
        candidates, scores, order = baskets.rank(basket, EVERYTHING)
        assert scores[candidates.item.tolist().index(JAM)] == pytest.approx(expected, rel=1e-5)
        assert sorted(scores, reverse=True) == scores[order].tolist()


def test_the_rows_of_one_product_can_be_counted(baskets: BasketRanker) -> None:
    # Of 10 orders bread stands in 7, butter in 6, jam in 4; bread and butter in 6, bread and jam
    # in 4.
    features = columns(baskets, BREAD)
    for name, expected in {
        "score": [
            0,
            log(baskets.rank([BREAD], EVERYTHING)[1][1] / baskets.rank([BREAD], EVERYTHING)[1][0]),
        ],
        "tied": [1, 1],
        "confidence_max": [6 / 7, 4 / 7],
        "confidence_mean": [6 / 7, 4 / 7],
        "reverse_confidence_max": [6 / 6, 4 / 4],
        "cosine_max": [6 / sqrt(7 * 6), 4 / sqrt(7 * 4)],
        "cosine_mean": [6 / sqrt(7 * 6), 4 / sqrt(7 * 4)],
        "basket_size": [1, 1],
        "share": [log(6 / 10), log(4 / 10)],
        "trend": [0, 0],  # all was sold on one day
        "taste": [0, 0],  # guests have none
        "neighbours": [0, 0],
        "same_category": [0, 0],
        "same_brand": [1, 0],
    }.items():
        assert features[name] == pytest.approx(expected, abs=1e-6), name
    assert features["lift_sum"] == features["lift_max"] == features["lift_mean"]


def test_the_rows_of_a_whole_basket_can_be_counted(baskets: BasketRanker) -> None:
    # Jam stood with bread in 4 of its 7 orders, and with butter in 4 of 6; nothing ties it to soap.
    features = {name: values[0] for name, values in columns(baskets, BREAD, BUTTER, SOAP).items()}
    for name, expected in {
        "tied": 2 / 3,
        "confidence_max": 4 / 6,
        "confidence_mean": (4 / 7 + 4 / 6) / 3,
        "reverse_confidence_max": 1,
        "cosine_max": 4 / sqrt(6 * 4),
        "cosine_mean": (4 / sqrt(7 * 4) + 4 / sqrt(6 * 4)) / 3,
        "basket_size": 3,
        "share": log(4 / 10),
        "same_category": 1 / 3,
        "same_brand": 0,
    }.items():
        assert features[name] == pytest.approx(expected, abs=1e-6), name
    assert features["lift_sum"] == pytest.approx(2 * features["lift_mean"])
    assert features["lift_max"] >= features["lift_mean"]
    assert features["strongest_tie"] < log(
        baskets.find_candidates([BREAD, BUTTER, SOAP], EVERYTHING).score[0]
    )


def test_a_product_without_brand_is_of_no_ones_brand(baskets: BasketRanker) -> None:
    assert columns(baskets, SOAP)["same_brand"] == [0]
    assert columns(baskets, SOAP)["same_category"] == [1]


# What is rarer stands higher, which no formula would say.
RARE_FIRST = Trees.of([TreeSplit(0, FEATURES.index("share"), -0.7, 0, 1)], [[0.5, -0.5]])


def shop_with_trees() -> Recommender:
    return shop_of(ORDERS, replace(LearnedRanker.none(), baskets=RARE_FIRST))


def test_once_something_was_learned_the_order_is_that_of_the_trees_and_the_score_a_chance(
    baskets: BasketRanker,
) -> None:
    learned = shop_with_trees().baskets
    assert [bundle.items for bundle in complete_basket(baskets, [BREAD], EVERYTHING, 9)] == [
        (BUTTER,),
        (JAM,),
    ]
    for bundles in (
        complete_basket(learned, [BREAD], EVERYTHING, 9),
        BundleFinder(learned).find(BREAD, EVERYTHING, 9, 2),
    ):
        assert [bundle.items for bundle in bundles] == [(JAM,), (BUTTER,)]
        assert [bundle.score for bundle in bundles] == pytest.approx(
            [1 / (1 + exp(-0.5)), 1 / (1 + exp(0.5))]
        )
        assert [bundle.support for bundle in bundles] == [4, 6]
    # Of equal chances the first by id.
    assert [bundle.items for bundle in complete_basket(learned, [BREAD, SOAP], EVERYTHING, 9)] == [
        (JAM,),
        (TOWEL,),
        (BUTTER,),
    ]


def test_trees_learned_from_orders_find_nothing_for_an_empty_basket() -> None:
    assert complete_basket(shop_with_trees().baskets, [], EVERYTHING, 9) == ()


def test_what_was_learned_of_baskets_is_served_from_the_files_as_well(tmp_path: Path) -> None:
    shop = shop_with_trees()
    registry = Registry(tmp_path)
    registry.publish(shop.model, shop.manifest)
    served = open_shop(registry).baskets
    for basket in ([BREAD], [BREAD, SOAP]):
        assert complete_basket(served, basket, EVERYTHING, 9) == complete_basket(
            shop.baskets, basket, EVERYTHING, 9
        )
