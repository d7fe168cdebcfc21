"""The order of products that a caller gives: what may keep one out, and where each one stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.assembly.assemble import RankedCandidates, order_each, slots_of_each
from models.assembly.popular import Bestsellers
from models.data.catalogue import Catalogue
from models.data.ragged import is_among
from models.ranking.context import RankingContext
from models.ranking.ranker import Ranker
from models.rules.eligibility import NOT_FOR_SALE, ExclusionRule, Removed, find_allowed
from models.rules.rule_effects import RuleEffects, insert_pinned
from models.slate import GivenProducts, OutOfStock, RankedProducts, Slot, Source

Items = NDArray[np.int64]
NO_PRODUCTS: Final = RankedProducts(np.zeros(0, np.int64), np.zeros(0, np.float32))


class OrderedProducts(NamedTuple):
    """Products in their order: slots of the first ones, and the others."""

    slots: tuple[Slot, ...]
    rest: RankedProducts


@dataclass(frozen=True, eq=False)
class JudgedProducts:
    """Hold given products: those that are ranked, and why the others are not."""

    items: Items  # (kept,) sorted
    left_out: tuple[tuple[int, str], ...]  # sorted, each with the name of an ExclusionRule
    last: Items  # that stand behind all others, sorted
    pins: Mapping[int, int]  # position from 0 -> the item that the shop shows there
    explained: int  # of the first, the source and the reason are told
    most: int | None  # that are shown; None: all

    def place(self, order: Items) -> Items:
        """Return the indices of items in their order, with pins and what stands last in place."""
        is_last = is_among(order, self.last)
        placed, last = np.flatnonzero(~is_last), np.flatnonzero(is_last)
        if self.pins:
            pinned = [int(np.flatnonzero(order == item)[0]) for item in self.pins.values()]
            rest = placed[~is_among(placed, np.sort(pinned))].tolist()
            index_at = dict(zip(self.pins, pinned, strict=True))
            placed = np.array(insert_pinned(rest, index_at), np.int64)
        return np.concatenate([placed, last])[: self.most]


def remove_unoffered(
    catalogue: Catalogue, as_of: int, market: str | None, effects: RuleEffects
) -> Removed:
    """Remove what is not sold then and there, in stock or not, and what the shop's rules do.

    The result is read-only.
    """
    offered = catalogue.offered(as_of, market, effects.opened)
    removed = np.where(offered, effects.removed, NOT_FOR_SALE)
    removed.flags.writeable = False  # all rankings share it
    return removed


def judge_given(
    given: GivenProducts, removed: Removed, effects: RuleEffects, catalogue: Catalogue
) -> JudgedProducts:
    """Judge given products by what is removed (items,), which does not look at the stock."""
    items = np.sort(np.array(given.items, np.int64))
    rules, sold_out = removed[items], ~catalogue.in_stock[items]
    if given.out_of_stock is OutOfStock.REMOVE:
        rules[find_allowed(rules) & sold_out] = NOT_FOR_SALE
    kept = find_allowed(rules)
    behind = kept & sold_out if given.out_of_stock is OutOfStock.LAST else np.zeros_like(kept)
    ranked = items[kept & ~behind]
    pins: dict[int, int] = {}
    for position, item in effects.pins:
        if item in ranked and position not in pins and item not in pins.values():
            pins[position] = item
    names = [ExclusionRule(rule).name for rule in rules[~kept].tolist()]
    return JudgedProducts(
        items[kept],
        tuple(zip(items[~kept].tolist(), names, strict=True)),
        items[behind],
        pins,
        given.explained,
        given.most,
    )


def order_for_customer(
    judged: JudgedProducts, context: RankingContext, effects: RuleEffects, ranker: Ranker
) -> OrderedProducts:
    """Return the products in the order of their scores, as the shop's rules move them."""
    if len(judged.items) == 0:
        return OrderedProducts((), NO_PRODUCTS)
    items = judged.items
    ranked = order_each([items], [items], [context], [effects], [dict(judged.pins)], ranker)[0]
    placed = ranked.at(judged.place(ranked.items))
    first = placed.at(np.arange(min(judged.explained, len(placed.items))))
    slots = slots_of_each([first], [context], ranker)[0] if len(first.items) else ()
    return OrderedProducts(slots, _without_reasons(placed, len(slots), ranker))


def _without_reasons(placed: RankedCandidates, explained: int, ranker: Ranker) -> RankedProducts:
    scores = ranker.shown_scores(placed.scores[explained:])
    return RankedProducts(placed.items[explained:], scores)


def order_by_sales(judged: JudgedProducts, bestsellers: Bestsellers) -> OrderedProducts:
    """Return the products, what sells best first; those that never sold last, by item."""
    waiting = np.zeros(len(bestsellers.scores), np.bool_)
    waiting[judged.items] = True
    sold = bestsellers.order[waiting[bestsellers.order]]
    waiting[sold] = False
    order: Items = np.append(sold, np.flatnonzero(waiting))
    placed = order[judged.place(order)]
    slots = tuple(bestsellers.slots(placed[: judged.explained].tolist(), Source.POPULAR))
    rest = placed[judged.explained :]
    return OrderedProducts(slots, RankedProducts(rest, bestsellers.scores[rest]))
