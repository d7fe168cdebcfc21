"""Products that stand in the same orders.

S. Brin, R. Motwani, J. D. Ullman, S. Tsur: Dynamic Itemset Counting and Implication Rules for Market Basket Data, 1997.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.data.ragged import RowGroups, find_stored, is_among
from models.sources.scores import SparseScores


@dataclass(frozen=True, eq=False)
class CoPurchases:
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
        scores: NDArray[np.float32] = self.strength[row] * np.exp(
            np.float32(lift_weight) * self.log_lift[row]
        )
        return scores

    def basket_scores(self, basket: Sequence[int], lift_weight: float) -> SparseScores:
        """How well products complete a basket.

        The lift counts more the larger the basket m is: for one product what is bought with it most often is right,
        in a whole basket the common products would add up otherwise.
        """
        # score(b) = Σ_{a in basket} strength(a, b) · lift(a, b)^(γ (1 - 1/m))
        return self.basket_scores_each([basket], lift_weight)[0]

    def basket_scores_each(
        self, baskets: Sequence[Sequence[int]], lift_weight: float
    ) -> list[SparseScores]:
        """The same for many baskets."""
        if not all(baskets):
            found = iter(
                self.basket_scores_each([basket for basket in baskets if basket], lift_weight)
            )
            return [next(found) if basket else SparseScores.none() for basket in baskets]
        if not baskets:
            return []
        rows = RowGroups.of(map(len, baskets))
        anchors = np.array([anchor for basket in baskets for anchor in basket], np.int64)
        at, _, spans = find_stored(self.indptr, anchors, rows)
        other = ~is_among(spans.keys(self.item[at]), np.sort(rows.keys(anchors)))
        at, spans = at[other], spans.select(other)
        exponents = np.array([_exponent(basket, lift_weight) for basket in baskets], np.float32)
        exponents = exponents[spans.owner] if len(rows) > 1 else exponents
        return SparseScores.summed_each(
            self.item[at], self.strength[at] * np.exp(exponents * self.log_lift[at]), spans
        )

    def strongest(
        self, basket: Sequence[int], items: Sequence[int], lift_weight: float
    ) -> list[tuple[int, int]]:
        """For each item the basket's product that adds most to its score, and the place of their tie in the arrays.

        Every item has a tie to the basket; of equal ties the first product's counts.
        """
        rows = [self.row(anchor) for anchor in basket]
        at = np.concatenate([np.arange(row.start, row.stop) for row in rows])
        anchors = np.repeat(basket, [row.stop - row.start for row in rows])
        exponent = np.float32(_exponent(basket, lift_weight))
        partners, ties = self.item[at], self.strength[at] * np.exp(exponent * self.log_lift[at])
        found = (np.flatnonzero(partners == item) for item in items)
        winners = (places[np.argmax(ties[places])] for places in found)
        return [(int(anchors[winner]), int(at[winner])) for winner in winners]

    def lifts(self, anchor: int, row: slice) -> NDArray[np.float64]:
        """P(a, b) / (P(a) P(b)) from plain counts, for the partners in the anchor's row."""
        expected = float(self.orders[anchor]) * self.orders[self.item[row]].astype(np.float64)
        lifts: NDArray[np.float64] = self.together[row] * float(self.total[0]) / expected
        return lifts


def _exponent(basket: Sequence[int], lift_weight: float) -> float:
    return lift_weight * (1 - 1 / max(len(basket), 1))
