"""Slates are as daring as the shop's newest weeks allow, and safe where these cannot tell."""

import numpy as np
import pytest

from models.model import LearnedRanker
from models.ranking.features import FEATURES
from models.ranking.ranker import BOUGHT, NEW, VISIT, Ranker
from models.settings import BlendSettings, Weights
from training.ranker.daring import DEGREES, learn_daring
from training.ranker.rows import RankerRows

BY_TASTE = Ranker(BlendSettings(new=Weights(affinity=1.0)), LearnedRanker.none())
SALES, TASTE, VISITS = (FEATURES.index(n) for n in ("recent_sales", "affinity", "visits"))
CANDIDATES = 40


def examples(count: int, *, rare_is_bought: float, seed: int = 0) -> RankerRows:
    """Customers who buy the best seller that stands tenth, or the rare product behind it."""
    random = np.random.default_rng(seed)
    values = np.zeros((count, CANDIDATES, len(FEATURES)), np.float32)
    values[:, :, TASTE] = np.linspace(8, 0, CANDIDATES)
    values[:, :, SALES] = 5.0
    values[:, 10:, SALES] = 1.0
    values[:, 10:, TASTE] -= 0.1
    values[:, :, VISITS] = 1.0
    rare = random.random(count) < rare_is_bought
    hit = np.zeros((count, CANDIDATES), bool)
    hit[~rare, 9] = True
    hit[rare, 10] = True
    return RankerRows(
        values.reshape(-1, len(FEATURES)),
        np.zeros(count * CANDIDATES, bool),
        hit.ravel(),
        np.ones(count * CANDIDATES, np.float32),
        np.repeat(np.arange(count, dtype=np.int32), CANDIDATES),
        np.repeat(np.arange(count, dtype=np.int32), CANDIDATES),
    )


def test_where_customers_buy_what_is_rare_slates_are_daring() -> None:
    daring = learn_daring(examples(500, rare_is_bought=0.8), BY_TASTE)
    assert daring[NEW] == pytest.approx(max(DEGREES))


def test_where_they_buy_best_sellers_slates_are_safe() -> None:
    daring = learn_daring(examples(500, rare_is_bought=0.1), BY_TASTE)
    assert daring[NEW] == 0


def test_what_was_bought_before_is_no_matter_of_daring() -> None:
    assert learn_daring(examples(500, rare_is_bought=0.8), BY_TASTE)[BOUGHT] == 0


def test_a_shop_too_small_to_tell_is_safe() -> None:
    assert learn_daring(examples(6, rare_is_bought=0.5), BY_TASTE)[NEW] == 0
    assert learn_daring(examples(1, rare_is_bought=1), BY_TASTE)[NEW] == 0


def test_visits_have_a_daring_of_their_own() -> None:
    rows = examples(500, rare_is_bought=0.8)
    rows.values[:, VISITS] = 0
    daring = learn_daring(rows, Ranker(BlendSettings(visit=Weights(affinity=1.0)), BY_TASTE.lesson))
    assert daring[NEW] == 0
    assert daring[VISIT] > 0
