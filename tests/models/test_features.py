"""One row of numbers a candidate, by hand."""

from math import log, log1p

import numpy as np
import pytest

from models.candidates import Evidence
from models.features import FEATURES, features
from models.history import Interactions, interactions, pair_starts
from models.repeats import Clocks, Repeats
from models.sales import Popularity
from models.settings import HistorySettings, ModelSettings
from tests.shop import Line, moment, small_purchases
from training.counts import histories

BREAD, BUTTER, TEA = range(3)
NOW = moment(60)
NAMES = ("bread", "butter", "tea")
REPEATS = Repeats(np.array([0.5, 0.25, 0.1], np.float32), np.array([0.3], np.float32), np.full(3, 7, np.float32))

SCALES = ModelSettings().scales


def ann(*lines: Line) -> Interactions:
    purchases = small_purchases([*lines, *(Line("zoe", name, 0) for name in NAMES)])
    events = histories(purchases).of(0)
    return interactions(events, pair_starts(events), NOW, HistorySettings())


def rows_of(pairs: Interactions, clocks: Clocks, items: list[int]) -> tuple[list[dict[str, float]], list[bool]]:
    grams = np.array([0.004, 0.0, 0.01], np.float32)
    evidence = Evidence(
        grams, grams * 2, grams * 3, Popularity(np.array([5, 0, 15], np.float32), np.array([50, 0, 150], np.float32))
    )
    rows, bought = features(np.array(items, np.int64), evidence, pairs, clocks, REPEATS, ModelSettings())
    return [dict(zip(FEATURES, row, strict=True)) for row in rows.tolist()], bought.tolist()


def clock(since: list[float], interval: list[float]) -> Clocks:
    return Clocks(np.array(since, np.float32), np.array(interval, np.float32))


def test_evidence_enters_as_the_logarithm_of_itself_over_its_scale() -> None:
    pairs = ann(Line("ann", "butter", 60))
    (bread, tea), bought = rows_of(pairs, clock([0], [7]), [BREAD, TEA])
    assert bought == [False, False]
    assert bread == pytest.approx(
        {
            "constant": 1,
            "affinity": log1p(0.004 / SCALES.affinity),
            "neighbours": log1p(0.008 / SCALES.neighbours),
            "basket": log1p(0.012 / SCALES.basket),
            "recent_sales": log(2),
            "all_sales": log(2),
            "own_long": 0,
            "own_short": 0,
            "repeat_rate": 0,
            "overdue": 0,
        },
        rel=1e-5,
    )
    assert (tea["recent_sales"], tea["all_sales"]) == pytest.approx((log(4), log(4)), rel=1e-5)


def test_a_product_without_any_evidence_is_a_row_of_nothing() -> None:
    (butter,), _ = rows_of(ann(Line("ann", "bread", 60)), clock([0], [7]), [BUTTER])
    assert butter == {"constant": 1, **dict.fromkeys(FEATURES[1:], 0)}


def test_what_was_bought_before_brings_its_own_numbers() -> None:
    pairs = ann(Line("ann", "bread", 60))
    (bread, tea), bought = rows_of(pairs, clock([0], [7]), [BREAD, TEA])
    assert bought == [True, False]
    assert bread["own_long"] == pytest.approx(log1p(1 / SCALES.own_long), rel=1e-5)
    assert bread["own_short"] == pytest.approx(log1p(1 / SCALES.own_short), rel=1e-5)
    assert bread["repeat_rate"] == pytest.approx(log(0.5 + 1e-3), rel=1e-5)
    assert tea["own_long"] == tea["repeat_rate"] == 0


def test_a_candidate_is_given_its_own_history_and_not_its_neighbours() -> None:
    pairs = ann(Line("ann", "bread", 60), Line("ann", "tea", 30), Line("ann", "tea", 60))
    (butter, tea), bought = rows_of(pairs, clock([0, 0], [7, 7]), [BUTTER, TEA])
    assert bought == [False, True]
    assert butter["own_long"] == 0
    assert tea["repeat_rate"] == pytest.approx(log(0.1 + 1e-3), rel=1e-5)


def test_a_product_is_overdue_once_more_than_an_interval_has_passed() -> None:
    thrice = ann(*(Line("ann", "bread", day) for day in (1, 10, 20)))
    overdue = [
        rows_of(thrice, clock([since], [interval]), [BREAD])[0][0]["overdue"]
        for since, interval in ((40, 8), (8, 8), (3, 8), (3, float("inf")))
    ]
    assert overdue == pytest.approx([log(42 / 10), 0, 0, 0], rel=1e-5)


def test_two_purchases_are_too_few_to_be_overdue() -> None:
    twice = ann(*(Line("ann", "bread", day) for day in (1, 10)))
    assert rows_of(twice, clock([40], [8]), [BREAD])[0][0]["overdue"] == 0


def test_what_was_only_looked_at_was_not_bought_before() -> None:
    _, bought = rows_of(ann(Line("ann", "bread", 1, kind="view")), clock([np.inf], [7]), [BREAD])
    assert bought == [False]
