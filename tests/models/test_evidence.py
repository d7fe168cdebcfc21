"""What a source says of some products, and which it speaks for most."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.evidence import FewScores, best

EVERYTHING = np.ones(6, np.bool_)


def scores(said: list[tuple[int, float]]) -> FewScores:
    item, parts = (np.array(column) for column in zip(*said, strict=True)) if said else (np.zeros(0), np.zeros(0))
    return FewScores.summed(item.astype(np.int32), parts.astype(np.float32))


def test_what_is_said_of_a_product_adds_up_and_of_others_nothing_is_said() -> None:
    found = scores([(4, 1), (2, 3), (4, 0.5)])
    assert found.of(np.array([0, 2, 4, 5])).tolist() == [0, 3, 1.5, 0]
    assert found.highest == 3


def test_a_source_that_says_nothing_says_0_of_everything() -> None:
    for nothing in (scores([]), FewScores.none()):
        assert nothing.of(np.array([0, 5])).tolist() == [0, 0]
        assert nothing.best(EVERYTHING, 3).tolist() == []
        assert nothing.highest == 0


def test_the_best_are_allowed_and_equal_ones_stand_in_the_order_of_the_product_ids() -> None:
    found = scores([(5, 2), (1, 2), (3, 9), (0, 1)])
    assert found.best(EVERYTHING, 3).tolist() == [3, 1, 5]
    assert found.best(np.arange(6) != 3, 3).tolist() == [1, 5, 0]


def test_equal_scores_stand_in_the_order_of_the_product_ids() -> None:
    assert best(np.array([1, 0, 1, 2, 1], np.float32), 3).tolist() == [3, 0, 2]


@given(st.lists(st.integers(-2, 3), max_size=30), st.integers(1, 12))
def test_the_best_are_those_of_a_full_sort(scores: list[int], n: int) -> None:
    expected = sorted((item for item, score in enumerate(scores) if score > 0), key=lambda item: (-scores[item], item))
    assert best(np.array(scores, np.float32), n).tolist() == expected[:n]


@pytest.mark.parametrize("n", [1, 10, 100])
@pytest.mark.parametrize("kinds", [2, 50, 100_000])
@pytest.mark.parametrize("share", [0.001, 0.1, 1.0])
def test_the_best_of_a_large_shop_are_those_of_a_full_sort(n: int, kinds: int, share: float) -> None:
    random = np.random.default_rng(7)
    scores = np.where(random.random(30_000) < share, random.integers(-1, kinds, 30_000), 0).astype(np.float32)
    positive = np.flatnonzero(scores > 0)
    expected = positive[np.lexsort((positive, -scores[positive]))][:n]
    assert best(scores, n).tolist() == expected.tolist()
