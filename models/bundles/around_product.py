"""Units around one product. What they are made of depends on no customer, so it is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from models.bundles.basket_ranker import FEATURES, BasketCandidates, BasketRanker
from models.bundles.figures import build_unit
from models.bundles.units import PairTies, Partners, UnitGrower
from models.model import Model
from models.slate import Bundle
from models.trees import probability

Mask = NDArray[np.bool_]
Floats = NDArray[np.float32]
Indices = NDArray[np.int64]

KEPT_PRODUCTS: Final = 512  # that were asked about, 20 kB each
KEPT_CHANCES: Final = 2048  # of all partners of a product, half a kB each
KEPT_UNITS: Final = 8192  # with their figures, a kB each
SCORE: Final = FEATURES.index("score")


@dataclass(frozen=True, eq=False)
class ProductTies:
    """Hold what may stand in units around a product while nothing is left out."""

    candidates: BasketCandidates
    rows: Floats  # (c, FEATURES)
    partners: Partners  # (m,)
    candidate_of: Indices  # (m,) the candidate that each partner is

    @classmethod
    def of(cls, baskets: BasketRanker, anchor: int) -> Self:
        everything = np.ones(len(baskets.model.catalogue), np.bool_)
        candidates = baskets.find_candidates([anchor], everything, len(everything))
        item, orders = candidates.item, baskets.model.orders
        ties = PairTies(orders, baskets.unit_limits.stand_ins, baskets.settings)
        partners = Partners.of(anchor, item, orders.together[candidates.ties.pair], ties)
        rows = np.zeros((len(item), len(FEATURES)), np.float32)
        if len(baskets.trees) and len(item):
            rows = baskets.build_rows([anchor], candidates)
        return cls(candidates, rows, partners, item.searchsorted(partners.items))

    def select(self, allowed: Mask, n: int) -> Indices:
        """Return the indices of the n candidates with the highest scores among those allowed."""
        indices = np.flatnonzero(allowed[self.candidates.item])
        if len(indices) <= n:
            return indices
        order = np.argsort(-self.candidates.score[indices], kind="stable")
        return np.sort(indices[order[:n]])


class BundleFinder:
    """A finder of units around products, which keeps what it knows of those lately asked about.

    That depends on the model alone. What is left out for a customer, a page or a rule is left out
    at every call.
    """

    def __init__(self, baskets: BasketRanker) -> None:
        self.baskets = baskets
        self._around = lru_cache(KEPT_PRODUCTS)(partial(ProductTies.of, baskets))
        self._chances = lru_cache(KEPT_CHANCES)(partial(_find_chances, baskets, self._around))
        self._unit = lru_cache(KEPT_UNITS)(partial(_build_unit, baskets.model))
        self._is_pair = lru_cache(KEPT_UNITS)(baskets.model.orders.lists.have_buyers)

    def find(self, anchor: int, allowed: Mask, n: int, size: int) -> tuple[Bundle, ...]:
        """Return at most n units of `size` products around one product, best first.

        Every two products of a unit were ordered together often enough and more often than by
        chance, and none stands in for another; where no third one holds to both, the unit is
        smaller. Units with a best seller come last. `allowed`: (items,).
        """
        around, settings = self._around(anchor), self.baskets.settings
        candidates = around.select(allowed, settings.candidates)
        if len(candidates) == 0:
            return ()
        strongest = int(candidates[np.argmax(around.candidates.score[candidates])])
        is_candidate = np.zeros(len(around.rows), np.bool_)
        is_candidate[candidates] = True
        chosen = np.flatnonzero(is_candidate[around.candidate_of])
        partners = around.partners.at(chosen)
        # score = P(the partner is what is missing) · P(anchor | partner)^weight
        chance = self._chances(anchor, strongest)[around.candidate_of[chosen]]
        share = partners.together / self.baskets.model.orders.orders[partners.items]
        return self._choose(partners, chance * share**settings.partner_weight, n, size)

    def _choose(
        self, partners: Partners, score: NDArray[np.float64], n: int, size: int
    ) -> tuple[Bundle, ...]:
        limits = self.baskets.unit_limits
        grower = UnitGrower(partners, limits, self._is_pair)
        bundles: dict[frozenset[int], Bundle] = {}
        for partner in np.lexsort((-score, limits.best_sellers[partners.items])).tolist():
            items = tuple(partners.items[grower.grow(partner, size)].tolist())
            if items and frozenset(items) not in bundles:
                unit = self._unit(partners.anchor, items)
                bundles[frozenset(items)] = replace(unit, score=float(score[partner]))
            if len(bundles) == n:
                break
        return tuple(bundles.values())


def _find_chances(
    baskets: BasketRanker, around: Callable[[int], ProductTies], anchor: int, strongest: int
) -> Floats:
    """Return how likely each candidate is what is missing, where one is the strongest: (c,)."""
    score, rows = around(anchor).candidates.score, around(anchor).rows
    if not len(baskets.trees):
        return score
    rows = rows.copy(order="K")
    rows[:, SCORE] = np.log(score / score[strongest])
    return probability(baskets.trees.scores(rows))


def _build_unit(model: Model, anchor: int, items: tuple[int, ...]) -> Bundle:
    return build_unit(model, [anchor], items)
