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

    factors: NDArray[np.float32]  # (l, f) Y
    gram: NDArray[np.float32]  # (f, f) YᵀY + λI
    item: NDArray[np.int32]  # (l,) the product of each row, increasing
    row: NDArray[np.int32]  # (items,) the row of each product, -1 where it has none

    def fold_in(self, item: NDArray[np.int32], confidence: NDArray[np.float32]) -> NDArray[np.float32]:
        """A customer's vector (f,) from the pairs observed: `item` (p,) and their confidence c_ui ≥ 1 (p,)."""
        rows = self.row[item]
        observed, confidence = self.factors[rows[rows >= 0]], confidence[rows >= 0]
        # x_u = (YᵀY + Yᵀ(Cᵘ - I)Y + λI)⁻¹ Yᵀ Cᵘ p(u)
        left = self.gram + observed.T @ (observed * (confidence - 1)[:, None])
        solution: NDArray[np.float32] = np.linalg.solve(left, observed.T @ confidence)
        return solution

    def scores(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """The predicted preference for every product: (items,). About 0 for a stranger's taste, 1 for an old love."""
        result = np.zeros(len(self.row), np.float32)
        result[self.item] = self.factors @ vector
        return result
