"""Bundles as units: products that belong together, with the figures that say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.bundles.basket_ranker import BasketRanker
from models.ranking.reasons import bought_together, choose_reasons
from models.settings import BundleSettings
from models.slate import Bundle, Slot, Source
from models.sources.co_purchases import CoPurchases
from models.sources.substitutes import Substitutes

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class UnitGrower:
    """Adds to a pair of products what holds to both."""

    pairs: CoPurchases
    substitutes: Substitutes
    settings: BundleSettings

    def find_links(self, anchor: int) -> dict[int, float]:
        """Map the partners that may be in a unit with a product to the strength of their tie."""
        row = self.pairs.row(anchor)
        above_chance = self.pairs.lifts(anchor, row) > 1
        items = self.pairs.item[row][above_chance].tolist()
        scores = self.pairs.link_scores(row, self.settings.unit_lift_weight)[above_chance].tolist()
        links = dict(zip(items, scores, strict=True))
        for substitute in self.substitutes.of([anchor]).tolist():
            links.pop(substitute, None)
        return links

    def grow(
        self, members: list[int], links: dict[int, float], partners: Sequence[int], size: int
    ) -> list[int]:
        """Add the partner with the strongest weakest tie, until the unit is full or none holds.

        `members`: a product with these links and a partner of it.
        """
        floor = self.settings.coherence * links[members[1]]
        links_of_members = [links]
        while len(members) < size:
            links_of_members.append(self.find_links(members[-1]))
            weakest = _weakest_ties(links_of_members, partners, members)
            joining = min(weakest, key=lambda partner: (-weakest[partner], partner), default=None)
            if joining is None or weakest[joining] < floor:
                break
            members.append(joining)
        return members


def _weakest_ties(
    links_of_members: Sequence[dict[int, float]], partners: Sequence[int], members: Sequence[int]
) -> dict[int, float]:
    """Map partners that are tied to all members to the weakest of these ties."""
    weakest = {}
    for partner in partners:
        if partner not in members and all(partner in links for links in links_of_members):
            weakest[partner] = min(links[partner] for links in links_of_members)
    return weakest


def find_bundles(
    baskets: BasketRanker, item: int, allowed: Mask, n: int, size: int
) -> tuple[Bundle, ...]:
    """Return at most n units of `size` products around one product, best first.

    Every two products of a unit were ordered together often enough and more often than by chance,
    and none is a substitute of another; where no third one holds to both, the unit is smaller.
    """
    candidates, scores, order = baskets.rank([item], allowed)
    grower = UnitGrower(baskets.model.orders, baskets.model.substitutes, baskets.settings)
    links, partners = grower.find_links(item), candidates.item[order].tolist()
    bundles: dict[frozenset[int], Bundle] = {}
    for candidate in order.tolist():
        members = grower.grow([item, int(candidates.item[candidate])], links, partners, size)
        tie = int(candidates.starts[candidate])  # the only one, as the basket is one product
        pair, score = int(candidates.ties.pair[tie]), float(scores[candidate])
        bundle = _bundle(baskets, item, tuple(members[1:]), score, pair)
        bundles.setdefault(frozenset(members), bundle)
        if len(bundles) == n:
            break
    return tuple(bundles.values())


def complete_basket(
    baskets: BasketRanker, basket: Sequence[int], allowed: Mask, n: int
) -> tuple[Bundle, ...]:
    """Return at most n products that complete a basket, best first.

    Each is a unit with the product of the basket that it has its strongest tie to.
    """
    candidates, scores, order = baskets.rank(basket, allowed)
    bundles = []
    for candidate in order[:n].tolist():
        tie = candidates.strongest_tie(candidate)
        anchor, pair = int(candidates.ties.anchor[tie]), int(candidates.ties.pair[tie])
        items = (int(candidates.item[candidate]),)
        bundles.append(_bundle(baskets, anchor, items, float(scores[candidate]), pair))
    return tuple(bundles)


def _bundle(
    baskets: BasketRanker, anchor: int, items: tuple[int, ...], score: float, pair: int
) -> Bundle:
    """Build a unit with the figures of a pair, from plain counts."""
    pairs = baskets.model.orders
    together = int(pairs.together[pair])
    lift = float(pairs.lifts(anchor, slice(pair, pair + 1))[0])
    return Bundle(anchor, items, score, together, together / int(pairs.orders[anchor]), lift)


def follow_order(
    baskets: BasketRanker, order: Sequence[int], allowed: Mask, n: int, rare: float
) -> tuple[Slot, ...]:
    """Return at most n products that go with an order and may follow it, best first."""
    allowed = allowed & ~find_not_needed(baskets, order, rare)
    model, basket = baskets.model, sorted(set(order))
    units = complete_basket(baskets, basket, allowed, n)
    items = [unit.items[0] for unit in units]
    explained = bought_together(
        model.orders, model.catalogue, [basket], items, baskets.settings.lift_weight
    )
    slots = []
    for unit, reason in zip(units, choose_reasons(explained), strict=True):
        slots.append(Slot(unit.items[0], unit.score, Source.BOUGHT_TOGETHER, reason))
    return tuple(slots)


def find_not_needed(baskets: BasketRanker, order: Sequence[int], rare: float) -> Mask:
    """Return what is of an order, or of a category of it that is not needed twice: (items,).

    A category is not needed twice where fewer than `rare` of the shop's average share of customers
    buy it again.
    """
    model = baskets.model
    category, repeats = model.traits.category, model.repeats
    items = np.asarray(order, np.intp)
    lines = np.bincount(category + 1, minlength=model.traits.categories + 1)[1:]
    again = np.bincount(category + 1, repeats.rate, len(lines) + 1)[1:] / np.maximum(lines, 1)
    categories = category[items][category[items] >= 0]
    once = categories[again[categories] < rare * repeats.average[0]]
    not_needed = np.isin(category, once)
    not_needed[items] = True
    return not_needed
