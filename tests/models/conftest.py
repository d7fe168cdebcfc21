"""The small shop twice: ranked by the blend alone, and by a lesson."""

import numpy as np
import pytest

from models.artifact.registry import Registry
from models.bundles import basket_ranker
from models.model import LearnedRanker
from models.ranking.features import FEATURES
from models.recommender import Recommender
from models.trees import Trees, TreeSplit
from tests.support.shop import open_shop, small_shop

# What might have been learned: new things from the aisles that a customer knows, and again what is
# due again; in a basket what is often bought with it, and rather what is rare.
LESSON = LearnedRanker(
    slope=np.array([1.2, 0.9], np.float32),
    level=np.array([-4, -3], np.float32),
    trees=Trees.of(
        [
            TreeSplit(0, FEATURES.index("category_share"), 0.3, 0, 2),
            TreeSplit(0, FEATURES.index("category_days"), 20.0, 0, 1),
            TreeSplit(1, FEATURES.index("days_since"), 14.0, 0, 1),
            TreeSplit(1, FEATURES.index("days_since"), 60.0, 1, 2),
            TreeSplit(2, FEATURES.index("together"), 0.0, 0, 1),
        ],
        [[0.2, -0.7, 1.1], [-0.9, 0.6, -0.3], [-0.1, 0.8]],
    ),
    baskets=Trees.of(
        [
            TreeSplit(0, basket_ranker.FEATURES.index("confidence_max"), 0.1, 0, 1),
            TreeSplit(1, basket_ranker.FEATURES.index("share"), -3.5, 0, 1),
        ],
        [[-4.0, -2.0], [0.3, -0.2]],
    ),
)


@pytest.fixture(
    scope="module",
    params=[LearnedRanker.none(), LESSON],
    ids=["the blend alone", "a lesson learned"],
)
def lesson(request: pytest.FixtureRequest) -> LearnedRanker:
    return request.param


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, lesson: LearnedRanker) -> Registry:
    return small_shop(tmp_path_factory.mktemp("shop"), lesson)


@pytest.fixture(scope="module")
def shop(registry: Registry) -> Recommender:
    return open_shop(registry)
