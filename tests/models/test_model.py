"""What was learned is kept beside the blend, and nothing is a lesson too."""

import dataclasses

import numpy as np

from models.artifact.array_tree import build, flatten
from models.bundles import basket_ranker
from models.model import LearnedRanker
from models.ranking.features import FEATURES
from models.trees import Trees, TreeSplit

TREES = Trees.of([TreeSplit(0, FEATURES.index("days_since"), 7.0, 0, 1)], [[-1.0, 1.0]])
BASKETS = Trees.of([TreeSplit(0, basket_ranker.FEATURES.index("share"), -2.0, 0, 1)], [[0.5, -0.5]])
LESSON = LearnedRanker(np.array([2, 3], np.float32), np.array([-1, 0], np.float32), TREES, BASKETS)


def test_a_shop_of_which_nothing_was_learned_takes_every_score_as_it_is() -> None:
    nothing = LearnedRanker.none()
    assert (nothing.slope.tolist(), nothing.level.tolist()) == ([1, 1], [0, 0])
    assert nothing.trees.scores(np.ones((2, len(FEATURES)), np.float32)).tolist() == [0, 0]


def test_trees_are_what_makes_a_lesson() -> None:
    assert LESSON.learned
    assert not LearnedRanker.none().learned
    assert not dataclasses.replace(LESSON, trees=Trees.none()).learned


def test_a_lesson_is_arrays_from_which_the_same_one_is_built() -> None:
    rows = np.zeros((2, len(FEATURES)), np.float32)
    rows[1, FEATURES.index("days_since")] = 8
    for lesson in (LESSON, LearnedRanker.none()):
        again = build(LearnedRanker, dict(flatten(lesson)))
        assert (again.slope.tolist(), again.level.tolist()) == (
            lesson.slope.tolist(),
            lesson.level.tolist(),
        )
        assert again.trees.scores(rows).tolist() == lesson.trees.scores(rows).tolist()
        assert again.learned == lesson.learned
    assert LESSON.trees.scores(rows).tolist() == [-1, 1]


def test_what_was_learned_of_baskets_is_kept_and_nothing_of_them_is_kept_as_nothing() -> None:
    rows = np.zeros((2, len(basket_ranker.FEATURES)), np.float32)
    rows[1, basket_ranker.FEATURES.index("share")] = -3
    again = build(LearnedRanker, dict(flatten(LESSON)))
    assert (
        again.baskets.scores(rows).tolist() == LESSON.baskets.scores(rows).tolist() == [-0.5, 0.5]
    )
    untaught = build(
        LearnedRanker, dict(flatten(dataclasses.replace(LESSON, baskets=Trees.none())))
    )
    assert (len(untaught.baskets), len(untaught.trees)) == (0, 1)
