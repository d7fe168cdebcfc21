"""Who a file is for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from models.data.ids import Ids, Strings
from training.errors import InputError
from training.export.store_snapshot import StoreSnapshot
from training.reading.arrow import numbers, strings, texts
from training.reading.columns import require
from training.reading.duckdb import open_workspace
from training.reading.file_tables import open_sources, read_whole
from training.reading.timestamps import moment_of

NO_MOMENT: Final = np.iinfo(np.int64).min
COLUMNS: Final = ("customer_id", "as_of", "order_id")


@dataclass(frozen=True)
class ExportRecipient:
    customer_id: str
    as_of: int | None = None  # when the mail goes out, seconds since 1970; None: the newest event
    order_id: str | None = None  # the order that the mail is about


@dataclass(frozen=True, eq=False)
class Recipients(Sequence[ExportRecipient]):
    """r recipients as arrays; a slice of them is another one."""

    ids: Strings  # (r,)
    as_of: NDArray[np.int64]  # (r,) NO_MOMENT for the newest event
    orders: Strings  # (r,) empty where the mail is about none

    @classmethod
    def of(cls, ids: Strings) -> Self:
        """All at the newest event."""
        nothing = Strings(np.zeros(0, np.uint8), np.zeros(len(ids) + 1, np.int64))
        return cls(ids, np.full(len(ids), NO_MOMENT), nothing)

    def at(self, places: NDArray[np.int64]) -> Recipients:
        return Recipients(_at(self.ids, places), self.as_of[places], _at(self.orders, places))

    def __len__(self) -> int:
        return len(self.as_of)

    @overload
    def __getitem__(self, place: int) -> ExportRecipient: ...
    @overload
    def __getitem__(self, place: slice) -> Recipients: ...
    def __getitem__(self, place: int | slice) -> ExportRecipient | Recipients:
        if isinstance(place, slice):
            return self.at(np.arange(*place.indices(len(self))))
        moment = int(self.as_of[place])
        return ExportRecipient(
            self.ids[place], None if moment == NO_MOMENT else moment, self.orders[place] or None
        )

    def __iter__(self) -> Iterator[ExportRecipient]:
        return (self[place] for place in range(len(self)))


def everyone(customer_ids: Ids, live: StoreSnapshot | None = None) -> Recipients:
    """The customers that a model has learned of and those that a store knows, by their ids, without the erased."""
    if live is None:
        return Recipients.of(customer_ids)
    both = pc.unique(pa.chunked_array([texts(customer_ids), texts(live.customers.ids)]))
    recipients = Recipients.of(strings(both.take(pc.sort_indices(both)), Ids))
    if len(live.erased) == 0:
        return recipients
    return recipients.at(np.flatnonzero([not live.forgotten(name) for name in recipients.ids]))


def read_recipients(path: Path) -> Recipients:
    """`customer_id`, optionally `as_of` and `order_id`: in the order of the file, each customer once, where they stand
    first with what their last row says. InputError for a file that cannot be read whole.
    """
    with open_workspace() as workspace:
        workspace.in_file_order(True)
        parts = []
        for source in open_sources(workspace, [path], {}, whole=True):
            require(
                source.label, ["customer_id"], dict.fromkeys(source.columns, ""), source.columns
            )
            cells = {name: _cells(source, name) for name in COLUMNS}
            parts.append(read_whole(workspace, source, source.table.select(**cells)))
    rows = pa.concat_tables(parts)
    named = rows.filter(pc.is_valid(rows["customer_id"]))
    if not len(named):
        raise InputError(f"{path}: names no customer_id in {len(rows)} rows")
    first, last = _each_once(named["customer_id"])
    return Recipients(
        strings(named["customer_id"].take(first), Strings),
        _moments(path, named["as_of"])[last],
        strings(named["order_id"].take(last), Strings),
    )


def _cells(source: Any, name: str) -> Any:
    return source.table[name] if name in source.columns else source.text(name)


def _each_once(ids: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The rows in which each stands first, rising, and those in which the same stand last."""
    encoded = ids.combine_chunks().dictionary_encode()
    code = encoded.indices.to_numpy()
    last = np.zeros(len(encoded.dictionary), np.int64)
    last[code] = np.arange(len(code))
    first = np.zeros_like(last)
    first[code[::-1]] = np.arange(len(code))[::-1]
    return first, last


def _moments(path: Path, column: Any) -> NDArray[np.int64]:
    """Each distinct text is read once."""
    encoded = column.combine_chunks().dictionary_encode()
    told = [_moment(path, text) for text in encoded.dictionary.to_pylist()]
    moments: NDArray[np.int64] = np.array([*told, NO_MOMENT], np.int64)[
        numbers(encoded.indices, np.int64, -1)
    ]
    return moments


def _moment(path: Path, text: str) -> int:
    try:
        moment = moment_of(text)
    except ValueError:
        raise InputError(f"{path}: as_of {text!r} is no date") from None
    return NO_MOMENT if moment is None else moment


def _at(values: Strings, places: NDArray[np.int64]) -> Strings:
    return strings(texts(values).take(pa.array(places)), Strings)
