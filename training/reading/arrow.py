"""Arrow columns as arrays and back, without a Python object for each value."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.data.ids import Ids, Strings

S = TypeVar("S", bound=Strings)


def to_strings(column: Any, kind: type[S]) -> S:
    """Return a text column as Strings or Ids; NULL becomes empty.

    That ids are sorted and unique is the caller's promise.
    """
    if len(column) == 0:
        return kind(np.zeros(0, np.uint8), np.zeros(1, np.int64))
    array = pc.fill_null(column, "").cast(pa.large_string())
    if isinstance(array, pa.ChunkedArray):
        array = pa.concat_arrays(array.chunks)
    _, ends, text = array.buffers()
    offsets = np.frombuffer(ends, np.int64)[array.offset : array.offset + len(array) + 1]
    blob = np.zeros(0, np.uint8) if text is None else np.frombuffer(text, np.uint8)
    blob = blob[offsets[0] : offsets[-1]]
    return kind(blob.copy(), offsets - offsets[0])


def to_arrow(values: Strings) -> Any:
    """Return an Arrow array over the same bytes, the inverse of `to_strings`."""
    return pa.LargeStringArray.from_buffers(
        len(values), pa.py_buffer(values.offsets), pa.py_buffer(values.blob)
    )


def to_codes(column: Any) -> tuple[NDArray[np.int32], Ids]:
    """Return a text column as codes into its sorted distinct values; NULL and empty are -1."""
    column = pc.if_else(pc.equal(column, ""), pa.scalar(None, column.type), column)
    distinct = [name for name in pc.unique(column).to_pylist() if name is not None]
    names = sorted(distinct, key=str.encode)
    indices = pc.index_in(column, value_set=pa.array(names, column.type), skip_nulls=True)
    return to_numbers(indices, np.int32, -1), Ids.of(names)


def to_numbers(column: Any, dtype: type[Any], unknown: float) -> NDArray[Any]:
    """Return a number column as an array; NULL becomes `unknown`."""
    filled = pc.fill_null(column, pa.scalar(unknown, column.type)) if column.null_count else column
    # A chunked array is always copied; a plain one of bits or in parts must be allowed to be.
    if isinstance(filled, pa.ChunkedArray):
        array: NDArray[Any] = filled.to_numpy()
    else:
        array = filled.to_numpy(zero_copy_only=False)
    return array.astype(dtype)
