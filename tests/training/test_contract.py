"""What training hands out of a model is what the model answers."""

from pathlib import Path

import orjson
import pytest

from models.artifact.registry import Registry
from models.data.customers import PERSONALIZE_EMAIL
from models.model import LearnedRanker
from models.recommender import Recommender
from models.slate import SlateRequest
from tests.support.fitted_shop import LESSON, small_shop
from tests.support.shop import open_shop
from tests.support.worker_tasks import slates_of
from training.cli.commands import main
from training.parallel import map_with_recommender


@pytest.fixture(
    scope="module",
    params=[LearnedRanker.none(), LESSON],
    ids=["the blend alone", "a lesson learned"],
)
def registry(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return small_shop(tmp_path_factory.mktemp("shop"), request.param)


@pytest.fixture(scope="module")
def shop(registry: Registry) -> Recommender:
    return open_shop(registry)


def test_many_at_once_are_answered_like_one_by_one(registry: Registry, shop: Recommender) -> None:
    customers = list(shop.model.customers.ids)
    directory = registry.path(shop.manifest.version)
    parts = map_with_recommender(directory, slates_of, customers, chunk=23, processes=2)
    assert [pair for part in parts for pair in part] == slates_of(shop, customers)


def test_an_export_holds_what_the_service_answers(
    registry: Registry, shop: Recommender, tmp_path: Path
) -> None:
    output = tmp_path / "slates.ndjson"
    assert main(["export", "--registry", str(registry.root), "--output", str(output)], now=0) == 0
    expected = [
        (customer, rank, shop.catalogue.ids[slot.item], slot.score, slot.source)
        for customer in shop.model.customers.ids
        for rank, slot in enumerate(
            shop.recommend(customer, SlateRequest(purpose=PERSONALIZE_EMAIL)).slots, 1
        )
    ]
    rows = [tuple(orjson.loads(line).values()) for line in output.read_bytes().splitlines()]
    assert [(*row[:3], pytest.approx(row[3]), row[4]) for row in rows] == expected
