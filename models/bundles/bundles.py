"""Bundles as units: products that belong together, with the figures that say so."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.bundles.basket_ranker import BasketRanker
from models.bundles.figures import build_unit
from models.ranking.reasons import bought_together, choose_reasons
from models.slate import Bundle, Slot, Source

Mask = NDArray[np.bool_]


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
