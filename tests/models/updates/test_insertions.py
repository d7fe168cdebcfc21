"""Rows that come between others, and where the others stand then."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.updates.insertions import Insertions


def test_rows_are_inserted_before_others_and_at_the_end() -> None:
    insertions = Insertions(np.array([0, 2, 2, 3]))
    assert insertions.extend(np.array([7, 8, 9]), 0).tolist() == [0, 7, 8, 0, 0, 9, 0]
    assert insertions.rows.tolist() == [0, 3, 4, 6]
    assert insertions.moved(np.array([0, 1, 2])).tolist() == [1, 2, 5]


def test_a_table_gets_whole_rows() -> None:
    table = np.array([[True, True], [True, False]])
    extended = Insertions(np.array([1])).extend(table, False)
    assert extended.tolist() == [[True, True], [False, False], [True, False]]


def test_rows_at_the_end_move_no_other() -> None:
    insertions = Insertions.at_end(3, 2)
    assert insertions.rows.tolist() == [3, 4]
    assert insertions.moved(np.arange(3)).tolist() == [0, 1, 2]


@given(st.integers(0, 6).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.integers(0, n)))))
def test_every_row_is_either_new_or_one_that_moved(case: tuple[int, list[int]]) -> None:
    length, before = case
    insertions = Insertions(np.array(sorted(before), np.int64))
    moved = insertions.moved(np.arange(length))
    assert sorted([*insertions.rows, *moved]) == list(range(length + len(insertions)))
    assert insertions.extend(np.arange(length), -1)[moved].tolist() == list(range(length))
