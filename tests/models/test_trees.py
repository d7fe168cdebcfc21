"""Trees from arrays say what a walk from the root to the leaf says."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.artifact.array_tree import build, flatten
from models.trees import MAX_LEAVES, Trees, TreeSplit, probability

FEATURES = 4
NUMBERS = st.sampled_from([-1e30, -2.5, -1e-35, 0.0, 0.1, 0.3, 1 / 3, 1.0, 7.0, 1e30])
AMOUNTS = st.integers(-64, 64).map(lambda number: number / 64)  # their sums are exact in any order


@dataclass(frozen=True)
class Node:
    feature: int
    threshold: float
    left: Node | float
    right: Node | float


NODES = st.recursive(
    AMOUNTS,
    lambda below: st.builds(Node, st.integers(0, FEATURES - 1), NUMBERS, below, below),
    max_leaves=20,
)
FORESTS = st.lists(NODES, max_size=6)
CANDIDATES = st.lists(st.lists(NUMBERS, min_size=FEATURES, max_size=FEATURES), max_size=8)


def walked(node: Node | float, row: NDArray[np.float32]) -> float:
    while isinstance(node, Node):
        node = node.left if float(row[node.feature]) <= node.threshold else node.right
    return node


def forest(roots: list[Node | float]) -> Trees:
    splits: list[TreeSplit] = []
    values: list[list[float]] = []

    def number(node: Node | float, tree: int) -> None:
        if not isinstance(node, Node):
            values[tree].append(node)
            return
        first = len(values[tree])
        number(node.left, tree)
        splits.append(TreeSplit(tree, node.feature, node.threshold, first, len(values[tree])))
        number(node.right, tree)

    for tree, root in enumerate(roots):
        values.append([])
        number(root, tree)
    return Trees.of(splits, values)


def staircase(leaves: int) -> Node | float:
    """A tree whose leaf k takes x in (k - 1, k] and says k."""
    node: Node | float = float(leaves - 1)
    for step in range(leaves - 2, -1, -1):
        node = Node(0, float(step), float(step), node)
    return node


def candidates(rows: list[list[float]]) -> NDArray[np.float32]:
    return np.array(rows, np.float32).reshape(-1, FEATURES)


@given(FORESTS, CANDIDATES)
def test_every_candidate_gets_the_sum_of_the_leaves_it_walks_to(
    roots: list[Node | float], rows: list[list[float]]
) -> None:
    table = candidates(rows)
    assert forest(roots).scores(table).tolist() == [
        sum(walked(root, row) for root in roots) for row in table
    ]


@given(FORESTS, CANDIDATES, st.integers(0, 6))
def test_the_first_trees_are_the_trees_that_were_learned_first(
    roots: list[Node | float], rows: list[list[float]], trees: int
) -> None:
    table = candidates(rows)
    first, alone = forest(roots).first(trees), forest(roots[:trees])
    assert len(first) == len(alone) == min(trees, len(roots))
    assert first.scores(table).tolist() == alone.scores(table).tolist()
    assert len(first.thresholds) <= len(alone.thresholds) + FEATURES


def test_a_candidate_on_the_threshold_goes_left_and_the_next_number_goes_right() -> None:
    trees = forest([Node(2, 0.1, -1.0, 1.0)])  # 0.1 lies between two float32
    below = np.nextafter(np.float32(0.1), np.float32(0))
    assert float(below) < 0.1 < float(np.float32(0.1))
    rows = np.zeros((2, FEATURES), np.float32)
    rows[:, 2] = below, np.float32(0.1)
    assert trees.scores(rows).tolist() == [-1, 1]


@pytest.mark.parametrize("leaves", [1, 2, 8, 9, 16, 17, 32, 33, 63, 64])
def test_each_leaf_of_a_tree_can_be_reached(leaves: int) -> None:
    rows = np.zeros((leaves, 1), np.float32)
    rows[:, 0] = np.arange(leaves)
    assert forest([staircase(leaves)] * 3).scores(rows).tolist() == [
        3.0 * leaf for leaf in range(leaves)
    ]


def test_a_tree_of_more_leaves_than_bits_is_refused() -> None:
    with pytest.raises(ValueError, match="65 leaves, at most 64"):
        forest([staircase(MAX_LEAVES + 1)])


def shop_trees() -> Trees:
    random = np.random.default_rng(5)

    def node(depth: int) -> Node | float:
        if depth == 0:
            return float(random.normal())
        return Node(
            int(random.integers(FEATURES)), float(random.normal()), node(depth - 1), node(depth - 1)
        )

    return forest([node(5) for _ in range(70)])


def test_one_candidate_scores_the_same_bytes_alone_and_among_thousands_in_either_layout() -> None:
    trees, rows = (
        shop_trees(),
        np.random.default_rng(6).normal(size=(2000, FEATURES)).astype(np.float32),
    )
    scores = trees.scores(rows)
    assert trees.scores(np.asfortranarray(rows)).tobytes() == scores.tobytes()
    assert (
        np.concatenate([trees.scores(rows[k : k + 1]) for k in range(50)]).tobytes()
        == scores[:50].tobytes()
    )
    assert trees.scores(rows[:0]).shape == (0,)


def test_no_trees_score_every_candidate_zero() -> None:
    none = Trees.none()
    assert len(none) == 0
    assert none.scores(np.ones((3, FEATURES), np.float32)).tolist() == [0, 0, 0]
    assert none.scores(np.ones((0, FEATURES), np.float32)).tolist() == []


@pytest.mark.parametrize("trees", [shop_trees(), Trees.none()])
def test_trees_are_arrays_and_come_back_from_them(trees: Trees) -> None:
    again = build(Trees, dict(flatten(trees)))
    rows = np.random.default_rng(7).normal(size=(20, FEATURES)).astype(np.float32)
    assert [name for name, _ in flatten(trees)] == [
        "feature",
        "indptr",
        "thresholds",
        "masks",
        "leaves",
    ]
    assert again.scores(rows).tobytes() == trees.scores(rows).tobytes()


def test_log_odds_are_told_as_the_chance_of_a_purchase() -> None:
    odds = np.log(np.array([1, 3, 1 / 9, 1e-6], np.float32))
    assert probability(odds).tolist() == pytest.approx([0.5, 0.75, 0.1, 1e-6], rel=1e-4)


@given(st.lists(st.floats(-1e4, 1e4, width=32), min_size=1, max_size=9))
def test_a_chance_is_between_never_and_always_however_sure_it_is(scores: list[float]) -> None:
    chances = probability(np.sort(np.array(scores, np.float32)))
    assert chances.dtype == np.float32
    assert chances.tolist() == sorted(chances.tolist())
    assert chances.min() >= 0
    assert chances.max() <= 1
