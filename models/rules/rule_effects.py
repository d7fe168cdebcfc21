"""What the shop's rules do to a catalogue and to the order of a slate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from models.data.catalogue import Catalogue
from models.rules.eligibility import ExclusionRule, Removed, not_for_sale
from models.rules.shop_rules import CapBy, RuleKind, ShopRule
from models.sources.scores import best

T = TypeVar("T")
TEN: Final = 10
BOOSTED: Final = 20  # products that a customer's slate may take from the shop's boosts
NAMES: Final = {
    RuleKind.FILTER: ExclusionRule.SHOP_FILTER,
    RuleKind.EXCLUDE: ExclusionRule.SHOP_EXCLUDED,
    RuleKind.MINIMUM: ExclusionRule.SHOP_MINIMUM,
}


@dataclass(frozen=True, eq=False)
class Cap:
    codes: NDArray[
        np.int32
    ]  # (items,) the category or brand that it counts, -1 where it counts nothing
    most: int  # of one code, among ten products


@dataclass(frozen=True, eq=False)
class RuleEffects:
    """What the rules that hold do to every product; the same for all customers."""

    removed: Removed
    odds: NDArray[
        np.float32
    ]  # (items,) ln of what boosts and buries multiply the odds of a purchase by
    boosted: NDArray[np.int64]  # items whose odds are raised
    pins: tuple[tuple[int, int], ...]  # (spot from 0, item) in the order of the rules
    caps: tuple[Cap, ...]

    def offers(
        self, removed: Removed, sales: NDArray[np.float32], pins: dict[int, int]
    ) -> NDArray[np.int64]:
        """Candidates of the shop: what is pinned, and the boosted products that sell best (items,) and may be shown."""
        if len(self.boosted) == 0 and not pins:
            return self.boosted
        boosted = self.boosted[removed[self.boosted] == ExclusionRule.NONE]
        return np.append(
            boosted[best(1 + sales[boosted], BOOSTED)], np.array(list(pins.values()), np.int64)
        )

    def seats(self, removed: Removed, n: int) -> dict[int, int]:
        """Spot from 0 -> the product pinned there, of those that may be shown and keep to the caps.

        Of two products for one spot the first has it, and the other one the next that is free when all have theirs.
        """
        seats: dict[int, int] = {}
        room = CapCounter(self.caps, n)
        waiting = []
        for spot, item in self.pins:
            if removed[item] == ExclusionRule.NONE and spot < n:
                if spot in seats:
                    waiting.append((spot, item))
                elif room.take(item):
                    seats[spot] = item
        for spot, item in waiting:
            free = next((other for other in range(spot, n) if other not in seats), None)
            if free is not None and room.take(item):
                seats[free] = item
        return seats

    def moved(self, order: NDArray[np.int32], lines: NDArray[np.float32]) -> NDArray[np.int32]:
        """What sells, best first, moved: by ln(1 + lines) + odds, ties as they were."""
        if not self.odds.any():
            return order
        return order[
            np.argsort(
                -(np.log1p(lines[order], dtype=np.float64) + self.odds[order]), kind="stable"
            )
        ]


class CapCounter:
    """What caps leave room for in one slate of n. A product is shown once."""

    def __init__(self, caps: Sequence[Cap], n: int, shown: Iterable[int] = ()) -> None:
        self.counts: list[tuple[NDArray[np.int32], int, dict[int, int]]] = [
            (cap.codes, ceil(n * cap.most / TEN), {}) for cap in caps
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
        """Show it if it fits; whether it did."""
        fits = self.fits(item)
        if fits:
            self.show(item)
        return fits

    def first(self, items: NDArray[np.int64] | NDArray[np.int32], n: int) -> list[int]:
        """Take the first n that fit."""
        taken: list[int] = []
        while len(taken) < n and len(items):
            missing = n - len(taken)
            taken += [item for item in items[:missing].tolist() if self.take(item)]
            items = items[missing:]
            for codes, most, count in self.counts:
                full = [code for code, number in count.items() if code >= 0 and number >= most]
                items = items[~np.isin(codes[items], full)]
        return taken


def rule_effects_of(rules: Sequence[ShopRule], catalogue: Catalogue) -> RuleEffects:
    """What these rules do to these products."""
    removed, odds = np.zeros(len(catalogue), np.uint8), np.zeros(len(catalogue), np.float32)
    pins: list[tuple[int, int]] = []
    caps = []
    for rule in rules:
        matched = rule.which.matches(catalogue)
        if rule.kind in NAMES:
            removed[(removed == ExclusionRule.NONE) & rule.keeps_out(catalogue)] = NAMES[rule.kind]
        elif rule.kind is RuleKind.BOOST:
            odds[matched] += np.log(rule.strength)
        elif rule.kind is RuleKind.BURY:
            odds[matched] -= np.log(rule.strength)
        elif rule.kind is RuleKind.PIN:
            items = catalogue.ids.find_all(rule.which.product_ids).tolist()
            pins += [(rule.position - 1, item) for item in items if item >= 0 and matched[item]]
        else:
            codes = catalogue.category if rule.by is CapBy.CATEGORY else catalogue.brand
            caps.append(Cap(np.where(matched, codes, np.int32(-1)), rule.most))
    return RuleEffects(removed, odds, np.flatnonzero(odds > 0), tuple(pins), tuple(caps))


def closed(catalogue: Catalogue, as_of: int, market: str | None, shelf: RuleEffects) -> Removed:
    """What catalogue and shop rule out for everyone."""
    removed = not_for_sale(catalogue, as_of, market)
    removed = np.where(removed == ExclusionRule.NONE, shelf.removed, removed)
    removed.flags.writeable = False  # all slates share it
    return removed


def seated(rest: Iterable[T], seats: Mapping[int, T]) -> list[T]:
    """The rest in its order, around what has a seat; that stands last where there is too little else."""
    shown = list(rest)
    for spot in sorted(seats):
        shown.insert(spot, seats[spot])
    return shown
