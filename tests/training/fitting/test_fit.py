"""A model of a shop: everything learned as of the newest line, from nothing that came later, the
same every time.
"""

import dataclasses
from io import StringIO

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from models.artifact.array_tree import flatten
from models.model import LearnedRanker, Model
from models.settings import ModelSettings
from models.trees import Trees
from tests.support.shop import SMALL, Line, Product, moment
from tests.support.training_shop import small_purchases, small_shop_purchases
from training.config import EvaluationConfig
from training.evaluation.split import split_history
from training.fitting import counts
from training.fitting.fit import CustomerProductPairs, find_order_times, fit
from training.progress import Reporter
from training.reading.purchases import Purchases

SHOP = small_shop_purchases()


def learn(purchases: Purchases, settings: ModelSettings = SMALL) -> dict[str, bytes]:
    model = fit(purchases, settings, Reporter(StringIO()), name="test")
    return {name: array.tobytes() for name, array in flatten(model)}


def past_of(purchases: Purchases) -> Purchases:
    parts = split_history(purchases, EvaluationConfig(test_days=28))
    assert parts is not None
    return parts.past


def test_the_same_purchases_and_seed_give_the_same_bytes() -> None:
    once, again = learn(SHOP), learn(SHOP)
    assert once == again


def test_another_seed_gives_other_factors_and_nothing_else() -> None:
    once, other = learn(SHOP), learn(SHOP, dataclasses.replace(SMALL, seed=1))
    assert {name for name in once if once[name] != other[name]} == {
        f"factors.{name}" for name in ("factors", "gram", "item", "row", "length")
    }


def test_the_future_does_not_leak_into_a_twin() -> None:
    """Half the shop buys the kettle, which nobody ever bought, every day after the cut."""
    lines = [
        Line(f"c{number:02}", f"p{number % 7 + day % 3}", day)
        for number in range(30)
        for day in range(100)
    ]
    kettle = [
        Line(f"c{number:02}", "kettle", 81 + day) for number in range(15) for day in range(18)
    ]
    known, told = (small_purchases(rows, [Product("kettle")]) for rows in (lines, lines + kettle))
    twin = learn(past_of(known))
    assert twin == learn(past_of(told))
    assert len(past_of(told)) == 30 * 80
    assert learn(known) != learn(told)


def test_what_was_bought_too_rarely_is_not_learned_from() -> None:
    lines = [Line(f"c{number}", "milk", number) for number in range(3)] + [
        Line("c0", "rare", 1),
        Line("c1", "rare", 1),
    ]
    model = fit(small_purchases(lines), SMALL, Reporter(StringIO()), name="test")
    assert [model.catalogue.ids[item] for item in model.factors.item] == ["milk"]
    assert model.orders.orders.tolist() == [3, 0]


def test_a_newest_order_of_nothing_but_rare_products_is_learned_with_the_rest() -> None:
    lines = [Line(f"c{number}", "milk", number) for number in range(3)] + [Line("c9", "rare", 9)]
    model = fit(small_purchases(lines), SMALL, Reporter(StringIO()), name="test")
    assert model.orders.total.tolist() == [4]
    assert model.sales.newest.tolist() == [moment(9)]


def test_interest_is_the_decayed_sum_of_purchases_less_returns() -> None:
    lines = [
        Line("anna", "milk", 0),
        Line("anna", "milk", 10),
        Line("anna", "milk", 20, kind="return", quantity=0.5),
    ]
    lines += [Line("bert", "milk", 20), Line("bert", "jam", 10, kind="view")]
    purchases = small_purchases(lines)
    pairs = CustomerProductPairs(
        counts.build_histories(purchases), np.array([True, True]), moment(20), ModelSettings()
    )
    # Half-life of 10 days: a purchase of 20 days ago counts a quarter, of 10 days ago a half; half
    # a line came back. What was looked at 10 days ago weighs a twentieth of a purchase.
    assert pairs.interest(10).toarray().tolist() == [[0, 0.25], [pytest.approx(0.025), 1]]


def test_what_was_sent_back_or_is_not_learned_from_is_no_interest() -> None:
    lines = [
        Line("anna", "milk", 0),
        Line("anna", "milk", 1, kind="return"),
        Line("anna", "jam", 1),
    ]
    purchases = small_purchases(lines)
    pairs = CustomerProductPairs(
        counts.build_histories(purchases), np.array([False, True]), moment(1), ModelSettings()
    )
    assert pairs.interest(10).nnz == 0


def test_an_order_has_the_time_of_its_purchases() -> None:
    purchases = small_purchases(
        [
            Line("anna", "milk", 3, "b"),
            Line("anna", "milk", 1, "a"),
            Line("bert", "jam", 2, kind="view"),
        ]
    )
    assert find_order_times(purchases, 2).tolist() == [moment(1), moment(3)]


@pytest.mark.parametrize(
    "lines",
    [
        [Line("anna", "milk", 1)],
        [Line("anna", f"p{number}", number) for number in range(9)],
        [Line(f"c{number}", "milk", number) for number in range(9)],
        [Line(f"c{number}", f"p{number}", 1) for number in range(9)],
        [Line("", f"p{number % 2}", number, f"guest {number}") for number in range(9)],
        [Line("anna", "milk", 1), Line("anna", "milk", 1, kind="return")],
        [Line("anna", "milk", 1, kind="view"), Line("anna", "jam", 2)],
    ],
    ids=[
        "one line",
        "one customer",
        "one product",
        "all once",
        "guests alone",
        "all returned",
        "looked and bought",
    ],
)
def test_the_smallest_shops_can_be_learned_and_hold_nothing_but_numbers(lines: list[Line]) -> None:
    model: Model = fit(small_purchases(lines), SMALL, Reporter(StringIO()), name="test")
    for name, array in flatten(model):
        unknown = name.startswith("catalogue.") or name in (
            "traits.log_price",
            "traits.price_in_category",
        )
        assert unknown or array.dtype.kind != "f" or np.isfinite(array).all(), name


def test_a_lesson_is_kept_as_it_was_given_and_changes_nothing_else() -> None:
    lesson = LearnedRanker(np.float32([2, 3]), np.float32([4, 5]), Trees.of([], [[0.25]]))
    taught = dict(flatten(fit(SHOP, SMALL, Reporter(StringIO()), name="test", lesson=lesson)))
    untaught = dict(flatten(fit(SHOP, SMALL, Reporter(StringIO()), name="test")))
    assert untaught["lesson.level"].tolist() == [0, 0, 0]
    assert taught["lesson.level"].tolist() == [4, 5]
    changed = {name for name in taught if taught[name].tobytes() != untaught[name].tobytes()}
    assert {name.partition(".")[0] for name in changed} == {"lesson"}


@pytest.mark.parametrize("threads", [1, 2])
def test_a_seed_gives_the_same_model_on_any_number_of_threads(threads: int) -> None:
    with threadpool_limits(limits=threads):
        limited = learn(SHOP)
    assert limited == learn(SHOP)
