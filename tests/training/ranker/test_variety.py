"""How many of a category a slate needs room for, from what the limits would have cost."""

from dataclasses import replace

import numpy as np
import pytest

from models.data.events import DAY
from models.model import LearnedRanker
from models.recommender import Recommender
from models.rules.filters import Repeat
from models.settings import DiversitySettings
from models.slate import SlateRequest
from tests.support.shop import SMALL, moment
from tests.support.training_shop import small_shop_purchases, trained
from training.evaluation.metrics import recall
from training.ranker.rows import LeakError
from training.ranker.variety import (
    MAX_EXAMPLES,
    choose_limit,
    draw_limit_examples,
    list_limits,
    measure_limits,
)
from training.ranker.windows import Example, Window

USUAL = DiversitySettings()


def recalls(*means: float, examples: int = 40) -> np.ndarray:
    """Every example finds as much as the others: with limits of 5, 6, 7, 8 and none."""
    assert list_limits(USUAL) == (5, 6, 7, 8, 10)
    return np.tile(means, (examples, 1))


def test_a_limit_that_costs_nothing_stays() -> None:
    assert choose_limit(recalls(0.300, 0.299, 0.3, 0.301, 0.3), USUAL) == 5
    assert choose_limit(recalls(0.2986, 0.299, 0.3, 0.301, 0.3), USUAL) == 5
    assert choose_limit(recalls(0.2984, 0.299, 0.3, 0.301, 0.3), USUAL) == 6


def test_where_a_limit_costs_a_tenth_the_strictest_that_costs_next_to_nothing_takes_its_place() -> (
    None
):
    assert choose_limit(recalls(0.27, 0.28, 0.299, 0.3, 0.3), USUAL) == 7
    assert choose_limit(recalls(0.20, 0.22, 0.24, 0.26, 0.3), USUAL) == 10


def test_a_shop_that_wants_variety_at_any_cost_has_it() -> None:
    dear = replace(USUAL, category_cost=1.0)
    assert choose_limit(recalls(0.1, 0.2, 0.3, 0.3, 0.3), dear) == 5


def test_nothing_that_was_found_costs_nothing() -> None:
    assert choose_limit(recalls(0, 0, 0, 0, 0), USUAL) == 5
    assert choose_limit(recalls(0, 0, 0, 0, 0, examples=0), USUAL) == 5
    assert list_limits(DiversitySettings(category=10)) == (10,)


def test_customers_and_visits_are_drawn_apart() -> None:
    many = [Example(user, 0, frozenset([1])) for user in range(MAX_EXAMPLES + 5)]
    few = [Example(-1, 0, frozenset([1]), recent=(number,)) for number in range(7)]
    drawn = draw_limit_examples([*many, *few], 0)
    assert drawn[MAX_EXAMPLES:] == few
    assert len({example.user for example in drawn[:MAX_EXAMPLES]}) == MAX_EXAMPLES


def test_what_a_limit_costs_is_what_a_slate_that_keeps_to_it_misses() -> None:
    """Of all products and of new ones alike, as the limits of a shop serve them."""
    shop = trained(small_shop_purchases())
    window = Window(shop.manifest.data_as_of + 1, (shop.manifest.data_as_of + 1,), 28 * DAY)
    random = np.random.default_rng(3)
    examples = []
    for user in range(0, 50, 3):
        targets = frozenset(random.choice(len(shop.catalogue), 3, replace=False).tolist())
        examples.append(Example(user, window.until, targets))
    diversity = DiversitySettings(category=2)
    limited = Recommender(shop.manifest, shop.model, replace(SMALL, diversity=diversity))
    measured = measure_limits(window, LearnedRanker.none(), limited, examples)
    limits = list_limits(diversity)
    assert limits == (2, 6, 7, 8, 10)
    for index, limit in enumerate(limits):
        settings = replace(SMALL, diversity=DiversitySettings(category=limit))
        serving = Recommender(shop.manifest, shop.model, settings)
        for example, found in zip(examples, measured[:, index].tolist(), strict=True):
            assert found == pytest.approx(literal(serving, example))
    assert len({tuple(column) for column in measured.T.tolist()}) > 1


def literal(serving: Recommender, example: Example) -> float:
    values = []
    history = serving.model.histories.of(example.user)
    owned = set(history.item[history.kind == 0].tolist())
    for repeat, targets in (
        (Repeat.INCLUDE, example.targets),
        (Repeat.EXCLUDE, example.targets - owned),
    ):
        if targets:
            request = serving.at_home(
                example.user, SlateRequest(as_of=example.as_of, repeat=repeat, strict=True)
            )
            slots = serving.build_slate(serving.build_context(example.user, request), request).slots
            items = np.array([slot.item for slot in slots], np.int64)
            values.append(recall(items, targets, 10))
    return float(np.mean(values))


def test_a_fit_that_knows_the_window_is_refused() -> None:
    shop = trained(small_shop_purchases())
    window = Window(moment(1), (moment(1),), DAY)
    with pytest.raises(LeakError):
        measure_limits(window, LearnedRanker.none(), shop, [Example(0, moment(1), frozenset([1]))])
