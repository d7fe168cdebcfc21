"""Groups of rows of different sizes, one group after another, and sets of products as sorted arrays."""

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
SPAN: Final = 1 << 32  # of items and of days


@dataclass(frozen=True, eq=False)
class RowGroups:
    """Which rows of some arrays are whose: those of each of m customers stand one customer's after another's."""

    bounds: NDArray[np.int64]  # (m + 1,) where those of each begin

    @classmethod
    def of(cls, sizes: Iterable[int]) -> Self:
        return cls(np.array([0, *accumulate(sizes)]))

    @cached_property
    def owner(self) -> NDArray[np.int64]:
        """The customer of each row: (rows,)."""
        if len(self) == 1:
            return np.zeros(self.bounds[1], np.int64)
        return np.arange(len(self)).repeat(self.bounds[1:] - self.bounds[:-1])

    @cached_property
    def slices(self) -> list[slice]:
        """Those of each customer: (m,)."""
        return [slice(start, stop) for start, stop in pairwise(self.bounds.tolist())]

    def keys(self, values: NDArray[np.integer[Any]], span: int = SPAN) -> NDArray[np.integer[Any]]:
        """Values (…, rows) within a span, `span` higher for each customer: by customer and value, one number."""
        return values + self.owner * span if len(self) > 1 else values

    def sums(self, values: Floats) -> Floats:
        """Added up for each customer: (k, rows) -> (k, m)."""
        sums: Floats
        if len(self) == 1:
            sums = values.sum(axis=1, keepdims=True)
            return sums
        # With a 0 before each customer's, as one may have none.
        padded = np.zeros((len(values), values.shape[1] + len(self)), np.float32)
        padded[:, np.arange(1, values.shape[1] + 1) + self.owner] = values
        sums = np.add.reduceat(padded, self.bounds[:-1] + np.arange(len(self)), axis=1)
        return sums

    def select(self, kept: NDArray[np.bool_]) -> RowGroups:
        """Those of some rows."""
        return RowGroups(kept.nonzero()[0].searchsorted(self.bounds))

    def __len__(self) -> int:
        return len(self.bounds) - 1


def find_stored(
    indptr: NDArray[np.int64], item: NDArray[np.integer[Any]], rows: RowGroups
) -> tuple[Items, Items, RowGroups]:
    """Where what is stored of several items stands, one item's after another's, how much of each, and whose it is.

    Of item i it is `indptr[i]:indptr[i + 1]`.
    """
    starts = indptr[item]
    counts = indptr[item + 1] - starts
    ends = np.zeros(len(counts) + 1, np.int64)
    counts.cumsum(out=ends[1:])
    places = np.arange(ends[-1]) + (starts - ends[:-1]).repeat(counts)
    return places, counts, RowGroups(ends[rows.bounds])


def is_among(
    items: NDArray[np.integer[Any]], members: NDArray[np.integer[Any]]
) -> NDArray[np.bool_]:
    """Which of some products (c,) are among others, which are sorted: (c,)."""
    if len(members) == 0:
        return np.zeros(len(items), np.bool_)
    found: NDArray[np.bool_] = members.take(members.searchsorted(items), mode="clip") == items
    return found


def sort_distinct(values: NDArray[Any]) -> NDArray[Any]:
    """Each value once, sorted. Of a few hundred in a quarter of the time that np.unique takes."""
    values = np.sort(values)
    return values[mark_firsts(values)]


def mark_firsts(values: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Of sorted values, whether each is the first of its kind."""
    first = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=first[1:])
    return first
