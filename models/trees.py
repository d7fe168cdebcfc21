"""Gradient-boosted trees evaluated from arrays, by QuickScorer (Lucchese et al. 2015) as a table.

The leaves of a tree are numbered from left to right, and a row carries one bit a leaf, for the leaves that it may
still reach. A split that the row fails, x > threshold, rules out the leaves to its left, in whatever order the splits
are looked at. So the splits of one feature over all trees are known by how many of their thresholds lie below x: one
search in a sorted list, one row of a table. Once every feature has spoken, the lowest bit left is the leaf.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Masks = NDArray[np.unsignedinteger[Any]]

MOST_LEAVES: Final = 64  # the bits of the widest integer
BLOCK: Final = 1 << 15  # masks worked on at once, so that they stay in the processor's cache


class TreeSplit(NamedTuple):
    """An inner node: a row goes left, to the leaves [first, last) of the tree, where x <= threshold."""

    tree: int
    feature: int
    threshold: float
    first: int
    last: int


@dataclass(frozen=True, eq=False)
class Trees:
    feature: NDArray[np.int32]  # the features that are split on (u,), ascending
    indptr: NDArray[np.int64]  # where the thresholds of each begin: (u + 1,)
    thresholds: Float  # sorted for each feature, +inf at the end: (t,)
    masks: Masks  # leaves left where x lies above all earlier thresholds of its feature: (t, trees)
    leaves: Float  # what a leaf adds to the score: (trees, leaves)

    @classmethod
    def of(cls, splits: Sequence[TreeSplit], values: Sequence[Sequence[float]]) -> Trees:
        """Trees with these splits, in any order, and for each tree the values of its leaves from left to right."""
        most = max(map(len, values), default=0)
        if most > MOST_LEAVES:
            raise ValueError(f"a tree has {most} leaves, at most {MOST_LEAVES} can be evaluated")
        leaves = np.zeros((len(values), most), np.float32)
        for row, found in zip(leaves, values, strict=True):
            row[: len(found)] = found
        kind = np.dtype(next(f"uint{bits}" for bits in (8, 16, 32, 64) if most <= bits))
        every = np.iinfo(kind).max

        asked: dict[int, list[TreeSplit]] = {}
        for split in splits:
            asked.setdefault(split.feature, []).append(split)
        feature = sorted(asked)
        thresholds, masks = [np.empty(0, np.float32)], [np.empty((0, len(values)), kind)]
        for column in feature:
            cuts, place = np.unique(
                _round_down([split.threshold for split in asked[column]]), return_inverse=True
            )
            left = np.full((len(cuts) + 1, len(values)), every, kind)
            for row, split in zip(place.tolist(), asked[column], strict=True):
                # bits first to last - 1
                left[row + 1, split.tree] &= every - (1 << split.last) + (1 << split.first)
            thresholds.append(np.append(cuts, np.float32(np.inf)))
            masks.append(np.bitwise_and.accumulate(left, axis=0))
        indptr = np.cumsum([len(part) for part in thresholds], dtype=np.int64)
        return cls(
            np.array(feature, np.int32),
            indptr,
            np.concatenate(thresholds),
            np.concatenate(masks),
            leaves,
        )

    @classmethod
    def none(cls) -> Trees:
        """No trees, which score every row 0."""
        return cls.of([], [])

    def __len__(self) -> int:
        return len(self.leaves)

    def first(self, trees: int) -> Trees:
        """The trees that were learned first, without the thresholds that only later ones ask for."""
        masks = self.masks[:, :trees]
        asked = np.ones(len(masks), np.bool_)
        asked[:-1] = np.any(masks[1:] != masks[:-1], axis=1)
        asked[self.indptr[1:] - 1] = True  # +inf
        indptr = np.append(0, np.cumsum(asked))[self.indptr]
        return Trees(
            self.feature, indptr, self.thresholds[asked], masks[asked], self.leaves[:trees]
        )

    @cached_property
    def _asked(self) -> list[tuple[int, Float, Masks]]:
        """Of each feature its column, thresholds and masks."""
        parts = pairwise(self.indptr.tolist())
        return [
            (column, self.thresholds[start:end], self.masks[start:end])
            for column, (start, end) in zip(self.feature.tolist(), parts, strict=True)
        ]

    def scores(self, rows: Float) -> Float:
        """The sum over trees, log odds where they were learned with log loss: finite rows (c, features) -> (c,).

        A row's score does not depend on the rows beside it. Columns that are contiguous are read faster.
        """
        scores = np.empty(len(rows), np.float32)
        block = max(1, BLOCK // max(1, len(self)))
        left, more = np.empty((2, min(block, len(rows)), len(self)), self.masks.dtype)
        for start in range(0, len(rows), block):
            part = rows[start : start + block]
            scores[start : start + block] = self._scores(part, left[: len(part)], more[: len(part)])
        return scores

    def _scores(self, rows: Float, left: Masks, more: Masks) -> Float:
        left.fill(np.iinfo(left.dtype).max)
        for column, thresholds, masks in self._asked:
            # `clip` spares numpy a copy of `more`; nothing is clipped, as every finite x lies below +inf
            masks.take(thresholds.searchsorted(rows[:, column]), 0, more, "clip")
            np.bitwise_and(left, more, left)
        # The number of zeros below the lowest bit of b: popcount(~b & (b - 1))
        np.subtract(left, 1, out=more)
        leaf = np.bitwise_count(np.bitwise_and(np.invert(left, out=left), more, out=left))
        # One flat position is looked up twice as fast as a pair of them
        values: Float = self.leaves.ravel()[leaf + np.arange(len(self)) * self.leaves.shape[1]]
        total: Float = values.sum(axis=1)
        return total


def _round_down(thresholds: Sequence[float]) -> Float:
    """The largest float32 t' <= t of each: for every float32 x, x <= t' just where x <= t."""
    exact = np.array(thresholds, np.float64)
    rounded = exact.astype(np.float32)
    return np.where(rounded > exact, np.nextafter(rounded, np.float32(-np.inf)), rounded)
