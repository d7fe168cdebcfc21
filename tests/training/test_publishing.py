"""From a fitted model to a version on disk: all of it, with what it was counted from, or nothing."""

from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from models.artifact.array_tree import flatten
from models.artifact.registry import Registry
from models.model import LearnedRanker
from models.recommender import Recommender
from models.settings import DiversitySettings, PlacementSettings, RankerSettings
from models.trees import Trees, TreeSplit
from tests.support.shop import SMALL, Line, Product, moment
from tests.support.training_shop import small_purchases, trained
from training.errors import InputError
from training.publishing import build_manifest, publish, write_twin

PURCHASES = small_purchases(
    [
        *(
            Line(f"c{number}", thing, number, market="north")
            for number in range(4)
            for thing in ("bread", "butter")
        ),
        Line("anna", "rare", 9),
        Line("", "bread", 5, "guest"),
    ],
    [Product("kettle")],
)
SHOP = trained(PURCHASES)
LESSON = LearnedRanker(
    np.float32([2, 3]),
    np.float32([-4, -5]),
    Trees.of([TreeSplit(0, 1, 0.5, 0, 1)], [[-0.25, 0.75]]),
)


def test_a_twin_is_read_back_as_it_was_with_its_lesson_and_its_settings(tmp_path: Path) -> None:
    settings = replace(
        SMALL,
        ranker=RankerSettings(objective="revenue", lags_days=(0, 3)),
        diversity=DiversitySettings(
            category=4, placements=(PlacementSettings("email", category=2),)
        ),
    )
    model = replace(SHOP.model, lesson=LESSON)
    twin = Recommender.load(write_twin(tmp_path, model, PURCHASES, settings))
    assert twin.settings == settings
    assert twin.model.lesson.learned
    read = dict(flatten(twin.model))
    assert {name: array.tobytes() for name, array in flatten(model)} == {
        name: array.tobytes() for name, array in read.items()
    }


def test_a_manifest_counts_what_was_learned_from() -> None:
    manifest = build_manifest(PURCHASES, SHOP.model, SMALL, {"cut": 7}, moment(20))
    assert (manifest.created, manifest.data_from, manifest.data_as_of) == (
        moment(20),
        moment(0),
        moment(9),
    )
    assert manifest.counts == {
        "customers": 5,
        "products": 4,
        "lines": 10,
        "orders": 6,
        "learned_products": 2,  # bought at least three times
        "neighbours": 2,  # bread and butter, each the other's
        "bundle_pairs": 2,
        "days_of_sales": 10,
    }
    assert manifest.config == asdict(SMALL)
    assert manifest.metrics == {"cut": 7}


def test_what_is_published_is_active(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    manifest = publish(registry, SHOP.model, SHOP.manifest)
    assert registry.active() == manifest.version
    assert registry.names() == [manifest.version]


def test_a_place_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    occupied = tmp_path / "registry"
    occupied.write_text("a file")
    with pytest.raises(
        InputError, match=f"^{occupied} cannot be written to: .*; nothing was published$"
    ):
        publish(Registry(occupied), SHOP.model, SHOP.manifest)
