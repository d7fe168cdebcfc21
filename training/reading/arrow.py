"""From Arrow columns to the arrays of the house, without a Python object for each value."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.data.ids import Ids, Strings

S = TypeVar("S", bound=Strings)


def strings(column: Any, kind: type[S]) -> S:
    """A text column (NULL becomes empty) as Strings or Ids; that ids are sorted and unique is the caller's promise."""
    if len(column) == 0:
        return kind(np.zeros(0, np.uint8), np.zeros(1, np.int64))
    array = pc.fill_null(column, "").cast(pa.large_string())
    array = pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array
    _, ends, text = array.buffers()
    offsets = np.frombuffer(ends, np.int64)[array.offset : array.offset + len(array) + 1]
    blob = (
        np.frombuffer(text, np.uint8)[offsets[0] : offsets[-1]]
        if text is not None
        else np.zeros(0, np.uint8)
    )
    return kind(blob.copy(), offsets - offsets[0])


def texts(values: Strings) -> Any:
    """The inverse of `strings`, an Arrow array over the same bytes."""
    return pa.LargeStringArray.from_buffers(
        len(values), pa.py_buffer(values.offsets), pa.py_buffer(values.blob)
    )


def codes(column: Any) -> tuple[NDArray[np.int32], Ids]:
    """A text column as codes into its sorted distinct values; NULL and empty are -1."""
    column = pc.if_else(pc.equal(column, ""), pa.scalar(None, column.type), column)
    names = sorted(
        (name for name in pc.unique(column).to_pylist() if name is not None), key=str.encode
    )
    found = pc.index_in(column, value_set=pa.array(names, column.type), skip_nulls=True)
    return numbers(found, np.int32, -1), Ids.of(names)


def numbers(column: Any, dtype: type[Any], unknown: float) -> NDArray[Any]:
    """A number column as an array; NULL becomes `unknown`."""
    filled = pc.fill_null(column, pa.scalar(unknown, column.type)) if column.null_count else column
    # A chunked array is always copied; a plain one of bits or in parts must be allowed to be.
    array: NDArray[Any] = (
        filled.to_numpy() if isinstance(filled, pa.ChunkedArray) else filled.to_numpy(False)
    )
    return array.astype(dtype)
