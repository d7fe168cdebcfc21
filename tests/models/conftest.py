"""The small shop twice: ranked by the blend alone, and by a lesson."""

import numpy as np
import pytest

from models import baskets
from models.features import FEATURES
from models.lesson import Lesson
from models.recommender import Recommender
from models.registry import Registry
from models.trees import Split, Trees
from tests.shop import open_shop, small_shop

# What might have been learned: new things from the aisles that a customer knows, and again what is due again;
# in a basket what is often bought with it, and rather what is rare.
LESSON = Lesson(
    slope=np.array([1.2, 0.9], np.float32),
    level=np.array([-4, -3], np.float32),
    trees=Trees.of(
        [
            Split(0, FEATURES.index("category_share"), 0.3, 0, 2),
            Split(0, FEATURES.index("category_days"), 20.0, 0, 1),
            Split(1, FEATURES.index("days_since"), 14.0, 0, 1),
            Split(1, FEATURES.index("days_since"), 60.0, 1, 2),
            Split(2, FEATURES.index("together"), 0.0, 0, 1),
        ],
        [[0.2, -0.7, 1.1], [-0.9, 0.6, -0.3], [-0.1, 0.8]],
    ),
    baskets=Trees.of(
        [
            Split(0, baskets.FEATURES.index("confidence_max"), 0.1, 0, 1),
            Split(1, baskets.FEATURES.index("share"), -3.5, 0, 1),
        ],
        [[-4.0, -2.0], [0.3, -0.2]],
    ),
)


@pytest.fixture(scope="module", params=[Lesson.none(), LESSON], ids=["the blend alone", "a lesson learned"])
def lesson(request: pytest.FixtureRequest) -> Lesson:
    return request.param


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, lesson: Lesson) -> Registry:
    return small_shop(tmp_path_factory.mktemp("shop"), lesson)


@pytest.fixture(scope="module")
def shop(registry: Registry) -> Recommender:
    return open_shop(registry)
