"""How often a product is bought again, by hand."""

import numpy as np
import pytest

from models.data.events import DAY
from models.data.history import NEVER, Interactions, build_interactions, find_pair_starts
from models.settings import HistorySettings, RepeatSettings
from models.sources.repurchase import Repurchases, build_repurchase_clocks
from tests.support.literal_fit import (
    Habit,
    Pair,
    build_histories,
    collect_habits,
    fit_repurchases,
)
from tests.support.shop import Line, ShopRecords, moment

BREAD, SOFA = 0, 1
NOWHERE = [-1, -1]  # bread and sofas stand in no category
PLAIN = RepeatSettings(
    category_prior=1.0, rate_prior=0.0, interval_prior=0.0, own_interval_prior=2.0
)


def habits(lines: list[Line]) -> dict[Pair, Habit]:
    return collect_habits(ShopRecords(lines).coded_lines)


# Ann buys bread every 7 days, Bob after 14 days, Carl once; two of them buy a sofa, once.
LINES = [
    *(Line("ann", "bread", day) for day in (0, 7, 14)),
    *(Line("bob", "bread", day) for day in (0, 14)),
    Line("carl", "bread", 3),
    Line("ann", "sofa", 1),
    Line("bob", "sofa", 2),
]


def test_two_of_three_customers_bought_bread_again_after_nine_days_and_a_third() -> None:
    repeats = fit_repurchases(habits(LINES), NOWHERE, PLAIN)
    assert repeats.rate.tolist() == pytest.approx([2 / 3, 0])
    assert repeats.average.tolist() == pytest.approx([2 / 5])
    # 14 + 14 days over 2 + 1 gaps
    assert repeats.interval[BREAD] == pytest.approx(28 / 3)


def test_a_product_bought_by_few_leans_on_the_average_of_the_shop() -> None:
    repeats = fit_repurchases(
        habits(LINES), NOWHERE, RepeatSettings(rate_prior=10.0, interval_prior=5.0)
    )
    assert repeats.rate.tolist() == pytest.approx([(2 + 10 * 0.4) / 13, (0 + 10 * 0.4) / 12])
    assert repeats.interval.tolist() == pytest.approx([(28 + 5 * 28 / 3) / 8, 28 / 3])


# Bread and rolls are bought again after a week or two, sofas and beds are not; one customer each
# tried rye and a lamp.
FOOD, FURNITURE = 0, 1
SHELF = {
    "bed": FURNITURE,
    "bread": FOOD,
    "lamp": FURNITURE,
    "rolls": FOOD,
    "rye": FOOD,
    "sofa": FURNITURE,
}
MORE = [
    *LINES,
    *(Line("dora", "rolls", day) for day in (0, 4, 8, 12)),
    *(Line(who, "bed", 5) for who in ("carl", "dora")),
    Line("carl", "rye", 9),
    Line("carl", "lamp", 9),
]


def test_a_product_that_one_customer_tried_is_judged_by_its_category() -> None:
    settings = RepeatSettings(category_prior=2.0, rate_prior=3.0, interval_prior=1.0)
    repeats = fit_repurchases(habits(MORE), list(SHELF.values()), settings)
    rate, interval = (
        dict(zip(SHELF, values.tolist(), strict=True))
        for values in (repeats.rate, repeats.interval)
    )
    # Of ten customers with a product three bought it again: three of five with food, none of five
    # with furniture.
    average, food, furniture = 3 / 10, (3 + 2 * 0.3) / (5 + 2), (0 + 2 * 0.3) / (5 + 2)
    assert repeats.average.tolist() == pytest.approx([average])
    assert rate == pytest.approx(
        {
            "bed": 3 * furniture / (2 + 3),
            "bread": (2 + 3 * food) / (3 + 3),
            "lamp": 3 * furniture / (1 + 3),
            "rolls": (1 + 3 * food) / (1 + 3),
            "rye": 3 * food / (1 + 3),
            "sofa": 3 * furniture / (2 + 3),
        }
    )
    # Six gaps of 40 days in all, every one of them between food.
    typical = 40 / 6
    food = (40 + 2 * typical) / (6 + 2)
    assert interval["bread"] == pytest.approx((28 + food) / (3 + 1))
    assert interval["rolls"] == pytest.approx((12 + food) / (3 + 1))
    assert interval["rye"] == pytest.approx(food)
    assert interval["lamp"] == interval["sofa"] == pytest.approx(typical)


def test_products_without_a_category_lean_on_each_other() -> None:
    """What stands in no category is judged by what else does, not by the food."""
    category = [FOOD if name == "rolls" else -1 for name in SHELF]
    repeats = fit_repurchases(
        habits(MORE), category, RepeatSettings(category_prior=2.0, rate_prior=3.0)
    )
    rate = dict(zip(SHELF, repeats.rate.tolist(), strict=True))
    without = (2 + 2 * 0.3) / (9 + 2)
    assert rate["rye"] == rate["lamp"] == pytest.approx(3 * without / (1 + 3))


def test_what_was_sent_back_is_neither_bought_nor_bought_again() -> None:
    returned = [Line("dora", "bread", 1), Line("dora", "bread", 2, kind="return")]
    one = fit_repurchases(habits([*LINES, *returned]), NOWHERE, RepeatSettings())
    assert (
        one.rate.tolist() == fit_repurchases(habits(LINES), NOWHERE, RepeatSettings()).rate.tolist()
    )


REPEATS = Repurchases(
    np.array([0.5, 0.0], np.float32), np.array([0.4], np.float32), np.array([10, 100], np.float32)
)


def of_one(lines: list[Line], as_of: float) -> Interactions:
    events = build_histories(ShopRecords([*lines, Line("zoe", "sofa", 0)])).of(0)
    return build_interactions(events, find_pair_starts(events), moment(as_of), HistorySettings())


def test_a_customers_own_rhythm_is_drawn_towards_the_products() -> None:
    clocks = build_repurchase_clocks(
        of_one([Line("ann", "bread", day) for day in (0, 6, 12)], 15), REPEATS, moment(15), PLAIN
    )
    assert (clocks.since.tolist(), clocks.since_first.tolist()) == ([3], [15])
    # 12 days over 2 gaps, and 2 pseudo gaps of 10 days
    assert clocks.interval.tolist() == [(12 + 20) / 4]
    assert clocks.passed.tolist() == pytest.approx([3 / 8])


def test_who_bought_once_has_the_rhythm_of_the_product() -> None:
    clocks = build_repurchase_clocks(
        of_one([Line("ann", "bread", 0)], 5), REPEATS, moment(5), PLAIN
    )
    assert (clocks.interval.tolist(), clocks.passed.tolist()) == ([10], [0.5])


def test_a_clock_runs_on_while_the_history_stands_still() -> None:
    pairs = of_one([Line("ann", "bread", 0)], 5)
    assert build_repurchase_clocks(pairs, REPEATS, moment(5) + DAY, PLAIN).since.tolist() == [6]


def test_what_was_only_looked_at_is_never_too_soon_even_in_a_shop_where_nobody_buys_twice() -> None:
    nobody = Repurchases(
        np.zeros(2, np.float32), np.zeros(1, np.float32), np.full(2, np.inf, np.float32)
    )
    pairs = of_one([Line("ann", "bread", 1, kind="view")], 5)
    assert pairs.last.tolist() == [NEVER]
    assert build_repurchase_clocks(pairs, nobody, moment(5), PLAIN).passed.tolist() == [np.inf]
    assert build_repurchase_clocks(pairs, REPEATS, moment(5), PLAIN).since_first.tolist() == [
        np.inf
    ]
    assert build_repurchase_clocks(pairs, REPEATS, moment(5), PLAIN).passed.tolist() == [np.inf]
