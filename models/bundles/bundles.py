"""Bundles as units: products that belong together, with the figures that say so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.bundles.basket_ranker import BasketRanker
from models.bundles.figures import build_unit
from models.bundles.units import Partners, UnitGrower
from models.ranking.reasons import bought_together, choose_reasons
from models.slate import Bundle, Slot, Source

Mask = NDArray[np.bool_]


def find_bundles(
    baskets: BasketRanker, anchor: int, allowed: Mask, n: int, size: int
) -> tuple[Bundle, ...]:
    """Return at most n units of `size` products around one product, best first.

    Every two products of a unit were ordered together often enough and more often than by chance,
    and none stands in for another; where no third one holds to both, the unit is smaller. Units
    with a best seller come last.
    """
    model, settings, limits = baskets.model, baskets.settings, baskets.unit_limits
    candidates, scores, _ = baskets.rank([anchor], allowed)
    partners = Partners.of(anchor, candidates.item, model.orders, limits.stand_ins, settings)
    # score = P(the partner is what is missing) · P(anchor | partner)^weight
    chance = scores[candidates.item.searchsorted(partners.items)]
    share = partners.together / model.orders.orders[partners.items]
    score = chance * share**settings.partner_weight
    grower = UnitGrower(partners, model.orders, limits, settings)
    bundles: dict[frozenset[int], Bundle] = {}
    for partner in np.lexsort((-score, limits.best_sellers[partners.items])).tolist():
        items = tuple(partners.items[grower.grow(partner, size)].tolist())
        if items and frozenset(items) not in bundles:
            bundles[frozenset(items)] = build_unit(model, [anchor], items, float(score[partner]))
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
        anchor = int(candidates.ties.anchor[candidates.strongest_tie(candidate)])
        item, score = int(candidates.item[candidate]), float(scores[candidate])
        bundles.append(build_unit(baskets.model, [anchor], [item], score))
    return tuple(bundles)


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
