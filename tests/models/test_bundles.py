"""Units that belong together, with figures a reader can count."""

import numpy as np
import pytest

from models.bundles import around, complete
from models.pairs import OrderPairs
from models.settings import BundleSettings
from models.slate import Bundle
from tests.shop import Line, small_purchases
from training.counts import learned, orders
from training.fit import order_times
from training.pairs import fit_order_pairs

BREAD, BUTTER, JAM, SOAP, TOWEL = range(5)
NAMES = ["bread", "butter", "jam", "soap", "towel"]
SETTINGS = BundleSettings(min_support=3)
EVERYTHING = np.ones(5, np.bool_)

# 10 orders: bread, butter and jam four times, bread and butter twice more, soap and towel thrice, bread and soap once.
ORDERS = [[BREAD, BUTTER, JAM]] * 4 + [[BREAD, BUTTER]] * 2 + [[SOAP, TOWEL]] * 3 + [[BREAD, SOAP]]


@pytest.fixture(scope="module")
def pairs() -> OrderPairs:
    return counted(SETTINGS)


def counted(settings: BundleSettings) -> OrderPairs:
    lines = [Line("", NAMES[item], 1, f"order {number}") for number, order in enumerate(ORDERS) for item in order]
    purchases = small_purchases(lines)
    matrix = orders(purchases, learned(purchases, 1))
    return fit_order_pairs(matrix, order_times(purchases, matrix.shape[0]), int(purchases.time.max()), settings)


def items(bundles: tuple[Bundle, ...]) -> list[tuple[int, ...]]:
    return [bundle.items for bundle in bundles]


def test_bread_goes_with_butter_and_the_figures_say_so(pairs: OrderPairs) -> None:
    first = around(pairs, BREAD, EVERYTHING, 3, 2, SETTINGS)[0]
    assert (first.anchor, first.items, first.support) == (BREAD, (BUTTER,), 6)
    assert first.rule_confidence == pytest.approx(6 / 7)
    assert first.lift == pytest.approx((6 / 10) / (7 / 10 * 6 / 10))


def test_one_order_is_no_bundle(pairs: OrderPairs) -> None:
    assert items(around(pairs, BREAD, EVERYTHING, 9, 2, SETTINGS)) == [(BUTTER,), (JAM,)]


def test_bundles_come_strongest_first_and_no_more_than_asked_for(pairs: OrderPairs) -> None:
    found = around(pairs, BREAD, EVERYTHING, 9, 2, SETTINGS)
    assert [bundle.score for bundle in found] == sorted((bundle.score for bundle in found), reverse=True)
    assert around(pairs, BREAD, EVERYTHING, 1, 2, SETTINGS) == found[:1]


def test_three_products_that_are_bought_together_are_one_unit_and_not_two(pairs: OrderPairs) -> None:
    assert items(around(pairs, BREAD, EVERYTHING, 9, 3, SETTINGS)) == [(BUTTER, JAM)]


def test_a_unit_stays_smaller_where_no_third_product_holds_to_both(pairs: OrderPairs) -> None:
    assert items(around(pairs, SOAP, EVERYTHING, 9, 3, SETTINGS)) == [(TOWEL,)]


def test_a_product_that_may_not_be_shown_is_in_no_unit(pairs: OrderPairs) -> None:
    without_butter = EVERYTHING.copy()
    without_butter[BUTTER] = False
    assert items(around(pairs, BREAD, without_butter, 9, 3, SETTINGS)) == [(JAM,)]
    assert items(complete(pairs, [BREAD], without_butter, 9, SETTINGS)) == [(JAM,)]


def test_products_rarely_ordered_together_are_no_unit() -> None:
    six = BundleSettings(min_support=6)
    assert items(around(counted(six), BREAD, EVERYTHING, 9, 2, six)) == [(BUTTER,)]


def test_what_completes_a_basket_is_not_in_it_and_names_what_it_goes_with(pairs: OrderPairs) -> None:
    found = complete(pairs, [BREAD, SOAP], EVERYTHING, 9, SETTINGS)
    assert sorted(items(found)) == [(BUTTER,), (JAM,), (TOWEL,)]
    tied = {bundle.items[0]: (bundle.anchor, bundle.support) for bundle in found}
    assert tied == {BUTTER: (BREAD, 6), JAM: (BREAD, 4), TOWEL: (SOAP, 3)}
    assert [bundle.score for bundle in found] == sorted((bundle.score for bundle in found), reverse=True)


def test_an_empty_basket_is_completed_by_nothing(pairs: OrderPairs) -> None:
    assert complete(pairs, [], EVERYTHING, 9, SETTINGS) == ()


def test_a_weak_third_product_does_not_join_a_strong_pair() -> None:
    # 40 orders of cup and saucer, 3 with a spoon as well, 3 of a spoon and a fork, and 150 of other things.
    baskets = [["cup", "saucer"]] * 40 + [["cup", "saucer", "spoon"]] * 3 + [["spoon", "fork"]] * 3
    baskets += [[f"pot {n}", f"lid {n}"] for n in range(150)]
    lines = [Line("", name, 1, f"order {number}") for number, order in enumerate(baskets) for name in order]
    purchases = small_purchases(lines)
    ids = purchases.product_ids
    matrix = orders(purchases, learned(purchases, 1))
    pairs = fit_order_pairs(matrix, order_times(purchases, matrix.shape[0]), int(purchases.time.max()), SETTINGS)
    everything = np.ones(len(ids), np.bool_)
    cup, saucer, spoon = ids.find("cup"), ids.find("saucer"), ids.find("spoon")
    row = pairs.row(cup)
    score = dict(zip(pairs.item[row].tolist(), pairs.link_scores(row, SETTINGS.unit_lift_weight).tolist(), strict=True))
    assert score[spoon] < BundleSettings().coherence * score[saucer]
    assert items(around(pairs, cup, everything, 9, 2, SETTINGS)) == [(saucer,), (spoon,)]
    assert items(around(pairs, cup, everything, 1, 3, SETTINGS)) == [(saucer,)]
