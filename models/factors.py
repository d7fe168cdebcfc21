"""Item factors, and a customer folded in from their history.

Y. Hu, Y. Koren, C. Volinsky: Collaborative Filtering for Implicit Feedback Datasets, 2008.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class ItemFactors:
    """Factors of the l products that were bought often enough to learn from; the others say nothing."""

    factors: NDArray[np.float32]  # (f, l) Yᵀ: a row a factor, so that scoring everything reads memory in order
    gram: NDArray[np.float32]  # (f, f) YᵀY + λI
    item: NDArray[np.int32]  # (l,) the product of each row, increasing
    row: NDArray[np.int32]  # (items,) the row of each product, -1 where it has none

    def fold_in(self, item: NDArray[np.int32], confidence: NDArray[np.float32]) -> NDArray[np.float32]:
        """A customer's vector (f,) from the pairs observed: `item` (p,) and their confidence c_ui ≥ 1 (p,)."""
        observed, confidence, _ = self._observed(item, confidence)
        # x_u = (YᵀY + Yᵀ(Cᵘ - I)Y + λI)⁻¹ Yᵀ Cᵘ p(u)
        vector: NDArray[np.float32] = np.linalg.solve(self._left(observed, confidence), observed.T @ confidence)
        return vector

    def strongest(
        self, item: NDArray[np.int32], confidence: NDArray[np.float32], wanted: NDArray[np.int64]
    ) -> list[int]:
        """For each product with a score above 0 the place in the history that adds most to its score."""
        observed, confidence, places = self._observed(item, confidence)
        # x_uᵀ y_i = Σ_j c_uj · y_jᵀ (YᵀY + Yᵀ(Cᵘ - I)Y + λI)⁻¹ y_i, section 5 of the paper
        turned = np.linalg.solve(self._left(observed, confidence), self.factors[:, self.row[wanted]])
        parts = (observed @ turned) * confidence[:, None]
        return [int(place) for place in places[np.argmax(parts, axis=0)]]

    def scores(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """The predicted preference for every product: (items,). About 0 for a stranger's taste, 1 for an old love."""
        result = np.zeros(len(self.row), np.float32)
        result[self.item] = vector @ self.factors
        return result

    def _observed(
        self, item: NDArray[np.int32], confidence: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]:
        """Factors and confidence of the products that have factors, and their places in the history."""
        rows = self.row[item]
        places = np.flatnonzero(rows >= 0)
        return self.factors[:, rows[places]].T, confidence[places], places

    def _left(self, observed: NDArray[np.float32], confidence: NDArray[np.float32]) -> NDArray[np.float32]:
        left: NDArray[np.float32] = self.gram + observed.T @ (observed * (confidence - 1)[:, None])
        return left
