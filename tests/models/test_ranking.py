"""A score is a sum of weighted features, and the largest part names the source."""

from dataclasses import asdict

import numpy as np
import pytest

from models.features import FEATURES
from models.ranking import SPEAKS_FOR, Blend
from models.settings import BlendSettings, Weights
from models.slate import Source

SETTINGS = BlendSettings(
    new=Weights(affinity=2, neighbours=1, basket=3, recent_sales=1, all_sales=-0.5),
    bought=Weights(constant=3, affinity=1, own_long=2),
)
BLEND = Blend(SETTINGS)


def row(**values: float) -> np.ndarray:
    return np.array([values.get(name, 0.0) for name in FEATURES], np.float32)


def test_new_products_and_those_bought_before_are_weighed_differently() -> None:
    rows = np.stack([row(constant=1, affinity=4, own_long=0), row(constant=1, affinity=4, own_long=5)])
    assert BLEND.scores(rows, np.array([False, True])).tolist() == [8, 3 + 4 + 10]


def test_any_row_scores_the_sum_over_the_names_of_its_features() -> None:
    values = {name: float(place + 1) for place, name in enumerate(FEATURES)}
    rows = np.stack([row(**values)] * 2)
    expected = [
        sum(weight * values[name] for name, weight in asdict(weights).items())
        for weights in (SETTINGS.new, SETTINGS.bought)
    ]
    assert BLEND.scores(rows, np.array([False, True])).tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("values", "source"),
    [
        ({"affinity": 1, "neighbours": 1.5}, Source.FACTORS),
        ({"affinity": 1, "neighbours": 2.5}, Source.NEIGHBOURS),
        ({"affinity": 1, "neighbours": 2.5, "basket": 1}, Source.BOUGHT_TOGETHER),
        ({"affinity": 0.1, "recent_sales": 2, "all_sales": 1}, Source.POPULAR),
    ],
)
def test_the_source_is_the_one_with_the_largest_part(values: dict[str, float], source: Source) -> None:
    assert BLEND.source(row(**values), bought=False) is source


def test_what_was_bought_before_is_there_because_it_was() -> None:
    assert BLEND.source(row(affinity=9, own_long=0.1), bought=True) is Source.OWN_PURCHASES


def test_a_source_that_says_nothing_is_never_named_even_where_the_only_one_that_speaks_speaks_against() -> None:
    assert BLEND.source(row(recent_sales=1, all_sales=9), bought=False) is Source.POPULAR


def test_every_part_of_a_new_products_score_has_a_source() -> None:
    weighed = {name for name, weight in asdict(BlendSettings().new).items() if weight}
    assert weighed == set(SPEAKS_FOR)
