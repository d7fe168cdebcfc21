"""Shops made by hand, and models fitted to them by the definitions: nothing here needs training."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

import numpy as np

from models.artifact.files import Manifest
from models.artifact.registry import Registry
from models.bundles import basket_ranker
from models.model import LearnedRanker
from models.ranking.features import FEATURES
from models.recommender import Recommender
from models.settings import ModelSettings
from models.trees import Trees, TreeSplit
from tests.support.literal_fit import find_shop_time, fit_literally
from tests.support.shop import DAYS, SMALL, ShopRecords, moment, small_shop_records

# What might have been learned: new things from the aisles that a customer knows, and again what is
# due again; in a basket what is often bought with it, and rather what is rare.
LESSON: Final = LearnedRanker(
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


def fit_shop(
    records: ShopRecords, settings: ModelSettings = SMALL, lesson: LearnedRanker | None = None
) -> Recommender:
    """Fit a model to these records, never written to disk."""
    times = [row.time for row in records.coded_lines]
    manifest = Manifest(
        created=0,
        data_from=min(times),
        data_as_of=find_shop_time(records.coded_lines),
        config=asdict(settings),
    )
    return Recommender(manifest, fit_literally(records, settings, lesson), settings)


def small_shop(root: Path, lesson: LearnedRanker | None = None) -> Registry:
    """Publish the small shop to a registry in `root` as its one, active version."""
    recommender = fit_shop(small_shop_records(), lesson=lesson)
    registry = Registry(root)
    registry.publish(recommender.model, replace(recommender.manifest, created=moment(DAYS)))
    return registry
