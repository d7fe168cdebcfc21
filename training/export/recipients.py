"""Read or choose the customers for whom a file is made."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.data.ids import Ids, Strings
from training.errors import InputError
from training.export.store_snapshot import StoreSnapshot
from training.reading.arrow import to_arrow, to_numbers, to_strings
from training.reading.columns import require_columns
from training.reading.duckdb import open_workspace
from training.reading.file_tables import FileTable, open_file_tables, read_whole
from training.reading.timestamps import parse_optional_timestamp

NO_TIME: Final = np.iinfo(np.int64).min
COLUMNS: Final = ("customer_id", "as_of", "order_id")


@dataclass(frozen=True)
class ExportRecipient:
    """A customer with the moment and the order that their mail is about."""

    customer_id: str
    as_of: int | None = None  # when the mail goes out, seconds since 1970; None: shop time
    order_id: str | None = None


@dataclass(frozen=True, eq=False)
class Recipients(Sequence[ExportRecipient]):
    """A sequence of r recipients that is kept as arrays; a slice of it is another one."""

    ids: Strings  # (r,)
    as_of: NDArray[np.int64]  # (r,) NO_TIME for shop time
    orders: Strings  # (r,) empty where the mail is about none

    @classmethod
    def of(cls, ids: Strings) -> Self:
        """Return these customers, all at shop time."""
        no_orders = Strings(np.zeros(0, np.uint8), np.zeros(len(ids) + 1, np.int64))
        return cls(ids, np.full(len(ids), NO_TIME), no_orders)

    def at(self, rows: NDArray[np.int64]) -> Recipients:
        """Return those of these rows, in their order."""
        return Recipients(_take(self.ids, rows), self.as_of[rows], _take(self.orders, rows))

    def __len__(self) -> int:
        return len(self.as_of)

    @overload
    def __getitem__(self, row: int) -> ExportRecipient: ...
    @overload
    def __getitem__(self, row: slice) -> Recipients: ...
    def __getitem__(self, row: int | slice) -> ExportRecipient | Recipients:
        if isinstance(row, slice):
            return self.at(np.arange(*row.indices(len(self))))
        time = int(self.as_of[row])
        as_of = None if time == NO_TIME else time
        return ExportRecipient(self.ids[row], as_of, self.orders[row] or None)

    def __iter__(self) -> Iterator[ExportRecipient]:
        return (self[row] for row in range(len(self)))


def everyone(customer_ids: Ids, snapshot: StoreSnapshot | None = None) -> Recipients:
    """Return the customers of a model and of a store, by their ids, without the erased."""
    if snapshot is None:
        return Recipients.of(customer_ids)
    both = pc.unique(pa.chunked_array([to_arrow(customer_ids), to_arrow(snapshot.customers.ids)]))
    recipients = Recipients.of(to_strings(both.take(pc.sort_indices(both)), Ids))
    if len(snapshot.erased) == 0:
        return recipients
    kept = [not snapshot.forgotten(customer_id) for customer_id in recipients.ids]
    return recipients.at(np.flatnonzero(kept))


def read_recipients(path: Path) -> Recipients:
    """Read `customer_id`, optionally `as_of` and `order_id`, in the order of the file.

    A customer with several rows stands where their first row does, with the cells of their last.
    Raises InputError for a file that cannot be read whole.
    """
    with open_workspace() as workspace:
        workspace.in_file_order(True)
        parts = []
        for source in open_file_tables(workspace, [path], {}, whole=True):
            names = dict.fromkeys(source.columns, "")
            require_columns(source.label, ["customer_id"], names, source.columns)
            cells = {name: _cells(source, name) for name in COLUMNS}
            parts.append(read_whole(workspace, source, source.table.select(**cells)))
    rows = pa.concat_tables(parts)
    with_id = rows.filter(pc.is_valid(rows["customer_id"]))
    if not len(with_id):
        raise InputError(f"{path}: names no customer_id in {len(rows)} rows")
    row = _distinct_rows(with_id["customer_id"])
    return Recipients(
        to_strings(with_id["customer_id"].take(row.first), Strings),
        _timestamps(path, with_id["as_of"])[row.last],
        to_strings(with_id["order_id"].take(row.last), Strings),
    )


def _cells(source: FileTable, name: str) -> Any:
    """Return the file's own column, since no --column maps it here; NULL without one."""
    return source.table[name] if name in source.columns else source.text(name)


class _DistinctRows(NamedTuple):
    """Hold the rows in which each text of a column stands first, rising, and stands last."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]


def _distinct_rows(column: Any) -> _DistinctRows:
    encoded = column.combine_chunks().dictionary_encode()
    code = encoded.indices.to_numpy()
    rows = np.arange(len(code))
    last = np.zeros(len(encoded.dictionary), np.int64)
    last[code] = rows
    first = np.zeros_like(last)
    first[code[::-1]] = rows[::-1]
    return _DistinctRows(first, last)


def _timestamps(path: Path, column: Any) -> NDArray[np.int64]:
    """Return seconds since 1970, or NO_TIME. Each distinct text is parsed once."""
    encoded = column.combine_chunks().dictionary_encode()
    parsed = [_timestamp(path, text) for text in encoded.dictionary.to_pylist()]
    codes = to_numbers(encoded.indices, np.int64, -1)
    times: NDArray[np.int64] = np.array([*parsed, NO_TIME], np.int64)[codes]
    return times


def _timestamp(path: Path, text: str) -> int:
    try:
        time = parse_optional_timestamp(text)
    except ValueError:
        raise InputError(f"{path}: as_of {text!r} is no date") from None
    return NO_TIME if time is None else time


def _take(values: Strings, rows: NDArray[np.int64]) -> Strings:
    return to_strings(to_arrow(values).take(pa.array(rows)), Strings)
