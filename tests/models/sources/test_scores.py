"""What a source says of some products, and which it speaks for most."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data.ragged import RowGroups, find_stored
from models.sources.scores import SparseScores, rank_best

EVERYTHING = np.ones(6, np.bool_)


def scores(said: list[tuple[int, float]]) -> SparseScores:
    item, parts = (
        (np.array(column) for column in zip(*said, strict=True))
        if said
        else (np.zeros(0), np.zeros(0))
    )
    return SparseScores.summed(item.astype(np.int32), parts.astype(np.float32))


def test_what_is_said_of_a_product_adds_up_and_of_others_nothing_is_said() -> None:
    found = scores([(4, 1), (2, 3), (4, 0.5)])
    assert found.of(np.array([0, 2, 4, 5])).tolist() == [0, 3, 1.5, 0]
    assert found.highest == 3


def test_a_source_that_says_nothing_says_0_of_everything() -> None:
    for nothing in (scores([]), SparseScores.none()):
        assert nothing.of(np.array([0, 5])).tolist() == [0, 0]
        assert nothing.best(EVERYTHING, 3).tolist() == []
        assert nothing.highest == 0


def test_the_best_are_allowed_and_equal_ones_stand_in_the_order_of_the_product_ids() -> None:
    found = scores([(5, 2), (1, 2), (3, 9), (0, 1)])
    assert found.best(EVERYTHING, 3).tolist() == [3, 1, 5]
    assert found.best(np.arange(6) != 3, 3).tolist() == [1, 5, 0]


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


# Of the first of three customers two rows, of the second none.
TWO_NONE_THREE = RowGroups.of([2, 0, 3])


def test_rows_know_whose_they_are() -> None:
    assert (len(TWO_NONE_THREE), TWO_NONE_THREE.owner.tolist()) == (3, [0, 0, 2, 2, 2])
    assert TWO_NONE_THREE.slices == [slice(0, 2), slice(2, 2), slice(2, 5)]
    assert TWO_NONE_THREE.select(np.array([True, False, False, True, True])).slices == [
        *(slice(0, 1), slice(1, 1), slice(1, 3)),
    ]


def test_who_has_no_rows_has_a_sum_of_0() -> None:
    values = np.array([[1, 2, 3, 4, 5], [0, 0, 0, 0, 1]], np.float32)
    assert TWO_NONE_THREE.sums(values).tolist() == [[3, 0, 12], [0, 0, 1]]


def test_what_is_stored_of_some_items_is_found_with_whose_it_is() -> None:
    places, counts, rows = find_stored(
        np.array([0, 2, 2, 5]), np.array([2, 0, 1, 0, 2]), TWO_NONE_THREE
    )
    assert (places.tolist(), counts.tolist()) == ([2, 3, 4, 0, 1, 0, 1, 2, 3, 4], [3, 2, 0, 2, 3])
    assert rows.bounds.tolist() == [0, 5, 5, 10]


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 5), st.floats(0.5, 9, width=32)), max_size=9), max_size=5
    )
)
@pytest.mark.parametrize("many", [1, 1_000])
def test_what_is_said_to_many_customers_is_what_is_said_to_each(
    many: int, said: list[list[tuple[int, float]]]
) -> None:
    said = [[*one] * many for one in said]
    everything = [part for one in said for part in one]
    item, parts = (
        np.array([item for item, _ in everything], np.int32),
        np.array([part for _, part in everything]),
    )
    found = SparseScores.summed_each(item, parts.astype(np.float32), RowGroups.of(map(len, said)))
    for one, alone in zip(found, map(scores, said), strict=True):
        assert (one.item.tolist(), one.score.tolist()) == (
            alone.item.tolist(),
            pytest.approx(alone.score.tolist()),
        )
