"""A shop sees what daring costs: hits, hits beyond best sellers, and how much of it is shown."""

from dataclasses import replace

import numpy as np
import pytest

from models.recommender import Recommender
from models.settings import DiscoverySettings
from tests.support.shop import SMALL
from tests.support.training_shop import small_shop_purchases, trained
from training.config import EvaluationConfig
from training.evaluation import daring
from training.evaluation.daring import find_bestsellers, measure_daring
from training.evaluation.methods import Degree, degrees_of_daring
from training.evaluation.results import Role
from training.evaluation.split import Split, split_history

BESTSELLERS = 3


@pytest.fixture
def split(monkeypatch: pytest.MonkeyPatch) -> Split:
    monkeypatch.setattr(daring, "BESTSELLERS", BESTSELLERS)
    found = split_history(small_shop_purchases(), EvaluationConfig(test_days=28, k=5))
    assert found is not None
    return found


@pytest.fixture
def recommender(split: Split) -> Recommender:
    settings = replace(SMALL, discovery=DiscoverySettings(daring=0.25))
    untaught = trained(split.past)
    return Recommender(untaught.manifest, untaught.model, settings)


def test_the_degree_that_is_served_is_among_those_measured(recommender: Recommender) -> None:
    assert Degree(0.25, reaches=False) in degrees_of_daring(recommender)


def test_where_products_are_lifted_the_safest_degree_is_without(recommender: Recommender) -> None:
    model = recommender.model
    reach = np.full(len(model.catalogue), 0.5, np.float32)
    lifted = replace(model, lesson=replace(model.lesson, reach=reach))
    degrees = degrees_of_daring(recommender.with_model(lifted))
    assert degrees[0] == Degree(0, reaches=False)
    assert all(degree.reaches for degree in degrees[1:])
    assert {degree.daring for degree in degrees} > {0, 0.25}


def test_best_sellers_find_nothing_beyond_themselves(
    split: Split, recommender: Recommender
) -> None:
    bestsellers = sorted(find_bestsellers(split))
    degrees = degrees_of_daring(recommender)
    slates = np.full((len(split.users), len(degrees), 5), -1)
    slates[:, :, :BESTSELLERS] = bestsellers
    for row, wanted in enumerate(split.discoveries):
        found = sorted(wanted)[:5]
        slates[row, -1] = -1
        slates[row, -1, : len(found)] = found
    rows = measure_daring(slates, recommender, split, seed=0)
    assert [Degree(row.daring, row.reaches) for row in rows] == list(degrees)
    assert [row.role for row in rows].count(Role.SERVED) == 1
    assert rows[0].rare_recall.value == 0
    assert rows[0].coverage == BESTSELLERS / split.countable.sum()
    assert rows[-1].recall.value == 1


def test_a_shop_where_only_best_sellers_are_discovered_has_no_curve(
    split: Split, recommender: Recommender
) -> None:
    bestsellers = find_bestsellers(split)
    alike = replace(split, discoveries=[wanted & bestsellers for wanted in split.discoveries])
    slates = np.full((len(split.users), len(degrees_of_daring(recommender)), 5), -1)
    assert measure_daring(slates, recommender, alike, seed=0) == ()
