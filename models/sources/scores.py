"""What a source says about products, asked for where it is needed and not for the whole catalogue."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from models.data.ragged import SPAN, RowGroups, mark_firsts

Floats = NDArray[np.float32]
Items = NDArray[np.int64]
FEW: Final = 300  # scores that are sorted, all of them
STRIDE: Final = 32  # one score in so many is looked at first
MANY: Final = (
    1_500  # parts from which adding them up product by product is faster than sorting them
)


class Scores(Protocol):
    """A score for every product, 0 where the source says nothing."""

    @property
    def highest(self) -> float: ...

    def of(self, items: Items) -> Floats:
        """The scores of some products (c,): (c,)."""

    def best(self, allowed: NDArray[np.bool_], n: int) -> Items:
        """The n products with the highest positive scores of those allowed (items,), best first, ties by item."""


@dataclass(frozen=True, eq=False)
class SparseScores:
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
    def summed_each(cls, item: NDArray[np.int32], parts: Floats, rows: RowGroups) -> list[Self]:
        """The same for m customers, whose parts are `rows`."""
        if len(rows) <= 1 or len(item) > MANY * len(rows):
            return [cls.summed(item[span], parts[span]) for span in rows.slices]
        keys, scores = _added_up(rows.keys(item), parts)
        items = (keys % SPAN).astype(np.int32)
        spans = RowGroups(keys.searchsorted(np.arange(len(rows) + 1) * SPAN)).slices
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
        return self.item[here][rank_best(self.score[here], n)].astype(np.int64)


def _added_up(keys: NDArray[np.integer[Any]], parts: Floats) -> tuple[NDArray[Any], Floats]:
    """Each key once, sorted, and the sum of its parts."""
    order = keys.argsort(kind="stable")
    keys = keys[order]
    first = mark_firsts(keys)
    return keys[first], np.bincount(first.cumsum() - 1, parts[order]).astype(np.float32)


def rank_best(scores: Floats, n: int) -> Items:
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
