"""What the basket ranker learns from: orders after a window's beginning, each with a product
hidden.
"""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from models.bundles.basket_ranker import FEATURES
from models.data.events import DAY
from models.settings import BundleSettings, HistorySettings, TreeSettings
from tests.support.shop import SMALL, Line, moment
from tests.support.training_shop import small_purchases, trained
from training.ranker.basket_examples import (
    MAX_BASKET,
    MIN_HITS,
    BasketExample,
    BasketRows,
    build_basket_rows,
    draw_basket_examples,
    train_basket_ranker,
)
from training.ranker.windows import Window
from training.reading.purchases import Purchases

WINDOW = Window(moment(10), (moment(10), moment(12)), 5 * DAY)
KIT = ("bread", "butter", "jam", "milk")
BREAD, BUTTER, JAM, MILK = range(4)


def placed(days: dict[str, float], things: tuple[str, ...] = KIT) -> Purchases:
    """One order of all the things a name, and one of soap alone to keep the shop open."""
    lines = [Line("", thing, day, name) for name, day in days.items() for thing in things]
    return small_purchases(
        [*lines, Line("", "soap", 0, "opening"), Line("", "soap", 30, "closing")]
    )


def test_only_orders_of_the_window_are_asked_about() -> None:
    # Orders are numbered by their time: 1 is the first of these, after the soap of day 0.
    purchases = placed({"before": 9.99, "at once": 10, "within": 14.9, "after": 15, "late": 20})
    assert {example.order for example in draw_basket_examples(purchases, WINDOW, 100, seed=0)} == {
        2,
        3,
    }


def test_one_product_is_hidden_from_the_rest_one_of_it_and_a_part_of_it() -> None:
    examples = draw_basket_examples(placed({"within": 12}), WINDOW, 100, seed=0)
    assert Counter(example.hidden for example in examples) == {BREAD: 3, BUTTER: 3, JAM: 3, MILK: 3}
    for whole, one, part in zip(examples[::3], examples[1::3], examples[2::3], strict=True):
        assert whole.hidden == one.hidden == part.hidden
        assert sorted((*whole.basket, whole.hidden)) == [BREAD, BUTTER, JAM, MILK]
        assert len(one.basket) == 1
        assert 1 <= len(part.basket) <= 3
        assert set(one.basket) <= set(part.basket) <= set(whole.basket)


def test_no_more_products_are_hidden_than_asked_for() -> None:
    purchases = placed({f"order {number}": 10 + number / 10 for number in range(20)})
    for most, orders in ((1, 1), (7, 7), (20, 20), (50, 20), (1_000, 20)):
        examples = draw_basket_examples(purchases, WINDOW, most, seed=0)
        assert (
            len({(example.order, example.hidden) for example in examples})
            == min(most // orders, 4) * orders
            <= most
        )
        assert len({example.order for example in examples}) == orders


def test_a_seed_asks_the_same_and_another_one_something_else() -> None:
    purchases = placed({f"order {number}": 10 + number / 10 for number in range(20)})
    examples = draw_basket_examples(purchases, WINDOW, 10, seed=3)
    assert draw_basket_examples(purchases, WINDOW, 10, seed=3) == examples
    assert draw_basket_examples(purchases, WINDOW, 10, seed=4) != examples


def test_of_a_very_large_order_only_a_part_is_given() -> None:
    many = tuple(f"p{number:03}" for number in range(MAX_BASKET + 20))
    examples = draw_basket_examples(placed({"within": 12}, many), WINDOW, 2, seed=0)
    assert [len(example.basket) for example in examples[::3]] == [MAX_BASKET] * 2


def test_orders_of_one_product_ask_nothing() -> None:
    assert draw_basket_examples(placed({"within": 12}, ("bread",)), WINDOW, 100, seed=0) == []


def test_a_window_in_which_nothing_was_ordered_asks_nothing() -> None:
    assert draw_basket_examples(placed({"before": 9}), WINDOW, 100, seed=0) == []


def test_rows_are_the_candidates_of_questions_whose_answer_is_among_them() -> None:
    lines = [
        Line("", thing, 1, f"order {n}") for n in range(5) for thing in ("bread", "butter", "jam")
    ]
    lines += [Line("", thing, 1, f"wash {n}") for n in range(5) for thing in ("soap", "towel")]
    shop = trained(small_purchases(lines), replace(SMALL, history=HistorySettings(min_lines=1)))
    bread, butter, jam, soap, _ = range(5)
    rows = build_basket_rows(
        shop,
        [
            BasketExample(7, (bread,), jam),
            BasketExample(8, (bread,), soap),
            BasketExample(9, (bread, jam), butter),
        ],
    )
    assert rows.order.tolist() == [7, 7, 9]
    assert rows.hit.tolist() == [False, True, True]
    assert rows.values.shape == (3, len(FEATURES))
    assert np.isfinite(rows.values).all()
    assert (
        len(build_basket_rows(shop, []).hit)
        == len(build_basket_rows(shop, [BasketExample(8, (bread,), soap)]).hit)
        == 0
    )


def taught(found: int) -> BasketRows:
    """Two candidates an example; the hidden one is the one with the higher score."""
    random = np.random.default_rng(0)
    values = random.normal(size=(2 * found, len(FEATURES))).astype(np.float32)
    hit = np.arange(2 * found) % 2 == 0
    values[:, 0] = hit + random.random(2 * found)
    return BasketRows(values, hit, np.repeat(np.arange(found, dtype=np.int32), 2))


def test_a_window_of_which_nothing_was_asked_has_no_rows() -> None:
    assert BasketRows.concatenate([]).values.shape == (0, len(FEATURES))


FEW_TREES = BundleSettings(trees=TreeSettings(trees=10, patience=5, min_rows=20, learning_rate=0.3))


@pytest.mark.parametrize("found", [0, MIN_HITS - 1])
def test_too_few_that_were_found_teach_nothing(found: int) -> None:
    assert len(train_basket_ranker(taught(found), FEW_TREES, seed=0).trees) == 0


def test_enough_that_were_found_teach_trees_that_put_them_first() -> None:
    rows = taught(MIN_HITS)
    learned = train_basket_ranker(rows, FEW_TREES, seed=0)
    assert 0 < len(learned.trees) <= 10
    scores = learned.trees.scores(rows.values)
    assert scores[rows.hit].min() > scores[~rows.hit].mean()
    assert max(learned.importance, key=lambda name: learned.importance[name]) == FEATURES[0]
    again = train_basket_ranker(rows, FEW_TREES, seed=0, threads=1)
    assert again.trees.scores(rows.values).tolist() == scores.tolist()
