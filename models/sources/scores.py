"""Scores of products from one source, computed where needed and not for the whole catalogue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from models.data.ragged import SPAN, RowGroups, mark_firsts

Floats = NDArray[np.float32]
Items = NDArray[np.int64]
SORTED_WHOLE: Final = 300  # fewer scores are all sorted; more are first narrowed down
SAMPLE_STRIDE: Final = 32  # one score in so many is in the sample
MAX_SORTED_PARTS: Final = 1_500  # more parts are summed up faster by product than by sorting


class Scores(Protocol):
    """A score for every product, 0 where the source has no evidence."""

    @property
    def highest(self) -> float: ...

    def of(self, items: Items) -> Floats:
        """Return the scores of some products: (c,) -> (c,)."""

    def best(self, allowed: NDArray[np.bool_], n: int) -> Items:
        """Return the n products with the highest positive scores of those allowed (items,).

        The best comes first; ties are in the order of the items.
        """


@dataclass(frozen=True, eq=False)
class SparseScores:
    """Hold the scores of s products, sorted by item; all others have none."""

    item: NDArray[np.int32]  # (s,)
    score: Floats  # (s,) above 0

    @classmethod
    def none(cls) -> Self:
        return cls(np.zeros(0, np.int32), np.zeros(0, np.float32))

    @classmethod
    def summed(cls, item: NDArray[np.int32], parts: Floats) -> Self:
        """Sum up what adds to the scores of products, in any order: (parts,) each."""
        if len(item) > MAX_SORTED_PARTS:
            scores = np.bincount(item, parts).astype(np.float32)
            items = np.flatnonzero(scores > 0).astype(np.int32)
            return cls(items, scores[items])
        return cls(*_sum_by_key(item, parts))

    @classmethod
    def summed_each(cls, item: NDArray[np.int32], parts: Floats, rows: RowGroups) -> list[Self]:
        """Sum up for m customers, whose parts are grouped by `rows`."""
        if len(rows) <= 1 or len(item) > MAX_SORTED_PARTS * len(rows):
            return [cls.summed(item[span], parts[span]) for span in rows.slices]
        keys, scores = _sum_by_key(rows.keys(item), parts)
        items = (keys % SPAN).astype(np.int32)
        spans = RowGroups(keys.searchsorted(np.arange(len(rows) + 1) * SPAN)).slices
        return [cls(items[span], scores[span]) for span in spans]

    @property
    def highest(self) -> float:
        return float(self.score.max(initial=0))

    def of(self, items: Items) -> Floats:
        if len(self.item) == 0:
            return np.zeros(len(items), np.float32)
        row = self.item.searchsorted(items)
        has_score = self.item.take(row, mode="clip") == items
        return np.where(has_score, self.score.take(row, mode="clip"), np.float32(0))

    def best(self, allowed: NDArray[np.bool_], n: int) -> Items:
        if len(self.item) == 0:
            return np.zeros(0, np.int64)
        selected = allowed[self.item]
        return self.item[selected][rank_best(self.score[selected], n)].astype(np.int64)


def _sum_by_key(keys: NDArray[np.integer[Any]], parts: Floats) -> tuple[NDArray[Any], Floats]:
    """Return each key once, sorted, and the sum of its parts."""
    order = keys.argsort(kind="stable")
    keys = keys[order]
    first = mark_firsts(keys)
    return keys[first], np.bincount(first.cumsum() - 1, parts[order]).astype(np.float32)


def by_size(parts: Floats) -> Iterator[int]:
    """Yield the rows of positive parts (p,), the largest first, ties in the order of the rows."""
    parts = parts.copy()
    while len(parts):
        row = int(parts.argmax())
        if parts[row] <= 0:
            return
        yield row
        parts[row] = 0


def rank_best(scores: Floats, n: int) -> Items:
    """Find the n highest positive scores, best first, ties in the order of the rows."""
    if len(scores) < SORTED_WHOLE:
        order = (-scores).argsort(kind="stable")[:n]
        return order[scores[order] > 0]
    rows = _narrow_down(scores, n)
    if len(rows) > n:
        values = scores[rows]
        rows = rows[values >= np.partition(values, -n)[-n]]
    return rows[np.argsort(-scores[rows], kind="stable")][:n]


def _narrow_down(scores: Floats, n: int) -> Items:
    """Find rows that hold the n highest positive scores and, where there are many, few others."""
    positive = scores > 0
    sample, rank = scores[::SAMPLE_STRIDE], 2 * n // SAMPLE_STRIDE + 16
    if rank < len(sample) and np.count_nonzero(positive) > len(scores) // 8:
        floor = np.partition(sample, -rank)[-rank]
        rows = np.flatnonzero(scores >= floor)
        if n <= len(rows) < len(scores) // 2:
            return rows
    return np.flatnonzero(positive)
