"""Effects of the shop's rules on a catalogue and on the order of a slate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.data.catalogue import Catalogue
from models.data.ids import find_known
from models.rules.eligibility import ExclusionRule, Removed, find_allowed, remove_unsellable
from models.rules.shop_rules import (
    BoostRule,
    BuryRule,
    CapRule,
    EarlyAccessRule,
    PinRule,
    ShopRule,
)
from models.sources.scores import rank_best

T = TypeVar("T")
Floats = NDArray[np.float32]

CAP_SPAN: Final = 10  # products that the maximum of a cap is counted in
MOST_BOOSTED: Final = 20  # products that a customer's slate may take from the shop's boosts
EXCLUSION_OF: Final[Mapping[str, ExclusionRule]] = {
    "filter": ExclusionRule.SHOP_FILTER,
    "exclude": ExclusionRule.SHOP_EXCLUDED,
    "minimum": ExclusionRule.SHOP_MINIMUM,
}


@dataclass(frozen=True, eq=False)
class Cap:
    """A limit on how many products of one category or brand a slate holds."""

    codes: NDArray[np.int32]  # (items,) the category or brand that it counts, -1: not counted
    most: int  # of one code, in ten products


@dataclass(frozen=True, eq=False)
class RuleEffects:
    """Hold what the rules in force do to every product; the same for all customers."""

    removed: Removed
    log_odds: Floats  # (items,) ln of the factor by which boosts and buries change purchase odds
    boosted: NDArray[np.int64]  # items whose odds are raised
    pins: tuple[tuple[int, int], ...]  # (position from 0, item) in the order of the rules
    caps: tuple[Cap, ...]
    # (items,) products that are shown before they are for everyone; None: no rule opens any
    opened: NDArray[np.bool_] | None = None

    def shop_candidates(
        self, removed: Removed, sales: Floats, pinned: Mapping[int, int]
    ) -> NDArray[np.int64]:
        """Return what the shop proposes: pinned items, and boosted ones that sell best."""
        if len(self.boosted) == 0 and not pinned:
            return self.boosted
        boosted = self.boosted[find_allowed(removed[self.boosted])]
        bestsellers = boosted[rank_best(1 + sales[boosted], MOST_BOOSTED)]
        return np.append(bestsellers, np.array(list(pinned.values()), np.int64))

    def pinned_positions(self, removed: Removed, n: int) -> dict[int, int]:
        """Map positions from 0 to the items pinned there, of those that rules and caps let in.

        The first of two items for one position has it; the second one gets the next position that
        is free once every other item has its own.
        """
        pinned: dict[int, int] = {}
        counter = CapCounter(self.caps, n)
        waiting = []
        for position, item in self.pins:
            if removed[item] != ExclusionRule.NONE or position >= n:
                continue
            if position in pinned:
                waiting.append((position, item))
            elif counter.take(item):
                pinned[position] = item
        for wanted, item in waiting:
            free = next((later for later in range(wanted, n) if later not in pinned), None)
            if free is not None and counter.take(item):
                pinned[free] = item
        return pinned

    def reorder(self, order: NDArray[np.int32], lines: Floats) -> NDArray[np.int32]:
        """Sort bestsellers by ln(1 + lines) + log odds, best first; ties keep their order."""
        if not self.log_odds.any():
            return order
        scores = np.log1p(lines[order], dtype=np.float64) + self.log_odds[order]
        return order[np.argsort(-scores, kind="stable")]


class CapCounter:
    """Counts what caps leave room for in one slate of n. A product is shown once."""

    def __init__(self, caps: Sequence[Cap], n: int, shown: Iterable[int] = ()) -> None:
        self.counts: list[tuple[NDArray[np.int32], int, dict[int, int]]] = [
            (cap.codes, ceil(n * cap.most / CAP_SPAN), {}) for cap in caps
        ]
        self.shown: set[int] = set()
        for item in shown:
            self.show(item)

    def fits(self, item: int) -> bool:
        if item in self.shown:
            return False
        for codes, most, count in self.counts:
            code = codes.item(item)
            if code >= 0 and count.get(code, 0) >= most:
                return False
        return True

    def show(self, item: int) -> None:
        self.shown.add(item)
        for codes, _, count in self.counts:
            code = codes.item(item)
            count[code] = count.get(code, 0) + 1

    def take(self, item: int) -> bool:
        """Show an item if it fits, and return whether it did."""
        fits = self.fits(item)
        if fits:
            self.show(item)
        return fits


def build_rule_effects(rules: Sequence[ShopRule], catalogue: Catalogue) -> RuleEffects:
    """Apply rules to the products of a catalogue."""
    removed, log_odds = np.zeros(len(catalogue), np.uint8), np.zeros(len(catalogue), np.float32)
    pins: list[tuple[int, int]] = []
    caps = []
    opened: NDArray[np.bool_] | None = None
    for rule in rules:
        matched = rule.matches(catalogue)
        if isinstance(rule, BoostRule):
            log_odds[matched] += np.log(rule.strength)
        elif isinstance(rule, BuryRule):
            log_odds[matched] -= np.log(rule.strength)
        elif isinstance(rule, PinRule):
            items = find_known(catalogue.ids, rule.which.product_ids or ())
            pins += [(rule.position - 1, item) for item in items if matched[item]]
        elif isinstance(rule, CapRule):
            codes = catalogue.category if rule.by == "category" else catalogue.brand
            caps.append(Cap(np.where(matched, codes, np.int32(-1)), rule.most))
        elif isinstance(rule, EarlyAccessRule):
            opened = matched if opened is None else opened | matched
        else:
            kept_out = rule.keeps_out(catalogue)
            removed[find_allowed(removed) & kept_out] = EXCLUSION_OF[rule.kind]
    boosted = np.flatnonzero(log_odds > 0)
    return RuleEffects(removed, log_odds, boosted, tuple(pins), tuple(caps), opened)


def remove_unavailable(
    catalogue: Catalogue, as_of: int, market: str | None, effects: RuleEffects
) -> Removed:
    """Remove what the catalogue and the shop's rules keep from everyone; read-only."""
    removed = remove_unsellable(catalogue, as_of, market, effects.opened)
    removed = np.where(find_allowed(removed), effects.removed, removed)
    removed.flags.writeable = False  # all slates share it
    return removed


def insert_pinned(rest: Iterable[T], pinned: Mapping[int, T]) -> list[T]:
    """Return the rest in its order around what is pinned, which is last where the rest is short."""
    placed = list(rest)
    for position in sorted(pinned):
        placed.insert(position, pinned[position])
    return placed
