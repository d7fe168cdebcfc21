"""Bundles as units: products that belong together, with the figures that say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.assembly.reasons import goes_with
from models.bundles.basket_ranker import BasketRanker
from models.settings import BundleSettings
from models.slate import Bundle, Slot, Source
from models.sources.co_purchases import CoPurchases
from models.sources.substitutes import Substitutes


@dataclass(frozen=True)
class Grower:
    """Adds to a pair what holds to all of it."""

    pairs: CoPurchases
    substitutes: Substitutes
    settings: BundleSettings

    def links(self, anchor: int) -> dict[int, float]:
        """Partners that may stand in a unit with a product, by the strength of their tie."""
        row = self.pairs.row(anchor)
        above_chance = self.pairs.lifts(anchor, row) > 1
        scores = self.pairs.link_scores(row, self.settings.unit_lift_weight)
        links = dict(
            zip(
                self.pairs.item[row][above_chance].tolist(),
                scores[above_chance].tolist(),
                strict=True,
            )
        )
        for rival in self.substitutes.of([anchor]).tolist():
            links.pop(rival, None)
        return links

    def grow(
        self, members: list[int], links: dict[int, float], partners: Sequence[int], size: int
    ) -> list[int]:
        """Add the partner whose weakest tie to the members is strongest, until the unit is full or nothing holds."""
        floor = self.settings.coherence * links[members[1]]
        ties = [links]
        while len(members) < size:
            ties.append(self.links(members[-1]))
            weakest = {
                b: min(tie[b] for tie in ties)
                for b in partners
                if b not in members and all(b in tie for tie in ties)
            }
            joining = min(weakest, key=lambda b: (-weakest[b], b), default=None)
            if joining is None or weakest[joining] < floor:
                break
            members.append(joining)
        return members


def around(
    baskets: BasketRanker, item: int, allowed: NDArray[np.bool_], n: int, size: int
) -> tuple[Bundle, ...]:
    """At most n units of `size` products around one product, best first.

    Every two products of a unit were ordered together often enough and more often than chance would have it, and none
    stands in for another; where no third one holds to both, the unit stays smaller.
    """
    found, scores, order = baskets.ranked([item], allowed)
    grower = Grower(baskets.model.orders, baskets.model.substitutes, baskets.settings)
    links, partners = grower.links(item), found.item[order].tolist()
    bundles: dict[frozenset[int], Bundle] = {}
    for candidate in order.tolist():
        members = grower.grow([item, int(found.item[candidate])], links, partners, size)
        tie = int(found.starts[candidate])  # the only one, as the basket is one product
        bundle = _bundle(
            baskets, item, tuple(members[1:]), float(scores[candidate]), int(found.ties.place[tie])
        )
        bundles.setdefault(frozenset(members), bundle)
        if len(bundles) == n:
            break
    return tuple(bundles.values())


def complete(
    baskets: BasketRanker, basket: Sequence[int], allowed: NDArray[np.bool_], n: int
) -> tuple[Bundle, ...]:
    """At most n single products that complete a basket, best first, each with the basket's product it is tied to."""
    found, scores, order = baskets.ranked(basket, allowed)
    bundles = []
    for candidate in order[:n].tolist():
        tie = found.strongest(candidate)
        anchor, place = int(found.ties.anchor[tie]), int(found.ties.place[tie])
        bundles.append(
            _bundle(baskets, anchor, (int(found.item[candidate]),), float(scores[candidate]), place)
        )
    return tuple(bundles)


def _bundle(
    baskets: BasketRanker, anchor: int, items: tuple[int, ...], score: float, place: int
) -> Bundle:
    """With the figures of the pair at `place`, from plain counts."""
    pairs = baskets.model.orders
    together = int(pairs.together[place])
    lift = float(pairs.lifts(anchor, slice(place, place + 1))[0])
    return Bundle(anchor, items, score, together, together / int(pairs.orders[anchor]), lift)


def after(
    baskets: BasketRanker, order: Sequence[int], allowed: NDArray[np.bool_], n: int, rare: float
) -> tuple[Slot, ...]:
    """What may follow an order and goes with it."""
    units = complete(baskets, sorted(set(order)), follow_up(baskets, order, allowed, rare), n)
    catalogue = baskets.model.catalogue
    return tuple(
        Slot(unit.items[0], unit.score, Source.BOUGHT_TOGETHER, goes_with(catalogue, unit.anchor))
        for unit in units
    )


def follow_up(
    baskets: BasketRanker, order: Sequence[int], allowed: NDArray[np.bool_], rare: float
) -> NDArray[np.bool_]:
    """What may follow an order: nothing of it, and nothing of a category of it that is not needed twice: (items,).

    A category is not needed twice where less than `rare` of the shop's average share of customers buy it again.
    """
    model = baskets.model
    category, repeats = model.traits.category, model.repeats
    known = category[np.asarray(order, np.intp)]
    known = known[known >= 0]
    lines = np.bincount(category + 1, minlength=model.traits.categories + 1)[1:]
    again = np.bincount(category + 1, repeats.rate, len(lines) + 1)[1:] / np.maximum(lines, 1)
    once = known[again[known] < rare * repeats.average[0]]
    result = allowed & ~np.isin(category, once)
    result[np.asarray(order, np.intp)] = False
    return result
