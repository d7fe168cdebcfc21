"""Rows of several customers in one array, and sets as sorted arrays."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.data.ragged import RowGroups, find_stored, is_among, sort_distinct

# Three customers: two rows of the first, none of the second.
TWO_NONE_THREE = RowGroups.of([2, 0, 3])


def test_rows_know_whose_they_are() -> None:
    assert (len(TWO_NONE_THREE), TWO_NONE_THREE.owner.tolist()) == (3, [0, 0, 2, 2, 2])
    assert TWO_NONE_THREE.slices == [slice(0, 2), slice(2, 2), slice(2, 5)]
    assert TWO_NONE_THREE.select(np.array([True, False, False, True, True])).slices == [
        slice(0, 1),
        slice(1, 1),
        slice(1, 3),
    ]


def test_who_has_no_rows_has_a_sum_of_0() -> None:
    values = np.array([[1, 2, 3, 4, 5], [0, 0, 0, 0, 1]], np.float32)
    assert TWO_NONE_THREE.sums(values).tolist() == [[3, 0, 12], [0, 0, 1]]


def test_what_is_stored_of_some_items_is_found_with_whose_it_is() -> None:
    entries, counts, rows = find_stored(
        np.array([0, 2, 2, 5]), np.array([2, 0, 1, 0, 2]), TWO_NONE_THREE
    )
    assert (entries.tolist(), counts.tolist()) == ([2, 3, 4, 0, 1, 0, 1, 2, 3, 4], [3, 2, 0, 2, 3])
    assert rows.bounds.tolist() == [0, 5, 5, 10]


def test_a_customer_and_a_value_are_one_number_that_sorts_by_both() -> None:
    keys = TWO_NONE_THREE.keys(np.array([7, 1, 4, 0, 9]), span=10)
    assert keys.tolist() == [7, 1, 24, 20, 29]


VALUES = st.lists(st.integers(0, 9), max_size=12)


@given(VALUES, VALUES)
def test_members_are_found_as_a_set_finds_them(items: list[int], members: list[int]) -> None:
    found = is_among(np.array(items, np.int64), np.array(sorted(members), np.int64))
    assert found.tolist() == [item in members for item in items]


@given(VALUES)
def test_values_are_there_once_and_sorted(values: list[int]) -> None:
    assert sort_distinct(np.array(values, np.int64)).tolist() == sorted(set(values))
