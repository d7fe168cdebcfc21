"""Units of products around one: every two of them tied beyond chance, none in another's place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from models.bundles.stand_ins import StandIns
from models.data.ragged import RowGroups, find_stored
from models.model import Model
from models.settings import BundleSettings
from models.sources.co_purchases import CoPurchases, OrderLists

Floats = NDArray[np.float64]
Items = NDArray[np.integer[Any]]
Mask = NDArray[np.bool_]
PAIR: Final = 2  # products in the smallest unit


@dataclass(frozen=True, eq=False)
class UnitLimits:
    """Hold what keeps products of a model out of one unit."""

    stand_ins: StandIns
    best_sellers: Mask  # (items,) they go with everything

    @classmethod
    def of(cls, model: Model, settings: BundleSettings) -> Self:
        """Return the limits of a model with its products as they are now."""
        best_sellers = _find_best_sellers(model.orders.orders, settings)
        return cls(StandIns.in_units(model), best_sellers)


def _find_best_sellers(orders: NDArray[np.int32], settings: BundleSettings) -> Mask:
    """Mark the products in most orders: (items,); of equal ones the first by id."""
    sold = int(np.count_nonzero(orders))
    n = min(settings.best_sellers, int(settings.best_seller_share * sold))
    marks = np.zeros(len(orders), np.bool_)
    marks[np.argsort(-orders.astype(np.int64), kind="stable")[:n]] = True
    return marks


@dataclass(frozen=True, eq=False)
class PairTies:
    """Tells how closely two products are tied: 0 is a tie that no unit may hold."""

    pairs: CoPurchases
    stand_ins: StandIns
    settings: BundleSettings

    def closeness(self, items: Items, others: Items, together: NDArray[np.integer[Any]]) -> Floats:
        """Return how close items (c,) are to others (d,), which orders hold together: (c, d)."""
        orders = self.pairs.orders
        product = np.outer(orders[items].astype(np.float64), orders[others])
        # lift(a, b) = n_ab n / (n_a n_b)
        tied = together * int(self.pairs.total[0]) > self.settings.min_lift * product
        tied &= together >= self.settings.min_support
        tied &= ~self.stand_ins.between(items, others)
        # closeness(a, b) = n_ab / √(n_a n_b)
        return np.where(tied, together / np.sqrt(np.maximum(product, 1)), 0.0)


@dataclass(frozen=True, eq=False)
class Partners:
    """Hold products (m,) that may be in a unit with an anchor, and how they are tied."""

    anchor: int
    items: Items  # (m,)
    together: NDArray[np.integer[Any]]  # (m,) orders with the anchor
    closeness: Floats  # (m,) to the anchor
    ties: PairTies

    @classmethod
    def of(
        cls, anchor: int, candidates: Items, together: NDArray[np.integer[Any]], ties: PairTies
    ) -> Self:
        """Return those of different candidates (c,) that are tied to an anchor beyond chance.

        `together`: the orders of each with the anchor (c,).
        """
        closeness = ties.closeness(np.array([anchor]), candidates, together)[0]
        every = cls(anchor, candidates, together.astype(np.int64), closeness, ties)
        return every.at(np.flatnonzero(closeness > 0))

    def at(self, indices: NDArray[np.int64]) -> Self:
        """Return some of the partners, in the order of the indices."""
        return replace(
            self,
            items=self.items[indices],
            together=self.together[indices],
            closeness=self.closeness[indices],
        )

    @cached_property
    def between(self) -> Floats:
        """Return how close the partners are to one another: (m, m)."""
        together = _count_together(self.ties.pairs, self.items)
        return self.ties.closeness(self.items, self.items, together)


def _count_together(pairs: CoPurchases, items: Items) -> NDArray[np.int64]:
    """Return the orders that hold two of some different items, where they are partners: (m, m)."""
    together = np.zeros((len(items), len(items)), np.int64)
    entries, counts, _ = find_stored(pairs.indptr, items, RowGroups.of([len(items)]))
    row = np.arange(len(items)).repeat(counts)
    order = np.argsort(items)
    column = order.take(items[order].searchsorted(pairs.item[entries]), mode="clip")
    is_item = items[column] == pairs.item[entries]
    together[row[is_item], column[is_item]] = pairs.together[entries[is_item]]
    return np.maximum(together, together.T)


@dataclass(frozen=True, eq=False)
class UnitGrower:
    """Grows units from an anchor and a partner.

    A unit has as many buyers as products. Of three and more, so many orders hold all of it that it
    is none by chance, and none of them is a best seller, which would go with everything.
    """

    partners: Partners
    limits: UnitLimits
    is_pair: Callable[[int, int], bool]  # whether several bought two products together

    def grow(self, partner: int, size: int) -> list[int]:
        """Return the indices of the partners in a unit of at most `size` products; [] for none.

        It begins with one; the partner with the strongest weakest tie to all joins.
        """
        anchor, item = self.partners.anchor, int(self.partners.items[partner])
        if not self.is_pair(anchor, item):
            return []
        members = [partner]
        if size == PAIR or not self._order_lists or not self._may_grow[partner]:
            return members
        orders = self._order_lists.of_all([anchor, item])
        weakest = np.minimum(self.partners.closeness, self.partners.between[partner])
        weakest[weakest < self._settings.coherence * self.partners.closeness[partner]] = 0
        while len(members) < size - 1:
            found = self._find_joining(orders, weakest, buyers=len(members) + 2)
            if found is None:
                break
            joining, orders = found
            members.append(joining)
            weakest = np.minimum(weakest, self.partners.between[joining])
        return members

    def _find_joining(
        self, orders: NDArray[np.int32], weakest: Floats, buyers: int
    ) -> tuple[int, NDArray[np.int32]] | None:
        """Return who joins a unit that these orders hold, and the orders that hold both."""
        listed, partner = self._lists
        is_order = np.zeros(len(self._order_lists.user), np.bool_)
        is_order[orders] = True
        counts = np.bincount(partner[is_order[listed]], minlength=len(weakest))
        fit = np.flatnonzero((weakest > 0) & (counts >= self._settings.min_unit_support))
        for joining in fit[np.argsort(-weakest[fit], kind="stable")].tolist():
            common = self._order_lists.narrow(orders, int(self.partners.items[joining]))
            if self._order_lists.count_buyers(common) >= buyers:
                return joining, common
        return None

    @property
    def _order_lists(self) -> OrderLists:
        return self.partners.ties.pairs.lists

    @property
    def _settings(self) -> BundleSettings:
        return self.partners.ties.settings

    @cached_property
    def _may_grow(self) -> Mask:
        """Mark the partners that units of three and more may hold: (m,)."""
        often = self.partners.together >= self._settings.min_unit_support
        best_sellers = self.limits.best_sellers
        held = best_sellers[self.partners.items] | best_sellers[self.partners.anchor]
        marks: Mask = often & ~held
        return marks

    @cached_property
    def _lists(self) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Return the anchor's orders with each partner, and which partner it is: (lines,) each."""
        lists, anchor = self._order_lists, self.partners.anchor
        chosen = np.flatnonzero(self._may_grow).tolist()
        common = [lists.of_all([anchor, int(self.partners.items[index])]) for index in chosen]
        listed = np.concatenate([np.zeros(0, np.int32), *common])
        return listed, np.array(chosen, np.int64).repeat([len(orders) for orders in common])
