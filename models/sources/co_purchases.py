"""Products that stand in the same orders.

S. Brin, R. Motwani, J. D. Ullman, S. Tsur: Dynamic Itemset Counting and Implication Rules for
Market Basket Data, 1997.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models.data.ragged import RowGroups, find_stored, is_among
from models.sources.scores import SparseScores, by_size

Floats = NDArray[np.float32]
MIN_BUYERS: Final = 2  # who bought two products together, where both may be a unit


def _no_indices() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)


def _no_orders() -> NDArray[np.int32]:
    return np.zeros(0, np.int32)


@dataclass(frozen=True, eq=False)
class OrderLists:
    """Hold the orders with item a in `order[indptr[a]:indptr[a + 1]]`, sorted.

    They are the orders that pairs are counted in, by numbers that stand for nothing else. A model
    of before has no lists.
    """

    indptr: NDArray[np.int64] = field(default_factory=_no_indices)  # (items + 1,)
    order: NDArray[np.int32] = field(default_factory=_no_orders)  # (lines,)
    user: NDArray[np.int32] = field(default_factory=_no_orders)  # (orders,) -1 a guest

    def __bool__(self) -> bool:
        return len(self.indptr) > 0

    def of(self, item: int) -> NDArray[np.int32]:
        """Return the orders with a product, sorted."""
        return self.order[self.indptr[item] : self.indptr[item + 1]]

    def of_all(self, items: Sequence[int]) -> NDArray[np.int32]:
        """Return the orders that hold all of these products, one at least, sorted."""
        rarest, *others = sorted(items, key=lambda item: len(self.of(item)))
        orders = self.of(rarest)
        for item in others:
            orders = self.narrow(orders, item)
        return orders

    def narrow(self, orders: NDArray[np.int32], item: int) -> NDArray[np.int32]:
        """Return which of some orders hold a product, too."""
        return orders[is_among(orders, self.of(item))]

    def count_buyers(self, orders: NDArray[np.int32]) -> int:
        """Count who placed some orders; each guest is another one."""
        user = self.user[orders]
        return len(np.unique(user[user >= 0])) + int(np.count_nonzero(user < 0))

    def have_buyers(self, item: int, other: int) -> bool:
        """Tell whether two who bought both of two products in one order; true if nobody knows."""
        if not self:
            return True
        return self.count_buyers(self.of_all([item, other])) >= MIN_BUYERS

    def without(self, users: NDArray[np.bool_]) -> Self:
        """Return the lists without the orders of some users: (users,)."""
        left_out = np.append(users, False)[self.user]  # the last one for guests
        kept = ~left_out[self.order]
        before = np.concatenate([[0], np.cumsum(kept)])
        user = np.where(left_out, np.int32(-1), self.user)
        return replace(self, indptr=before[self.indptr], order=self.order[kept], user=user)


@dataclass(frozen=True, eq=False)
class CoPurchases:
    """Hold the strongest partners of item a in the entries `indptr[a]:indptr[a + 1]`, by item.

    `strength` and `log_lift` come from orders that count less when they are old or large, and are
    damped; they rank. `together`, `orders`, `total` and `lists` are plain counts, from which the
    figures of a unit are computed.
    """

    indptr: NDArray[np.int64]  # (items + 1,)
    item: NDArray[np.int32]  # (pairs,)
    strength: Floats  # (pairs,) damped P(b | a), normed over the partners of a
    log_lift: Floats  # (pairs,) ln of the damped lift
    together: NDArray[np.int32]  # (pairs,) orders with both
    orders: NDArray[np.int32]  # (items,) orders with the product
    total: NDArray[np.int64]  # (1,) orders
    lists: OrderLists = field(default_factory=OrderLists)

    def row(self, item: int) -> slice:
        """Return the entries of the partners of a product."""
        return slice(int(self.indptr[item]), int(self.indptr[item + 1]))

    def count_orders(self, items: Sequence[int]) -> int | None:
        """Count the orders that hold all of some products, one at least; None: nobody knows.

        Of a product that was not bought often enough to learn from nothing is known.
        """
        if not all(self.orders[item] for item in items):
            return None
        if len(items) == 1:
            return int(self.orders[items[0]])
        counted = self._find_count(*items) if len(items) == 2 else None
        if counted is None and self.lists:
            return len(self.lists.of_all(items))
        return counted

    def _find_count(self, one: int, other: int) -> int | None:
        """Return the orders with both where they are partners, else None."""
        for a, b in ((one, other), (other, one)):
            row = self.row(a)
            entry = row.start + int(self.item[row].searchsorted(b))
            if entry < row.stop and self.item[entry] == b:
                return int(self.together[entry])
        return None

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


def _exponent(basket: Sequence[int], lift_weight: float) -> float:
    return lift_weight * (1 - 1 / max(len(basket), 1))
