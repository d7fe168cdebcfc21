"""Products that stand in the same orders.

S. Brin, R. Motwani, J. D. Ullman, S. Tsur: Dynamic Itemset Counting and Implication Rules for
Market Basket Data, 1997.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.data.ragged import RowGroups, find_stored, is_among
from models.sources.scores import SparseScores, by_size

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class CoPurchases:
    """Hold the strongest partners of item a in the entries `indptr[a]:indptr[a + 1]`, by item.

    `strength` and `log_lift` come from orders that count less when they are old or large, and are
    damped; they rank. `together`, `orders` and `total` are plain counts, from which support,
    rule_confidence and lift are computed.
    """

    indptr: NDArray[np.int64]  # (items + 1,)
    item: NDArray[np.int32]  # (pairs,)
    strength: Floats  # (pairs,) damped P(b | a), normed over the partners of a
    log_lift: Floats  # (pairs,) ln of the damped lift
    together: NDArray[np.int32]  # (pairs,) orders with both
    orders: NDArray[np.int32]  # (items,) orders with the product
    total: NDArray[np.int64]  # (1,) orders

    def row(self, item: int) -> slice:
        """Return the entries of the partners of a product."""
        return slice(int(self.indptr[item]), int(self.indptr[item + 1]))

    def link_scores(self, row: slice, lift_weight: float) -> Floats:
        """Score the partners of one product by strength · lift^weight."""
        return self._tie_scores(row, np.float32(lift_weight))

    def _tie_scores(
        self, entries: slice | NDArray[np.int64], exponent: Floats | np.float32
    ) -> Floats:
        scores: Floats = self.strength[entries] * np.exp(exponent * self.log_lift[entries])
        return scores

    def basket_scores(self, basket: Sequence[int], lift_weight: float) -> SparseScores:
        """Score how well products complete a basket.

        The lift counts more the larger the basket m is: for one product what is bought with it most
        often is right, in a whole basket the common products would add up otherwise.
        """
        # score(b) = Σ_{a in basket} strength(a, b) · lift(a, b)^(γ (1 - 1/m))
        return self.basket_scores_each([basket], lift_weight)[0]

    def basket_scores_each(
        self, baskets: Sequence[Sequence[int]], lift_weight: float
    ) -> list[SparseScores]:
        """Score for each of many baskets, some of which may be empty."""
        filled = [basket for basket in baskets if basket]
        if len(filled) < len(baskets):
            scores = iter(self.basket_scores_each(filled, lift_weight))
            return [next(scores) if basket else SparseScores.none() for basket in baskets]
        if not baskets:
            return []
        rows = RowGroups.of(map(len, baskets))
        anchors = np.array([anchor for basket in baskets for anchor in basket], np.int64)
        entries, _, owners = find_stored(self.indptr, anchors, rows)
        in_basket = is_among(owners.keys(self.item[entries]), np.sort(rows.keys(anchors)))
        entries, owners = entries[~in_basket], owners.select(~in_basket)
        exponents = np.array([_exponent(basket, lift_weight) for basket in baskets], np.float32)
        exponents = exponents[owners.owner] if len(rows) > 1 else exponents
        parts = self._tie_scores(entries, exponents)
        return SparseScores.summed_each(self.item[entries], parts, owners)

    def evidence(
        self, basket: Sequence[int], items: Sequence[int], lift_weight: float
    ) -> list[Iterator[int]]:
        """Return for each item the products of the basket that add to its score.

        The one that adds most comes first; of equal ones the first product of the basket.
        """
        rows = [self.row(anchor) for anchor in basket]
        entries = np.concatenate([np.zeros(0, np.int64), *(np.r_[row] for row in rows)])
        anchors = np.repeat(np.array(basket, np.int64), [row.stop - row.start for row in rows])
        partners = self.item[entries]
        parts = self._tie_scores(entries, np.float32(_exponent(basket, lift_weight)))
        evidence: list[Iterator[int]] = []
        for item in items:
            ties = np.flatnonzero(partners == item)
            tied = anchors[ties]
            evidence.append(map(tied.item, by_size(parts[ties])))
        return evidence

    def lifts(self, anchor: int, row: slice) -> NDArray[np.float64]:
        """Compute P(a, b) / (P(a) P(b)) from plain counts, for the partners in the anchor's row."""
        expected = float(self.orders[anchor]) * self.orders[self.item[row]].astype(np.float64)
        lifts: NDArray[np.float64] = self.together[row] * float(self.total[0]) / expected
        return lifts


def _exponent(basket: Sequence[int], lift_weight: float) -> float:
    return lift_weight * (1 - 1 / max(len(basket), 1))
