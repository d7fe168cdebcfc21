"""Products that stand in the same orders.

S. Brin, R. Motwani, J. D. Ullman, S. Tsur: Dynamic Itemset Counting and Implication Rules for Market Basket Data, 1997.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class OrderPairs:
    """The strongest partners of every product: those of item a are `indptr[a]:indptr[a + 1]`, by item.

    `strength` and `log_lift` come from orders that count less when they are old or large, and are damped; they rank.
    `together`, `orders` and `total` are plain counts; support, rule_confidence and lift are told from them.
    """

    indptr: NDArray[np.int64]  # (items + 1,)
    item: NDArray[np.int32]  # (pairs,)
    strength: NDArray[np.float32]  # (pairs,) damped P(b | a), normed over the partners of a
    log_lift: NDArray[np.float32]  # (pairs,) ln of the damped lift
    together: NDArray[np.int32]  # (pairs,) orders with both
    orders: NDArray[np.int32]  # (items,) orders with the product
    total: NDArray[np.int64]  # (1,) orders

    def row(self, item: int) -> slice:
        return slice(int(self.indptr[item]), int(self.indptr[item + 1]))

    def link_scores(self, row: slice, lift_weight: float) -> NDArray[np.float32]:
        """strength · lift^weight of the partners in one row."""
        scores: NDArray[np.float32] = self.strength[row] * np.exp(np.float32(lift_weight) * self.log_lift[row])
        return scores

    def basket_scores(self, basket: Sequence[int], lift_weight: float) -> NDArray[np.float32]:
        """How well every product completes a basket: (items,), 0 without a tie.

        The lift counts more the larger the basket m is: for one product what is bought with it most often is right,
        in a whole basket the common products would add up otherwise.
        """
        # score(b) = Σ_{a in basket} strength(a, b) · lift(a, b)^(γ (1 - 1/m))
        scores = np.zeros(len(self.orders), np.float32)
        for anchor in basket:
            row = self.row(anchor)
            scores[self.item[row]] += self.link_scores(row, _exponent(basket, lift_weight))
        scores[list(basket)] = 0
        return scores

    def strongest(self, basket: Sequence[int], item: int, lift_weight: float) -> tuple[int, int]:
        """The basket's product that adds most to an item's score, and the place of their tie in the arrays.

        Raises ValueError where no product of the basket has a tie to it.
        """
        ties, exponent = [], _exponent(basket, lift_weight)
        for anchor in basket:
            row = self.row(anchor)
            place = row.start + int(np.searchsorted(self.item[row], item))
            if place < row.stop and self.item[place] == item:
                ties.append((-float(self.link_scores(slice(place, place + 1), exponent)[0]), anchor, place))
        return min(ties)[1:]

    def lifts(self, anchor: int, row: slice) -> NDArray[np.float64]:
        """P(a, b) / (P(a) P(b)) from plain counts, for the partners in the anchor's row."""
        expected = float(self.orders[anchor]) * self.orders[self.item[row]].astype(np.float64)
        lifts: NDArray[np.float64] = self.together[row] * float(self.total[0]) / expected
        return lifts


def _exponent(basket: Sequence[int], lift_weight: float) -> float:
    return lift_weight * (1 - 1 / max(len(basket), 1))
