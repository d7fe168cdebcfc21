"""Rows in groups of different sizes, one group after another, and sets as sorted arrays."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Items = NDArray[np.int64]
SPAN: Final = 1 << 32  # more than there are items or days


@dataclass(frozen=True, eq=False)
class RowGroups:
    """Tell which rows of some arrays are whose: m customers have theirs one after another."""

    bounds: NDArray[np.int64]  # (m + 1,) where the rows of each begin

    @classmethod
    def of(cls, sizes: Iterable[int]) -> Self:
        return cls(np.array([0, *accumulate(sizes)]))

    @cached_property
    def owner(self) -> NDArray[np.int64]:
        """Return the customer of each row: (rows,)."""
        if len(self) == 1:
            return np.zeros(self.bounds[1], np.int64)
        return np.arange(len(self)).repeat(self.bounds[1:] - self.bounds[:-1])

    @cached_property
    def slices(self) -> list[slice]:
        """Return the rows of each customer: (m,)."""
        return [slice(start, stop) for start, stop in pairwise(self.bounds.tolist())]

    def keys(self, values: NDArray[np.integer[Any]], span: int = SPAN) -> NDArray[np.integer[Any]]:
        """Join customer and value into one number: values (…, rows) within a span -> (…, rows)."""
        # key = value + customer · span
        return values + self.owner * span if len(self) > 1 else values

    def sums(self, values: Floats) -> Floats:
        """Sum up the values of each customer: (k, rows) -> (k, m)."""
        sums: Floats
        if len(self) == 1:
            sums = values.sum(axis=1, keepdims=True)
            return sums
        # A 0 before each customer's rows, as a customer may have none.
        padded = np.zeros((len(values), values.shape[1] + len(self)), np.float32)
        padded[:, np.arange(1, values.shape[1] + 1) + self.owner] = values
        sums = np.add.reduceat(padded, self.bounds[:-1] + np.arange(len(self)), axis=1)
        return sums

    def select(self, selected: NDArray[np.bool_]) -> RowGroups:
        """Return the groups of the selected rows alone."""
        return RowGroups(selected.nonzero()[0].searchsorted(self.bounds))

    def __len__(self) -> int:
        return len(self.bounds) - 1


def find_stored(
    indptr: NDArray[np.int64], item: NDArray[np.integer[Any]], rows: RowGroups
) -> tuple[Items, Items, RowGroups]:
    """Find what is stored by item: of item i the entries `indptr[i]:indptr[i + 1]`.

    `item` (r,) are the items of m customers, grouped by `rows`. Returns the entries of one item
    after another, how many there are of each item (r,), and the groups of entries by customer.
    """
    starts = indptr[item]
    counts = indptr[item + 1] - starts
    ends = np.zeros(len(counts) + 1, np.int64)
    counts.cumsum(out=ends[1:])
    entries = np.arange(ends[-1]) + (starts - ends[:-1]).repeat(counts)
    return entries, counts, RowGroups(ends[rows.bounds])


def is_among(
    items: NDArray[np.integer[Any]], members: NDArray[np.integer[Any]]
) -> NDArray[np.bool_]:
    """Tell which items (c,) are among the members, which are sorted: (c,)."""
    if len(members) == 0:
        return np.zeros(len(items), np.bool_)
    nearest = members.take(members.searchsorted(items), mode="clip")
    is_member: NDArray[np.bool_] = nearest == items
    return is_member


def sort_distinct(values: NDArray[Any]) -> NDArray[Any]:
    """Return each value once, sorted; for a few hundred in a quarter of the time of np.unique."""
    values = np.sort(values)
    return values[mark_firsts(values)]


def mark_firsts(values: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Tell of sorted values which are the first of equal ones."""
    first = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=first[1:])
    return first
