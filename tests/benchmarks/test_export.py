"""How fast slates for a file are made: for whom they are made, and with or without what the ranker
learned.
"""

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.export import STEPS, asked, in_order, loaded, step_by_step
from models.artifact.registry import Registry
from models.model import LearnedRanker
from models.trees import Trees, TreeSplit
from tests.support.fitted_shop import small_shop

ONE_TREE = Trees.of([TreeSplit(tree=0, feature=1, threshold=0.1, first=0, last=1)], [[-0.1, 0.1]])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return small_shop(
        tmp_path_factory.mktemp("registry"), replace(LearnedRanker.none(), trees=ONE_TREE)
    )


def test_customers_are_those_of_the_middle_in_their_order(shop: Registry) -> None:
    recommender = loaded(shop.root, ranker=True)
    ids = list(recommender.model.customers.ids)
    assert in_order(recommender, 4) == ids[(len(ids) - 4) // 2 :][:4]
    assert in_order(recommender, 10 * len(ids)) == ids


def test_the_ranker_can_be_left_out(shop: Registry) -> None:
    assert loaded(shop.root, ranker=True).model.lesson.learned
    assert not loaded(shop.root, ranker=False).model.lesson.learned


def test_a_shop_without_a_model_is_told_to_train_one(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="train one first"):
        loaded(tmp_path, ranker=True)


def test_every_slate_takes_time_on_the_clock_and_of_a_processor(shop: Registry) -> None:
    seconds, worked = asked(shop.root, True, in_order(loaded(shop.root, ranker=True), 20))
    assert 0 < worked <= 2 * seconds


def test_every_step_of_a_slate_is_told(shop: Registry, capsys: pytest.CaptureFixture[str]) -> None:
    recommender = loaded(shop.root, ranker=True)
    step_by_step(recommender, in_order(recommender, 20))
    lines = capsys.readouterr().out.splitlines()
    assert [line[:32].strip() for line in lines] == list(STEPS)
    assert all(float(time) > 0 for line in lines for time in line[32:].split()[:2])
