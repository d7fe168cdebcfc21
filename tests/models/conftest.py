"""The small shop twice: ranked by the blend alone, and by a lesson."""

import pytest

from models.artifact.registry import Registry
from models.model import LearnedRanker
from models.recommender import Recommender
from tests.support.fitted_shop import LESSON, small_shop
from tests.support.shop import open_shop


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
