"""A ranker that has learned is kept beside the blend, and so is one that has not."""

import dataclasses

import numpy as np

from models.artifact.array_tree import build, flatten
from models.bundles import basket_ranker
from models.model import LearnedRanker
from models.ranking.features import FEATURES
from models.trees import Trees, TreeSplit

TREES = Trees.of([TreeSplit(0, FEATURES.index("days_since"), 7.0, 0, 1)], [[-1.0, 1.0]])
BASKETS = Trees.of([TreeSplit(0, basket_ranker.FEATURES.index("share"), -2.0, 0, 1)], [[0.5, -0.5]])
LEARNED = LearnedRanker(np.array([2, 3], np.float32), np.array([-1, 0], np.float32), TREES, BASKETS)


def test_a_shop_of_which_nothing_was_learned_takes_every_score_as_it_is() -> None:
    nothing = LearnedRanker.none()
    assert (nothing.slope.tolist(), nothing.level.tolist()) == ([1, 1, 1], [0, 0, 0])
    assert nothing.trees.scores(np.ones((2, len(FEATURES)), np.float32)).tolist() == [0, 0]


def test_trees_are_what_makes_a_lesson() -> None:
    assert LEARNED.learned
    assert not LearnedRanker.none().learned
    assert not dataclasses.replace(LEARNED, trees=Trees.none()).learned


def test_a_lesson_is_arrays_from_which_the_same_one_is_built() -> None:
    rows = np.zeros((2, len(FEATURES)), np.float32)
    rows[1, FEATURES.index("days_since")] = 8
    for ranker in (LEARNED, LearnedRanker.none()):
        again = build(LearnedRanker, dict(flatten(ranker)))
        assert (again.slope.tolist(), again.level.tolist()) == (
            ranker.slope.tolist(),
            ranker.level.tolist(),
        )
        assert again.trees.scores(rows).tolist() == ranker.trees.scores(rows).tolist()
        assert again.learned == ranker.learned
    assert LEARNED.trees.scores(rows).tolist() == [-1, 1]


def test_what_was_learned_of_baskets_is_kept_and_nothing_of_them_is_kept_as_nothing() -> None:
    rows = np.zeros((2, len(basket_ranker.FEATURES)), np.float32)
    rows[1, basket_ranker.FEATURES.index("share")] = -3
    again = build(LearnedRanker, dict(flatten(LEARNED)))
    assert (
        again.baskets.scores(rows).tolist() == LEARNED.baskets.scores(rows).tolist() == [-0.5, 0.5]
    )
    without_baskets = build(
        LearnedRanker, dict(flatten(dataclasses.replace(LEARNED, baskets=Trees.none())))
    )
    assert (len(without_baskets.baskets), len(without_baskets.trees)) == (0, 1)
