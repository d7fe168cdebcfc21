"""What serves: what was learned, unless a simple list found clearly more on newer weeks."""

from dataclasses import replace

import numpy as np

from models.data.events import DAY
from models.ranking.features import FEATURES
from models.ranking.ranker import BOUGHT, NEW, VISIT
from models.settings import BlendSettings, ModelSettings, RankerSettings, Weights
from training.ranker.choice import LEARNED, choose_methods
from training.ranker.learning import learn_ranker
from training.ranker.rows import RankerRows
from training.ranker.windows import Window

BY_TASTE = Weights(affinity=1)
SETTINGS = ModelSettings(
    blend=BlendSettings(new=BY_TASTE, bought=BY_TASTE, visit=BY_TASTE),
    ranker=RankerSettings(weights_prior=1e9),  # the weights stay what they are
)
VISITS, CONSTANT = FEATURES.index("visits"), FEATURES.index("constant")


def window(buys_by: str, customers: int, seed: int, *, visits: bool = False) -> RankerRows:
    """Customers who buy the one of fifty products that is first by a feature."""
    random = np.random.default_rng(seed)
    rows = customers * 50
    values = np.zeros((rows, len(FEATURES)), np.float32)
    values[:, CONSTANT] = 1
    values[:, VISITS] = 0 if visits else 3
    for feature in ("affinity", "recent_sales", "all_sales"):
        values[:, FEATURES.index(feature)] = random.random(rows)
    best = np.argmax(values[:, FEATURES.index(buys_by)].reshape(customers, 50), axis=1)
    hit = np.zeros(rows, np.bool_)
    hit[best + 50 * np.arange(customers)] = True
    example = np.repeat(np.arange(customers), 50).astype(np.int32)
    return RankerRows(
        values,
        np.zeros(rows, np.bool_),
        hit,
        np.ones(rows, np.float32),
        np.full(rows, -1, np.int32) if visits else example,
        example,
    )


def dated(*windows: RankerRows, days: int = 7) -> list[tuple[Window, RankerRows]]:
    """Windows of a week, newest first; so many days apart."""
    return [
        (Window(-number * days * DAY, (-number * days * DAY,), 7 * DAY), rows)
        for number, rows in enumerate(windows)
    ]


def chosen(*windows: RankerRows) -> tuple[dict[str, str], np.ndarray]:
    """The method that serves each audience, and the weights that are published."""
    learned = learn_ranker(RankerRows.concatenate(windows), SETTINGS)
    choice = choose_methods(dated(*windows), learned, SETTINGS)
    return {trial.audience: trial.method for trial in choice.trials if trial.serves}, (
        choice.ranker.weights
    )


def test_where_best_sellers_of_all_time_find_clearly_more_they_serve() -> None:
    serving, weights = chosen(window("all_sales", 200, 1), window("all_sales", 200, 2))
    assert serving == {"customers": "all sales"}
    for kind in (NEW, BOUGHT):
        assert np.flatnonzero(weights[kind]).tolist() == [FEATURES.index("all_sales")]
    assert np.flatnonzero(weights[VISIT]).tolist() == [FEATURES.index("affinity")]


def test_what_was_learned_serves_where_it_finds_as_much() -> None:
    serving, _ = chosen(window("affinity", 200, 1), window("affinity", 200, 2))
    assert serving == {"customers": LEARNED}


def test_visitors_may_be_served_by_a_list_and_customers_not() -> None:
    both = [
        RankerRows.concatenate(
            [window("affinity", 150, seed), window("all_sales", 150, seed + 9, visits=True)]
        )
        for seed in (1, 2)
    ]
    assert chosen(*both)[0] == {"customers": LEARNED, "visits": "all sales"}


def test_ten_customers_are_too_few_to_choose_by() -> None:
    serving, _ = chosen(window("all_sales", 10, 1), window("all_sales", 10, 2))
    assert serving == {"customers": LEARNED}


def test_one_window_has_nothing_to_be_held_against() -> None:
    assert chosen(window("all_sales", 200, 1))[0] == {}


def test_windows_that_have_seen_the_same_days_are_not_held_against_each_other() -> None:
    windows = window("all_sales", 200, 1), window("all_sales", 200, 2)
    learned = learn_ranker(RankerRows.concatenate(windows), SETTINGS)
    assert choose_methods(dated(*windows, days=6), learned, SETTINGS).trials == ()
    assert choose_methods(dated(*windows, days=7), learned, SETTINGS).trials != ()


def test_left_out_candidates_count_in_the_rank_of_what_was_bought() -> None:
    """Forty products by lot stand for four hundred: what was fifth among them was about fiftieth."""
    few = window("affinity", 200, 1)
    crowded = replace(few, weight=np.where(few.hit, 1, 40).astype(np.float32))
    learned = learn_ranker(RankerRows.concatenate([few, few]), SETTINGS)
    plenty = choose_methods(dated(few, few), learned, SETTINGS).trials
    scarce = choose_methods(dated(crowded, crowded), learned, SETTINGS).trials
    recall = [{one.method: one.recall for one in trials} for trials in (plenty, scarce)]
    assert recall[0]["recent sales"] > recall[1]["recent sales"] > 0


def test_methods_are_held_against_each_other_by_what_the_objective_counts() -> None:
    """Everyone buys what taste puts first and what sells best; only one of both is worth much."""
    tasty, sold = window("affinity", 200, 1), window("all_sales", 200, 1)
    assert (tasty.values == sold.values).all()
    both = tasty.hit | sold.hit

    def serving(dear: np.ndarray) -> dict[str, str]:
        weight = np.where(both & dear, 10, np.where(both, 0.1, 1)).astype(np.float32)
        rows = replace(tasty, hit=both, weight=weight)
        return chosen(rows, rows)[0]

    assert serving(tasty.hit) == {"customers": LEARNED}
    assert serving(sold.hit) == {"customers": "all sales"}
