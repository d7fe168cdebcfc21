"""The order of products that a caller gives: what may keep one out, and where each one stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.assembly.assemble import RankedCandidates, order_each, slots_of_each
from models.assembly.popular import Bestsellers
from models.data.catalogue import Catalogue
from models.ranking.context import RankingContext
from models.ranking.ranker import Ranker
from models.rules.eligibility import ExclusionRule, Removed
from models.rules.rule_effects import RuleEffects, insert_pinned
from models.slate import GivenProducts, OutOfStock, RankedProducts, Slot, Source

Items = NDArray[np.int64]


class OrderedProducts(NamedTuple):
    """Products in their order: slots of the first ones, and the others."""

    slots: tuple[Slot, ...]
    rest: RankedProducts


@dataclass(frozen=True, eq=False)
class JudgedProducts:
    """Hold given products: those that are ranked, and why the others are not."""

    items: Items  # (kept,) sorted
    left_out: tuple[tuple[int, str], ...]  # sorted, each with the name of an ExclusionRule
    last: frozenset[int]  # items that stand behind all others
    pins: Mapping[int, int]  # position from 0 -> the item that the shop shows there
    explained: int  # of the first, the source and the reason are told
    most: int | None  # that are shown; None: all

    def place(self, order: Items) -> list[int]:
        """Return the items in their order around what is pinned, what stands last behind them."""
        pinned = {*self.pins.values()}
        items = order.tolist()
        first = [item for item in items if item not in pinned and item not in self.last]
        placed = insert_pinned(first, self.pins) + [item for item in items if item in self.last]
        return placed[: self.most]


def remove_unoffered(
    catalogue: Catalogue, as_of: int, market: str | None, effects: RuleEffects
) -> Removed:
    """Remove what is not sold then and there, in stock or not, and what the shop's rules do."""
    offered = catalogue.offered(as_of, market)
    return np.where(offered, effects.removed, ExclusionRule.NOT_FOR_SALE).astype(np.uint8)


def judge_given(
    given: GivenProducts, removed: Removed, effects: RuleEffects, catalogue: Catalogue
) -> JudgedProducts:
    """Judge given products by what is removed (items,), which does not look at the stock."""
    items = np.array(sorted(given.items), np.int64)
    rules, sold_out = removed[items], ~catalogue.in_stock[items]
    if given.out_of_stock is OutOfStock.REMOVE:
        rules[(rules == ExclusionRule.NONE) & sold_out] = ExclusionRule.NOT_FOR_SALE
    kept = rules == ExclusionRule.NONE
    behind = kept & sold_out if given.out_of_stock is OutOfStock.LAST else np.zeros_like(kept)
    ranked = set(items[kept & ~behind].tolist())
    pins: dict[int, int] = {}
    for position, item in effects.pins:
        if item in ranked and position not in pins:
            pins[position] = item
            ranked.discard(item)
    names = [ExclusionRule(rule).name for rule in rules[~kept].tolist()]
    return JudgedProducts(
        items[kept],
        tuple(zip(items[~kept].tolist(), names, strict=True)),
        frozenset(items[behind].tolist()),
        pins,
        given.explained,
        given.most,
    )


def order_for_customer(
    judged: JudgedProducts, context: RankingContext, effects: RuleEffects, ranker: Ranker
) -> OrderedProducts:
    """Return the products in the order of their scores, as the shop's rules move them."""
    if len(judged.items) == 0:
        return OrderedProducts((), RankedProducts((), ()))
    items = judged.items
    ranked = order_each([items], [items], [context], [effects], [dict(judged.pins)], ranker)[0]
    index_of = {item: index for index, item in enumerate(ranked.items.tolist())}
    indices = [index_of[item] for item in judged.place(ranked.items)]
    placed = ranked.at(np.array(indices, np.int64))
    first = placed.at(np.arange(min(judged.explained, len(indices))))
    slots = slots_of_each([first], [context], ranker)[0] if len(first.items) else ()
    return OrderedProducts(slots, _without_reasons(placed, len(slots), ranker))


def _without_reasons(placed: RankedCandidates, explained: int, ranker: Ranker) -> RankedProducts:
    scores = ranker.shown_scores(placed.scores[explained:])
    return _plain(placed.items[explained:], scores)


def _plain(items: Items, scores: NDArray[np.float32]) -> RankedProducts:
    return RankedProducts(tuple(items.tolist()), tuple(scores.tolist()))


def order_by_sales(judged: JudgedProducts, bestsellers: Bestsellers) -> OrderedProducts:
    """Return the products, what sells best first; those that never sold last, by item."""
    waiting = np.zeros(len(bestsellers.scores), np.bool_)
    waiting[judged.items] = True
    sold = bestsellers.order[waiting[bestsellers.order]]
    waiting[sold] = False
    placed = judged.place(np.append(sold, np.flatnonzero(waiting)))
    slots = tuple(bestsellers.slots(placed[: judged.explained], Source.POPULAR))
    rest = np.array(placed[judged.explained :], np.int64)
    return OrderedProducts(slots, _plain(rest, bestsellers.scores[rest]))
