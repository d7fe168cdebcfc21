"""Item factors, and a customer folded in from their history.

Y. Hu, Y. Koren, C. Volinsky: Collaborative Filtering for Implicit Feedback Datasets, 2008.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import sqrt
from operator import neg
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models.data.ragged import RowGroups
from models.sources.scores import Items, by_size, rank_best

Floats = NDArray[np.float32]
FIRST_SCORED: Final = 1024  # products with the longest factors are scored first
# Products that are scored for many customers at once: of six customers five need no others
FIRST_SCORED_EACH: Final = 6144
SMALLEST_POSITIVE: Final = float(np.finfo(np.float32).tiny)
MAX_ROUNDING: Final = 1e-4  # share of a score that float32 may lose


def _no_lengths() -> Floats:
    return np.zeros(0, np.float32)


@dataclass(frozen=True, eq=False)
class ItemFactors:
    """Hold the factors of the l products that were bought often enough to learn from."""

    factors: Floats  # (f, l) Yᵀ
    gram: Floats  # (f, f) YᵀY + λI
    item: NDArray[np.int32]  # (l,) the product of each column
    row: NDArray[np.int32]  # (items,) the column of each product, -1 where it has none
    # (l,) norm of each product's factors, the longest first; empty in artifacts without it
    length: Floats = field(default_factory=_no_lengths)

    def longest_first(self) -> Self:
        """Return the factors sorted by length: the highest scores are found among the first ones.

        A product's factors lie side by side in memory.
        """
        length = np.linalg.norm(self.factors, axis=0)
        order = np.argsort(-length, kind="stable")
        row = np.full_like(self.row, -1)
        row[self.item[order]] = np.arange(len(order), dtype=np.int32)
        factors = np.asfortranarray(self.factors[:, order])
        return replace(self, factors=factors, item=self.item[order], row=row, length=length[order])

    def observed(self, item: NDArray[np.int32], confidence: Floats) -> ObservedProducts:
        """Return the products of a history that have factors, with their confidence c_ui ≥ 1.

        `item` and `confidence` are (p,).
        """
        return self.observed_each(item, confidence, RowGroups.of([len(item)]))[0]

    def observed_each(
        self, item: NDArray[np.int32], confidence: Floats, rows: RowGroups
    ) -> list[ObservedProducts]:
        """Return those of m customers, whose histories are grouped by `rows`."""
        column = self.row[item]
        has_factors = column >= 0
        factors = self.factors.T[column[has_factors]]
        item, confidence = item[has_factors], confidence[has_factors]
        return [
            ObservedProducts(self, item[span], factors[span], confidence[span])
            for span in rows.select(has_factors).slices
        ]

    @cached_property
    def inverse(self) -> Floats:
        """Return the inverse of the gram matrix: (f, f)."""
        return np.linalg.inv(self.gram.astype(np.float64)).astype(np.float32)


@dataclass(frozen=True, eq=False)
class ObservedProducts:
    """Hold the p products of a history that a customer is folded in from."""

    learned: ItemFactors
    item: NDArray[np.int32]  # (p,)
    factors: Floats  # (p, f)
    confidence: Floats  # (p,)

    def folded_in(self) -> Floats:
        """Solve for the customer's vector (f,)."""
        if self._more_than_factors:
            # x_u = (YᵀY + Yᵀ(Cᵘ - I)Y + λI)⁻¹ Yᵀ Cᵘ p(u): f equations
            return np.linalg.solve(self._left, self.factors.T @ self.confidence).astype(np.float32)
        # x_u = G⁻¹Uᵀ (I + (Cᵘ - I) U G⁻¹Uᵀ)⁻¹ Cᵘ p(u): p equations,
        # with U the factors of the observed products and G = YᵀY + λI
        left, projected = self._small_system
        return (np.linalg.solve(left.T, self.confidence) @ projected).astype(np.float32)

    def evidence(self, wanted: Items) -> list[Iterator[int]]:
        """Return for each wanted product what adds to its score: other products of the history.

        The one that adds most comes first. Wanted products have factors.
        """
        # x_uᵀ y_i = Σ_j c_uj · y_jᵀ (YᵀY + Yᵀ(Cᵘ - I)Y + λI)⁻¹ y_i, section 5 of the paper
        wanted_factors = self.learned.factors.T[self.learned.row[wanted]].T
        if self._more_than_factors:
            ties = self.factors @ np.linalg.solve(self._left, wanted_factors)
        else:
            left, projected = self._small_system
            ties = np.linalg.solve(left, projected @ wanted_factors)
        parts = (ties * self.confidence[:, None]).T
        parts[self.item == wanted[:, None]] = 0
        return [map(self.item.item, by_size(added)) for added in parts]

    @property
    def _more_than_factors(self) -> bool:
        return len(self.item) >= len(self.learned.gram)

    @cached_property
    def _left(self) -> Floats:
        # YᵀY + Yᵀ(Cᵘ - I)Y + λI: (f, f)
        weighted = self.factors * (self.confidence - 1)[:, None]
        left: Floats = self.learned.gram + self.factors.T @ weighted
        return left

    @cached_property
    def _small_system(self) -> tuple[Floats, Floats]:
        # I + U G⁻¹Uᵀ (Cᵘ - I): (p, p), and U G⁻¹: (p, f)
        projected: Floats = self.factors @ self.learned.inverse
        left = np.multiply(projected @ self.factors.T, self.confidence - 1, dtype=np.float32)
        left.flat[:: len(left) + 1] += 1
        return left, projected


@dataclass(frozen=True, eq=False)
class FactorScores:
    """Predict the preference of a customer for every product, never below 0.

    It is about 0 for products they would not look at, and 1 for what they always buy.
    """

    factors: ItemFactors
    vector: Floats  # (f,)
    known: Floats | None = None  # scores of the first FIRST_SCORED products or more

    @classmethod
    def each(cls, factors: ItemFactors, vectors: Sequence[Floats]) -> list[Self]:
        """Predict for many customers, whose first products are scored by one multiplication."""
        if len(vectors) <= 1:
            return [cls(factors, vector) for vector in vectors]
        scores_each = np.array(vectors) @ factors.factors[:, :FIRST_SCORED_EACH]
        pairs = zip(vectors, scores_each, strict=True)
        return [cls(factors, vector, scores) for vector, scores in pairs]

    @property
    def highest(self) -> float:
        highest = float(self._scores(FIRST_SCORED).max(initial=0))
        return float(self._scores(self._count_reaching(highest)).max(initial=highest))

    def of(self, items: Items) -> Floats:
        columns = self.factors.row[items]
        if len(self.factors.item) == 0:
            return np.zeros(len(items), np.float32)
        # A product without factors has the column -1, whose score is not used.
        scores = np.vecdot(self.factors.factors.T[columns], self.vector)
        return np.where(columns >= 0, np.maximum(scores, 0), np.float32(0))

    def best(self, allowed: NDArray[np.bool_], n: int) -> Items:
        # A score is at most the length of the factors times that of the customer's vector (Cauchy
        # and Schwarz). So shorter factors than the n-th best score needs cannot be among the best.
        item, first = self.factors.item, self._scores(FIRST_SCORED)
        first = first[allowed[item[: len(first)]]]
        floor = float(np.partition(first, -n)[-n]) if len(first) >= n else 0.0
        scores = self._scores(self._count_reaching(floor))
        columns = np.flatnonzero(scores >= max(floor, SMALLEST_POSITIVE))
        columns = columns[allowed[item[columns]]]
        columns = columns[np.argsort(item[columns])]
        return item[columns[rank_best(scores[columns], n)]].astype(np.int64)

    @cached_property
    def _known(self) -> Floats:
        if self.known is not None:
            return self.known
        return self.vector @ self.factors.factors[:, :FIRST_SCORED]

    def _scores(self, stop: int) -> Floats:
        """Score the first products in the order of the factors, without the limit of 0."""
        known = self._known
        if stop <= len(known) or len(known) == len(self.factors.item):
            return known[:stop]
        return np.concatenate([known, self.vector @ self.factors.factors[:, len(known) : stop]])

    def _count_reaching(self, score: float) -> int:
        """Count the products, the first ones, that may have this score or a higher one."""
        if len(self.factors.length) == 0:
            return len(self.factors.item)
        vector_length = sqrt(float(self.vector @ self.vector))
        if vector_length == 0:
            return 0
        needed = score * (1 - MAX_ROUNDING) / vector_length
        return bisect_right(self.factors.length, -needed, key=neg)
