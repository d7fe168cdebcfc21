"""Values of products by field, for filters: made when one is first asked for, then kept up to date.

A shop that changes a price every second does not have the titles and attributes of all its products
read again each time: columns follow from one catalogue to the next, row by row where a text has
changed.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from math import isfinite, nan
from typing import Any, Final, TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray

from models.data.ids import StringSequence

Mask: TypeAlias = NDArray[np.bool_]
Codes: TypeAlias = NDArray[np.int32]
Value: TypeAlias = str | float | bool | None  # None: known, and none of these

NUMBER: Final = re.compile(r"\s*[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*")
FLAGS: Final = {"true": True, "false": False}
FEW_CODES: Final = 8  # so many comparisons of all products take less time than a look-up
HIDDEN: Final = "cost"  # an attribute of earlier versions that nobody may ask for
WHOLE: Final = ""  # the name of a text that is one value


class DistinctValues:
    """v different values of a column, and where among them one stands."""

    def __init__(self, values: list[Value]) -> None:
        self.values = values
        # A cache of its own methods would keep it in memory until Python looks for cycles
        self.match_texts = lru_cache(maxsize=32)(partial(_match_texts, values))

    def __len__(self) -> int:
        return len(self.values)

    @cached_property
    def texts(self) -> dict[str, int]:
        """Map each text to its index."""
        return {value: code for code, value in enumerate(self.values) if isinstance(value, str)}

    @cached_property
    def folded(self) -> dict[str, list[int]]:
        """Map each value, as people write it, to the indices of all that are written so."""
        folded: dict[str, list[int]] = {}
        for code, value in enumerate(self.values):
            if value is not None:
                folded.setdefault(fold_value(value), []).append(code)
        return folded

    @cached_property
    def numbers(self) -> NDArray[np.float64]:
        """Return each value as a number: (v,), NaN where it is none. A text may read as one."""
        return np.array([_as_number(value) for value in self.values], np.float64)

    @cached_property
    def flags(self) -> NDArray[np.int8]:
        """Return 1 for true, 0 for false, -1 for what is neither: (v,). A text may read as one."""
        return np.array([_as_flag(value) for value in self.values], np.int8)

    @cached_property
    def is_text(self) -> Mask:
        return np.array([isinstance(value, str) for value in self.values], np.bool_)

    def of_kind(self, kind: type) -> Mask:
        """Return which values are of a type, or read as one of it: (v,)."""
        if kind is float:
            return ~np.isnan(self.numbers)
        return self.flags >= 0 if kind is bool else self.is_text


def tell_value(value: str | float | bool) -> str:
    """Return a value as people write it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def fold_value(value: str | float | bool) -> str:
    """Return a value as a text, alike whatever the case of its letters and the spaces around.

    Letters that are composed in two ways are alike, too (Unicode's form NFKC).
    """
    return " ".join(unicodedata.normalize("NFKC", tell_value(value)).split()).casefold()


def _match_texts(values: list[Value], test: Callable[[str, str], bool], wanted: str) -> Mask:
    """Return for which values that are texts a test of text and `wanted` holds: (v,)."""
    matched = (isinstance(value, str) and test(value, wanted) for value in values)
    return np.fromiter(matched, np.bool_, len(values))


@dataclass(frozen=True, eq=False)
class Column:
    """One field of n products. Those whose value is a list have an entry for each of its values."""

    codes: Codes  # (n,) in `values`, -1 where the field is not known or a list
    values: DistinctValues
    list_item: NDArray[np.int32]  # (entries,)
    list_code: Codes  # (entries,) in `values`

    @cached_property
    def numbers(self) -> NDArray[np.float64]:
        """Return each product's value as a number: (n,), NaN where it is none."""
        return np.append(self.values.numbers, nan)[self.codes]

    @property
    def known(self) -> Mask:
        """Return of which products the field is known: (n,)."""
        known: Mask = self.codes >= 0
        known[self.list_item] = True
        return known

    def bearing(self, wanted: Iterable[str]) -> Mask:
        """Return which products bear one of these values, alone or in a list: (n,)."""
        folded = self.values.folded
        matched = np.zeros(len(self.values), np.bool_)
        for value in wanted:
            matched[folded.get(fold_value(value), [])] = True
        bearing = self.spread(matched)
        if len(self.list_item):
            bearing[self.list_item[matched[self.list_code]]] = True
        return bearing

    def spread(self, mask: Mask) -> Mask:
        """Return for which products a mask of the values (v,) holds: (n,)."""
        codes = np.flatnonzero(mask)
        if len(codes) > FEW_CODES:
            # What is not known has the code -1, which is the last row
            return np.take(np.append(mask, False), self.codes, mode="wrap")
        spread = np.zeros(len(self.codes), np.bool_)
        for code in codes.tolist():
            spread |= self.codes == code
        return spread

    def of_kind(self, kind: type) -> Mask:
        """Return which products have a value of a type, or one that reads as one of it: (n,)."""
        usable = self.values.of_kind(kind)
        return self.codes >= 0 if usable.all() else self.spread(usable)


@dataclass(frozen=True, eq=False)
class SparseColumn:
    """One field of the products that have it, in no order."""

    item: NDArray[np.int32]  # (entries,)
    code: Codes  # (entries,) in `values`
    in_list: Mask  # (entries,)
    values: DistinctValues

    def without(self, rows: Mask) -> SparseColumn:
        """Return the column without the entries of these rows (n,), and their values."""
        kept = ~rows[self.item] if len(rows) else np.ones(len(self.item), np.bool_)
        used, code = np.unique(self.code[kept], return_inverse=True)
        values = DistinctValues([self.values.values[index] for index in used.tolist()])
        return SparseColumn(self.item[kept], code.astype(np.int32), self.in_list[kept], values)

    def followed_by(self, other: SparseColumn) -> SparseColumn:
        """Return the entries of both."""
        code_of = {(type(value), value): code for code, value in enumerate(self.values.values)}
        later = [
            code_of.setdefault((type(value), value), len(code_of)) for value in other.values.values
        ]
        code = np.array(later, np.int32)[other.code]
        return SparseColumn(
            np.concatenate([self.item, other.item]),
            np.concatenate([self.code, code]),
            np.concatenate([self.in_list, other.in_list]),
            DistinctValues([value for _, value in code_of]),
        )

    def spread(self, count: int) -> Column:
        """Return the column with a row for each of so many products."""
        codes = np.full(count, -1, np.int32)
        single = ~self.in_list
        codes[self.item[single]] = self.code[single]
        return Column(codes, self.values, self.item[self.in_list], self.code[self.in_list])


class ColumnEntries:
    """Collects the entries of one column."""

    def __init__(self) -> None:
        self._items: list[int] = []
        self._codes: list[int] = []
        self._listed: list[int] = []  # which entries are of lists
        self._code_of: dict[tuple[type, Value], int] = {}

    def add(self, item: int, value: Any) -> None:
        """Add the value of a product, as JSON has it: null is not known."""
        if isinstance(value, list):
            first = len(self._items)
            for element in value:
                if not isinstance(element, list):
                    self.add(item, element)
            self._listed += range(first, len(self._items))
        elif value is not None:
            plain = _plain(value)
            codes = self._code_of
            self._items.append(item)
            self._codes.append(codes.setdefault((type(plain), plain), len(codes)))

    def column(self) -> SparseColumn:
        """Return the column of all entries."""
        in_list = np.zeros(len(self._items), np.bool_)
        in_list[self._listed] = True
        values = DistinctValues([value for _, value in self._code_of])
        items, codes = np.array(self._items, np.int32), np.array(self._codes, np.int32)
        return SparseColumn(items, codes, in_list, values)


NO_ENTRIES: Final = ColumnEntries().column()
Reader: TypeAlias = Callable[[Iterable[tuple[int, str]]], dict[str, ColumnEntries]]


class ColumnTable:
    """Columns that are read from one string of each product."""

    def __init__(
        self, strings: StringSequence, read: Reader, columns: Mapping[str, SparseColumn]
    ) -> None:
        self.names = columns.keys()
        self._strings = strings
        self._read = read
        self._columns = columns
        # Of an unknown name it is a column in which nothing is known
        self.column = lru_cache(maxsize=64)(partial(_spread, columns, len(strings)))

    @classmethod
    def of(cls, strings: StringSequence, read: Reader) -> ColumnTable:
        return cls(strings, read, _read_columns(enumerate(strings), read))

    def following(self, strings: StringSequence) -> ColumnTable:
        """Return the table of later strings. Only those that have changed are read."""
        rows = strings.changed_since(self._strings)
        if rows is None:
            return ColumnTable.of(strings, self._read)
        if not rows and len(strings) == len(self._strings):
            self._strings = strings  # equal: the older one need not be kept
            return self
        changed = np.zeros(max(len(strings), len(self._strings)), np.bool_)
        changed[rows] = True
        later = _read_columns(((row, strings[row]) for row in rows), self._read)
        columns = {}
        for name in self._columns.keys() | later.keys():
            column = self._columns.get(name, NO_ENTRIES)
            if changed[column.item].any():
                column = column.without(changed)
            if name in later:
                column = column.followed_by(later[name])
            if len(column.item):
                columns[name] = column
        return ColumnTable(strings, self._read, columns)


def _spread(columns: Mapping[str, SparseColumn], count: int, name: str) -> Column:
    return columns.get(name, NO_ENTRIES).spread(count)


def _read_columns(rows: Iterable[tuple[int, str]], read: Reader) -> dict[str, SparseColumn]:
    return {name: entries.column() for name, entries in read(rows).items()}


def read_texts(rows: Iterable[tuple[int, str]]) -> dict[str, ColumnEntries]:
    """Read texts that are one value each; an empty one is not known."""
    entries = ColumnEntries()
    for item, text in rows:
        entries.add(item, text or None)
    return {WHOLE: entries}


def read_attributes(rows: Iterable[tuple[int, str]]) -> dict[str, ColumnEntries]:
    """Read JSON objects: an entry for each of their fields, in the column of its name."""
    entries: dict[str, ColumnEntries] = {}
    for item, text in rows:
        for name, value in (orjson.loads(text) if text else {}).items():
            if name not in entries:
                entries[name] = ColumnEntries()
            entries[name].add(item, value)
    entries.pop(HIDDEN, None)
    return entries


def _plain(value: object) -> Value:
    if isinstance(value, str | bool):
        return value
    return float(value) if isinstance(value, int | float) else None


def _as_number(value: Value) -> float:
    if isinstance(value, str):
        number = float(value) if NUMBER.fullmatch(value) else nan
        return number if isfinite(number) else nan
    return nan if value is None or isinstance(value, bool) else value


def _as_flag(value: Value) -> int:
    flag = FLAGS.get(value.lower()) if isinstance(value, str) else value
    return int(flag) if isinstance(flag, bool) else -1


NO_LISTS: Final = np.zeros(0, np.int32)


class ProductColumns:
    """The columns of one catalogue. `strings`: a text of each product, by name of the field."""

    def __init__(
        self,
        strings: Mapping[str, tuple[StringSequence, Reader]],
        coded: Mapping[str, tuple[Codes, StringSequence]],
    ) -> None:
        self._strings = strings
        self._coded = coded
        self._tables: dict[str, ColumnTable] = {}  # of this catalogue, or of an earlier one
        self._names: dict[str, tuple[StringSequence, DistinctValues]] = {}

    def begin_with(self, earlier: ProductColumns) -> None:
        """Take over what the earlier columns have read."""
        self._tables = dict(earlier._tables)
        self._names = dict(earlier._names)

    def field(self, name: str) -> Column:
        """Return a field whose values are texts."""
        if name not in self._coded:
            return self._table(name).column(WHOLE)
        codes, names = self._coded[name]
        known = self._names.get(name)
        if known is None or known[0] is not names:
            known = self._names[name] = names, DistinctValues(list(names))
        return Column(codes, known[1], NO_LISTS, NO_LISTS)

    def attribute(self, name: str) -> Column:
        """Return an attribute; of an unknown name one in which nothing is known."""
        return self._table("attributes").column(name)

    @property
    def attribute_names(self) -> Iterable[str]:
        return self._table("attributes").names

    def _table(self, field: str) -> ColumnTable:
        strings, read = self._strings[field]
        earlier = self._tables.get(field)
        table = ColumnTable.of(strings, read) if earlier is None else earlier.following(strings)
        self._tables[field] = table
        return table
