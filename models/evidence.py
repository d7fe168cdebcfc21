"""What a source says about products, asked for where it is needed and not for the whole catalogue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any, Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Items = NDArray[np.int64]
FEW: Final = 300  # scores that are sorted, all of them
STRIDE: Final = 32  # one score in so many is looked at first
MANY: Final = 1_500  # parts from which adding them up product by product is faster than sorting them
SPAN: Final = 1 << 32  # of items and of days


@dataclass(frozen=True, eq=False)
class Rows:
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

    def apart(self, values: NDArray[np.integer[Any]], span: int = SPAN) -> NDArray[np.integer[Any]]:
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

    def only(self, kept: NDArray[np.bool_]) -> Rows:
        """Those of some rows."""
        return Rows(kept.nonzero()[0].searchsorted(self.bounds))

    def __len__(self) -> int:
        return len(self.bounds) - 1


def stored(indptr: NDArray[np.int64], item: NDArray[np.integer[Any]], rows: Rows) -> tuple[Items, Items, Rows]:
    """Where what is stored of several items stands, one item's after another's, how much of each, and whose it is.

    Of item i it is `indptr[i]:indptr[i + 1]`.
    """
    starts = indptr[item]
    counts = indptr[item + 1] - starts
    ends = np.zeros(len(counts) + 1, np.int64)
    counts.cumsum(out=ends[1:])
    places = np.arange(ends[-1]) + (starts - ends[:-1]).repeat(counts)
    return places, counts, Rows(ends[rows.bounds])


class Scores(Protocol):
    """A score for every product, 0 where the source says nothing."""

    @property
    def highest(self) -> float: ...

    def of(self, items: Items) -> Floats:
        """The scores of some products (c,): (c,)."""

    def best(self, allowed: NDArray[np.bool_], n: int) -> Items:
        """The n products with the highest positive scores of those allowed (items,), best first, ties by item."""


@dataclass(frozen=True, eq=False)
class FewScores:
    """Scores of a source that speaks of few products: s of them, by item."""

    item: NDArray[np.int32]  # (s,)
    score: Floats  # (s,) above 0

    @classmethod
    def none(cls) -> Self:
        return cls(np.zeros(0, np.int32), np.zeros(0, np.float32))

    @classmethod
    def summed(cls, item: NDArray[np.int32], parts: Floats) -> Self:
        """From what adds to the score of products, in any order: (parts,) each."""
        if len(item) > MANY:
            scores = np.bincount(item, parts).astype(np.float32)
            items = np.flatnonzero(scores > 0).astype(np.int32)
            return cls(items, scores[items])
        return cls(*_added_up(item, parts))

    @classmethod
    def summed_each(cls, item: NDArray[np.int32], parts: Floats, rows: Rows) -> list[Self]:
        """The same for m customers, whose parts are `rows`."""
        if len(rows) <= 1 or len(item) > MANY * len(rows):
            return [cls.summed(item[span], parts[span]) for span in rows.slices]
        keys, scores = _added_up(rows.apart(item), parts)
        items = (keys % SPAN).astype(np.int32)
        spans = Rows(keys.searchsorted(np.arange(len(rows) + 1) * SPAN)).slices
        return [cls(items[span], scores[span]) for span in spans]

    @property
    def highest(self) -> float:
        return float(self.score.max(initial=0))

    def of(self, items: Items) -> Floats:
        if len(self.item) == 0:
            return np.zeros(len(items), np.float32)
        place = self.item.searchsorted(items)
        here = self.item.take(place, mode="clip") == items
        return np.where(here, self.score.take(place, mode="clip"), np.float32(0))

    def best(self, allowed: NDArray[np.bool_], n: int) -> Items:
        if len(self.item) == 0:
            return np.zeros(0, np.int64)
        here = allowed[self.item]
        return self.item[here][best(self.score[here], n)].astype(np.int64)


def among(items: NDArray[np.integer[Any]], members: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Which of some products (c,) are among others, which are sorted: (c,)."""
    if len(members) == 0:
        return np.zeros(len(items), np.bool_)
    found: NDArray[np.bool_] = members.take(members.searchsorted(items), mode="clip") == items
    return found


def distinct(values: NDArray[Any]) -> NDArray[Any]:
    """Each value once, sorted. Of a few hundred in a quarter of the time that np.unique takes."""
    values = np.sort(values)
    return values[_firsts(values)]


def _added_up(keys: NDArray[np.integer[Any]], parts: Floats) -> tuple[NDArray[Any], Floats]:
    """Each key once, sorted, and the sum of its parts."""
    order = keys.argsort(kind="stable")
    keys = keys[order]
    first = _firsts(keys)
    return keys[first], np.bincount(first.cumsum() - 1, parts[order]).astype(np.float32)


def _firsts(values: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Of sorted values, whether each is the first of its kind."""
    first = np.ones(len(values), np.bool_)
    np.not_equal(values[1:], values[:-1], out=first[1:])
    return first


def best(scores: Floats, n: int) -> Items:
    """The n highest positive scores, best first, ties in the order of the items."""
    if len(scores) < FEW:
        order = (-scores).argsort(kind="stable")[:n]
        return order[scores[order] > 0]
    found = _likely(scores, n)
    if len(found) > n:
        values = scores[found]
        found = found[values >= np.partition(values, -n)[-n]]
    return found[np.argsort(-scores[found], kind="stable")][:n]


def _likely(scores: Floats, n: int) -> Items:
    """All of the n highest positive scores and, where there are many, few others: those above a sample's rank."""
    positive = scores > 0
    sample, rank = scores[::STRIDE], 2 * n // STRIDE + 16
    if rank < len(sample) and np.count_nonzero(positive) > len(scores) // 8:
        likely = np.flatnonzero(scores >= np.partition(sample, -rank)[-rank])
        if n <= len(likely) < len(scores) // 2:
            return likely
    return np.flatnonzero(positive)
