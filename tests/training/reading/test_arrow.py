from __future__ import annotations

import numpy as np
import pyarrow as pa

from models.data.ids import Ids, Strings
from training.reading.arrow import to_codes, to_numbers, to_strings


def test_a_text_column_in_pieces_becomes_strings() -> None:
    column = pa.chunked_array([["", "x", None], ["é😀"], []], pa.string())
    assert list(to_strings(column, Strings)) == ["", "x", "", "é😀"]
    assert list(to_strings(column.slice(1), Strings)) == ["x", "", "é😀"]


def test_no_text_at_all_becomes_no_strings() -> None:
    assert len(to_strings(pa.chunked_array([], pa.string()), Ids)) == 0


def test_ids_made_of_a_column_can_be_found() -> None:
    assert to_strings(pa.chunked_array([["a", "b"]]), Ids).find("b") == 1


def test_codes_count_in_the_order_of_the_bytes() -> None:
    code, names = to_codes(pa.chunked_array([["é", "z", None, "", "Z", "z"]]))
    assert list(names) == ["Z", "z", "é"]
    assert (code.tolist(), code.dtype) == ([2, 1, -1, -1, 0, 1], np.int32)


def test_unknown_numbers_take_the_value_asked_for() -> None:
    np.testing.assert_array_equal(
        to_numbers(pa.array([1.5, None]), np.float32, np.nan), np.float32([1.5, np.nan])
    )
    assert to_numbers(pa.array([True, None]), np.bool_, True).tolist() == [True, True]
