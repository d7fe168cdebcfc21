"""Scores of some products, summed up, and the highest of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data.ragged import RowGroups
from models.sources.scores import SparseScores, rank_best

EVERYTHING = np.ones(6, np.bool_)


def scores(parts: list[tuple[int, float]]) -> SparseScores:
    """Sum up parts (item, value)."""
    item = np.array([item for item, _ in parts], np.int32)
    return SparseScores.summed(item, np.array([value for _, value in parts], np.float32))


def test_what_is_said_of_a_product_adds_up_and_of_others_nothing_is_said() -> None:
    summed = scores([(4, 1), (2, 3), (4, 0.5)])
    assert summed.of(np.array([0, 2, 4, 5])).tolist() == [0, 3, 1.5, 0]
    assert summed.highest == 3


def test_a_source_that_says_nothing_says_0_of_everything() -> None:
    for nothing in (scores([]), SparseScores.none()):
        assert nothing.of(np.array([0, 5])).tolist() == [0, 0]
        assert nothing.best(EVERYTHING, 3).tolist() == []
        assert nothing.highest == 0


def test_the_best_are_allowed_and_equal_ones_stand_in_the_order_of_the_product_ids() -> None:
    summed = scores([(5, 2), (1, 2), (3, 9), (0, 1)])
    assert summed.best(EVERYTHING, 3).tolist() == [3, 1, 5]
    assert summed.best(np.arange(6) != 3, 3).tolist() == [1, 5, 0]


def test_equal_scores_stand_in_the_order_of_the_product_ids() -> None:
    assert rank_best(np.array([1, 0, 1, 2, 1], np.float32), 3).tolist() == [3, 0, 2]


@given(st.lists(st.integers(-2, 3), max_size=30), st.integers(1, 12))
def test_the_best_are_those_of_a_full_sort(scores: list[int], n: int) -> None:
    expected = sorted(
        (item for item, score in enumerate(scores) if score > 0),
        key=lambda item: (-scores[item], item),
    )
    assert rank_best(np.array(scores, np.float32), n).tolist() == expected[:n]


@pytest.mark.parametrize("n", [1, 10, 100])
@pytest.mark.parametrize("kinds", [2, 50, 100_000])
@pytest.mark.parametrize("share", [0.001, 0.1, 1.0])
def test_the_best_of_a_large_shop_are_those_of_a_full_sort(
    n: int, kinds: int, share: float
) -> None:
    random = np.random.default_rng(7)
    scores = np.where(random.random(30_000) < share, random.integers(-1, kinds, 30_000), 0).astype(
        np.float32
    )
    positive = np.flatnonzero(scores > 0)
    expected = positive[np.lexsort((positive, -scores[positive]))][:n]
    assert rank_best(scores, n).tolist() == expected.tolist()


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 5), st.floats(0.5, 9, width=32)), max_size=9), max_size=5
    )
)
@pytest.mark.parametrize("copies", [1, 1_000])
def test_what_is_said_to_many_customers_is_what_is_said_to_each(
    copies: int, parts_each: list[list[tuple[int, float]]]
) -> None:
    parts_each = [parts * copies for parts in parts_each]
    everything = [part for parts in parts_each for part in parts]
    item = np.array([item for item, _ in everything], np.int32)
    values = np.array([value for _, value in everything], np.float32)
    summed_each = SparseScores.summed_each(item, values, RowGroups.of(map(len, parts_each)))
    for summed, parts in zip(summed_each, parts_each, strict=True):
        alone = scores(parts)
        assert summed.item.tolist() == alone.item.tolist()
        assert summed.score.tolist() == pytest.approx(alone.score.tolist())
