"""Item factors, and a customer folded in from their history.

Y. Hu, Y. Koren, C. Volinsky: Collaborative Filtering for Implicit Feedback Datasets, 2008.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import sqrt
from operator import neg
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models.data.ragged import RowGroups
from models.sources.scores import Items, rank_best

Floats = NDArray[np.float32]
FIRST: Final = 1024  # of the longest factors, that are looked at first
AHEAD: Final = 6144  # of them, that are looked at for many customers at once: of six customers five need no others
TINY: Final = float(np.finfo(np.float32).tiny)
ROUNDING: Final = 1e-4  # share of a score that float32 may lose


def _not_measured() -> Floats:
    return np.zeros(0, np.float32)


@dataclass(frozen=True, eq=False)
class ItemFactors:
    """Factors of the l products that were bought often enough to learn from; the others say nothing."""

    factors: Floats  # (f, l) Yᵀ
    gram: Floats  # (f, f) YᵀY + λI
    item: NDArray[np.int32]  # (l,) the product of each column
    row: NDArray[np.int32]  # (items,) the column of each product, -1 where it has none
    # (l,) how long each product's factors are, the longest first; empty in artifacts that do not know it
    length: Floats = field(default_factory=_not_measured)

    def longest_first(self) -> Self:
        """The same, so that who looks for the highest scores need not look at all: a product's factors side by side."""
        length = np.linalg.norm(self.factors, axis=0)
        order = np.argsort(-length, kind="stable")
        row = np.full_like(self.row, -1)
        row[self.item[order]] = np.arange(len(order), dtype=np.int32)
        factors = np.asfortranarray(self.factors[:, order])
        return replace(self, factors=factors, item=self.item[order], row=row, length=length[order])

    def observed(self, item: NDArray[np.int32], confidence: Floats) -> ObservedProducts:
        """The products (p,) of a history that have factors, and their confidence c_ui ≥ 1 (p,)."""
        return self.observed_each(item, confidence, RowGroups.of([len(item)]))[0]

    def observed_each(
        self, item: NDArray[np.int32], confidence: Floats, rows: RowGroups
    ) -> list[ObservedProducts]:
        """The same of m customers, whose histories are `rows`."""
        places = self.row[item]
        known = places >= 0
        item, factors, confidence = item[known], self.factors.T[places[known]], confidence[known]
        return [
            ObservedProducts(self, item[one], factors[one], confidence[one])
            for one in rows.select(known).slices
        ]

    @cached_property
    def inverse(self) -> Floats:
        """Of the gram matrix: (f, f)."""
        return np.linalg.inv(self.gram.astype(np.float64)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class ObservedProducts:
    """What a customer is folded in from."""

    learned: ItemFactors
    item: NDArray[np.int32]  # (p,)
    factors: Floats  # (p, f)
    confidence: Floats  # (p,)

    def folded_in(self) -> Floats:
        """The customer's vector (f,)."""
        # x_u = (YᵀY + Yᵀ(Cᵘ - I)Y + λI)⁻¹ Yᵀ Cᵘ p(u)
        if self._many:
            return np.linalg.solve(self._left, self.factors.T @ self.confidence).astype(np.float32)
        # The same is G⁻¹Uᵀ (I + (Cᵘ - I) U G⁻¹Uᵀ)⁻¹ Cᵘ p(u) for pairs U and G the gram matrix: p equations and not f.
        left, known = self._few
        return (np.linalg.solve(left.T, self.confidence) @ known).astype(np.float32)

    def strongest(self, wanted: Items) -> list[int]:
        """For each product with a score above 0 the product of the history that adds most to its score."""
        # x_uᵀ y_i = Σ_j c_uj · y_jᵀ (YᵀY + Yᵀ(Cᵘ - I)Y + λI)⁻¹ y_i, section 5 of the paper
        liked = self.learned.factors.T[self.learned.row[wanted]].T
        if self._many:
            ties = self.factors @ np.linalg.solve(self._left, liked)
        else:
            left, known = self._few
            ties = np.linalg.solve(left, known @ liked)
        strongest: list[int] = self.item[
            np.argmax(ties * self.confidence[:, None], axis=0)
        ].tolist()
        return strongest

    @property
    def _many(self) -> bool:
        return len(self.item) >= len(self.learned.gram)

    @cached_property
    def _left(self) -> Floats:
        left: Floats = self.learned.gram + self.factors.T @ (
            self.factors * (self.confidence - 1)[:, None]
        )
        return left

    @cached_property
    def _few(self) -> tuple[Floats, Floats]:
        """I + U G⁻¹Uᵀ (Cᵘ - I): (p, p), and U G⁻¹: (p, f)."""
        known: Floats = self.factors @ self.learned.inverse
        left = np.multiply(known @ self.factors.T, self.confidence - 1, dtype=np.float32)
        left.flat[:: len(left) + 1] += 1
        return left, known


@dataclass(frozen=True, eq=False)
class FactorScores:
    """The predicted preference of a customer for every product, never below 0. About 0 for a stranger's taste, 1 for
    an old love."""

    factors: ItemFactors
    vector: Floats  # (f,)
    known: Floats | None = (
        None  # scores of the first FIRST products or more, where these are known already
    )

    @classmethod
    def each(cls, factors: ItemFactors, vectors: Sequence[Floats]) -> list[Self]:
        """Of many customers: what most of them will look at in one product of matrices, at a part of the price."""
        if len(vectors) <= 1:
            return [cls(factors, vector) for vector in vectors]
        scores = np.array(vectors) @ factors.factors[:, :AHEAD]
        return [cls(factors, vector, known) for vector, known in zip(vectors, scores, strict=True)]

    @property
    def highest(self) -> float:
        highest = float(self._scores(FIRST).max(initial=0))
        return float(self._scores(self._reaching(highest)).max(initial=highest))

    def of(self, items: Items) -> Floats:
        rows = self.factors.row[items]
        # What has no factors looks at the last ones.
        scores = (
            np.vecdot(self.factors.factors.T[rows], self.vector)
            if len(self.factors.item)
            else np.float32(0)
        )
        return np.where(rows >= 0, np.maximum(scores, 0), np.float32(0))

    def best(self, allowed: NDArray[np.bool_], n: int) -> Items:
        # A score is at most the length of the factors times that of the customer's vector (Cauchy and Schwarz). So what
        # is shorter than the n-th best of the first ones needs, cannot be among the best.
        item, first = self.factors.item, self._scores(FIRST)
        first = first[allowed[item[: len(first)]]]
        floor = float(np.partition(first, -n)[-n]) if len(first) >= n else 0.0
        scores = self._scores(self._reaching(floor))
        likely = np.flatnonzero(scores >= max(floor, TINY))
        likely = likely[allowed[item[likely]]]
        likely = likely[np.argsort(item[likely])]
        return item[likely[rank_best(scores[likely], n)]].astype(np.int64)

    @cached_property
    def _known(self) -> Floats:
        return self.vector @ self.factors.factors[:, :FIRST] if self.known is None else self.known

    def _scores(self, stop: int) -> Floats:
        """Of so many products in the order of the factors, not yet cut off at 0."""
        known = self._known
        if stop <= len(known) or len(known) == len(self.factors.item):
            return known[:stop]
        return np.concatenate([known, self.vector @ self.factors.factors[:, len(known) : stop]])

    def _reaching(self, score: float) -> int:
        """How many products, the first ones, may have this score or a higher one."""
        if len(self.factors.length) == 0:
            return len(self.factors.item)
        longest = sqrt(float(self.vector @ self.vector))
        if longest == 0:
            return 0
        return bisect_right(self.factors.length, -score * (1 - ROUNDING) / longest, key=neg)
