"""Gradient-boosted trees evaluated from arrays, by QuickScorer (Lucchese et al. 2015) as a table.

The leaves of a tree are numbered from left to right, and a row carries one bit a leaf, for the
leaves that it may still reach. A split that the row fails, x > threshold, rules out the leaves to
its left, in whatever order the splits are looked at. So the splits of one feature over all trees
are known by how many of their thresholds lie below x: one search in a sorted list, one row of a
table. After all features the lowest bit left is the leaf.
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

MAX_LEAVES: Final = 64  # the bits of the widest integer
BLOCK: Final = 1 << 15  # masks worked on at once, so that they stay in the processor's cache


class TreeSplit(NamedTuple):
    """An inner node: rows with x <= threshold go left, to the leaves [first, last) of the tree."""

    tree: int
    feature: int
    threshold: float
    first: int
    last: int


@dataclass(frozen=True, eq=False)
class Trees:
    """Hold t thresholds of u features, and the masks and leaves of the trees that ask for them."""

    feature: NDArray[np.int32]  # the features that are split on (u,), ascending
    indptr: NDArray[np.int64]  # where the thresholds of each begin: (u + 1,)
    thresholds: Float  # sorted for each feature, +inf at the end: (t,)
    masks: Masks  # leaves left where x lies above all earlier thresholds of its feature: (t, trees)
    leaves: Float  # what a leaf adds to the score: (trees, leaves)

    @classmethod
    def of(cls, splits: Sequence[TreeSplit], values: Sequence[Sequence[float]]) -> Trees:
        """Build trees from their splits, in any order, and from the values of their leaves.

        `values`: for each tree those of its leaves from left to right.
        """
        n_leaves = max(map(len, values), default=0)
        if n_leaves > MAX_LEAVES:
            raise ValueError(f"a tree has {n_leaves} leaves, at most {MAX_LEAVES} can be evaluated")
        leaves = np.zeros((len(values), n_leaves), np.float32)
        for row, leaf_values in zip(leaves, values, strict=True):
            row[: len(leaf_values)] = leaf_values
        dtype = np.dtype(next(f"uint{bits}" for bits in (8, 16, 32, 64) if n_leaves <= bits))

        splits_by_feature: dict[int, list[TreeSplit]] = {}
        for split in splits:
            splits_by_feature.setdefault(split.feature, []).append(split)
        features = sorted(splits_by_feature)
        thresholds, masks = [np.empty(0, np.float32)], [np.empty((0, len(values)), dtype)]
        for feature in features:
            bounds, left = _build_masks(splits_by_feature[feature], len(values), dtype)
            thresholds.append(bounds)
            masks.append(left)
        return cls(
            feature=np.array(features, np.int32),
            indptr=np.cumsum([len(part) for part in thresholds], dtype=np.int64),
            thresholds=np.concatenate(thresholds),
            masks=np.concatenate(masks),
            leaves=leaves,
        )

    @classmethod
    def none(cls) -> Trees:
        """Return no trees, which score every row 0."""
        return cls.of([], [])

    def __len__(self) -> int:
        return len(self.leaves)

    def first(self, trees: int) -> Trees:
        """Return the trees that were learned first, without the thresholds of the others."""
        masks = self.masks[:, :trees]
        used = np.ones(len(masks), np.bool_)
        used[:-1] = np.any(masks[1:] != masks[:-1], axis=1)
        used[self.indptr[1:] - 1] = True  # +inf
        indptr = np.append(0, np.cumsum(used))[self.indptr]
        return Trees(self.feature, indptr, self.thresholds[used], masks[used], self.leaves[:trees])

    @cached_property
    def _tables(self) -> list[tuple[int, Float, Masks]]:
        """Return the column, thresholds and masks of each feature."""
        bounds = pairwise(self.indptr.tolist())
        return [
            (column, self.thresholds[start:end], self.masks[start:end])
            for column, (start, end) in zip(self.feature.tolist(), bounds, strict=True)
        ]

    def scores(self, rows: Float) -> Float:
        """Sum the trees up, to log odds where they were learned with log loss.

        Rows (c, features) are finite -> (c,). A row's score does not depend on the other rows.
        """
        count, trees = len(rows), len(self)
        scores = np.zeros(count, np.float32)
        if count == 0 or trees == 0:
            return scores
        positions, varies = self._find_positions(rows)
        alike = self.masks.take((self.indptr[:-1] + positions[:, 0])[~varies], 0)
        left_of_all = np.bitwise_and.reduce(alike, axis=0)
        varying = [(positions[index], self._tables[index][2]) for index in varies.nonzero()[0]]
        block = max(1, BLOCK // trees)
        left, more = np.empty((2, min(block, count), trees), self.masks.dtype)
        for start in range(0, count, block):
            span = slice(start, min(start + block, count))
            size = span.stop - start
            left[:size] = left_of_all
            for position, masks in varying:
                # `clip` spares numpy a copy of `more`; nothing is clipped: every finite x is below
                # +inf
                masks.take(position[span], 0, more[:size], "clip")
                np.bitwise_and(left[:size], more[:size], left[:size])
            scores[span] = self._sum_leaves(left[:size], more[:size])
        return scores

    def _find_positions(self, rows: Float) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return where each row stands among the thresholds of each feature: (u, c).

        And which features' thresholds tell the rows apart: (u,).
        """
        columns = np.ascontiguousarray(rows.T)
        positions = np.empty((len(self.feature), len(rows)), np.int64)
        for position, (column, thresholds, _) in zip(positions, self._tables, strict=True):
            position[:] = thresholds.searchsorted(columns[column])
        return positions, np.any(positions != positions[:, :1], axis=1)

    def _sum_leaves(self, left: Masks, more: Masks) -> Float:
        """Sum up the leaves that are left: of each row and tree the lowest bit, b."""
        # The number of ones in b ^ (b - 1) is one more than that of the zeros below the lowest
        np.subtract(left, 1, out=more)
        leaf = np.bitwise_count(np.bitwise_xor(left, more, out=more))
        # One flat position is looked up twice as fast as a pair of them
        first = np.arange(len(self)) * self.leaves.shape[1] - 1
        total: Float = self.leaves.ravel().take(leaf + first).sum(axis=1)
        return total


def probability(scores: Float) -> Float:
    """Turn log odds x into probabilities 1 / (1 + e^-x), without overflow far below 0."""
    chances: Float = np.exp(-np.logaddexp(np.float32(0), -scores))
    return chances


def _build_masks(
    splits: Sequence[TreeSplit], trees: int, dtype: np.dtype[Any]
) -> tuple[Float, Masks]:
    """Return the thresholds of one feature, +inf last, and the leaves left above each of them."""
    all_leaves = np.iinfo(dtype).max
    rounded = _round_down([split.threshold for split in splits])
    thresholds, rows = np.unique(rounded, return_inverse=True)
    left = np.full((len(thresholds) + 1, trees), all_leaves, dtype)
    for row, split in zip(rows.tolist(), splits, strict=True):
        # without the bits first to last - 1
        left[row + 1, split.tree] &= all_leaves - (1 << split.last) + (1 << split.first)
    masks = np.bitwise_and.accumulate(left, axis=0)
    return np.append(thresholds, np.float32(np.inf)), masks


def _round_down(thresholds: Sequence[float]) -> Float:
    """Return the largest float32 t' <= t of each: for every float32 x, x <= t' where x <= t."""
    exact = np.array(thresholds, np.float64)
    rounded = exact.astype(np.float32)
    return np.where(rounded > exact, np.nextafter(rounded, np.float32(-np.inf)), rounded)
