"""The shop's own rules: what may be shown, what moves up or down, what stands where, how many of a kind.

A rule is data. What rules do to a catalogue and to a slate stands in models/rules/rule_effects.py, their
JSON in models/rules/shop_rule_json.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from models.data.catalogue import Catalogue


class RuleKind(StrEnum):
    FILTER = "filter"  # nothing but what matches is shown
    EXCLUDE = "exclude"  # what matches is not shown
    BOOST = "boost"  # what matches moves up
    BURY = "bury"  # what matches moves down
    PIN = "pin"  # a product stands at a position
    CAP = "cap"  # of what matches, at most so many of one category or brand
    MINIMUM = "minimum"  # of what matches, nothing below a price or a margin is shown


class CapBy(StrEnum):
    CATEGORY = "category"
    BRAND = "brand"


class MinimumOf(StrEnum):
    PRICE = "price"
    MARGIN = "margin"


@dataclass(frozen=True)
class ProductSelector:
    """The products that meet every part that is given; without any, all. An unknown price is within no limit."""

    product_ids: tuple[str, ...] = ()
    category: str | None = None
    brand: str | None = None
    min_price: float | None = None
    max_price: float | None = None

    def matches(self, catalogue: Catalogue) -> NDArray[np.bool_]:
        """bool (n,). A product, category or brand that the catalogue does not know matches nothing."""
        found = np.ones(len(catalogue), np.bool_)
        if self.product_ids:
            found &= np.isin(np.arange(len(catalogue)), catalogue.ids.find_all(self.product_ids))
        for name, codes, names in (
            (self.category, catalogue.category, catalogue.category_names),
            (self.brand, catalogue.brand, catalogue.brand_names),
        ):
            if name is not None:
                code = names.find(name)
                found &= (codes == code) & (code >= 0)
        if self.min_price is not None:
            found &= catalogue.price >= self.min_price
        if self.max_price is not None:
            found &= catalogue.price <= self.max_price
        return found


@dataclass(frozen=True)
class ShopRule:
    """One rule. Of the numbers at the end, a kind reads its own alone."""

    id: str
    kind: RuleKind
    which: ProductSelector = ProductSelector()
    placements: tuple[str, ...] = ()  # empty: all
    market: str | None = None  # None: all
    starts: int | None = None  # seconds since 1970, UTC; the first second at which it holds
    ends: int | None = None  # the first second at which it no longer does
    strength: float = 1.0  # boost multiplies the odds of what matches by it, bury divides them
    position: int = 1  # of a pin, from 1; of several products the next ones follow
    by: CapBy = CapBy.BRAND  # what a cap counts
    most: int = 10  # of one category or brand among ten products, as the limits of the settings
    of: MinimumOf = MinimumOf.PRICE  # what a minimum is held against
    minimum: float = 0.0  # in the catalogue's currency, or a share: .2 is a margin of 20 %

    def __hash__(self) -> int:
        return hash(self.id)  # equal rules have it in common, and every slate asks for it

    def holds(self, placement: str | None, market: str | None, as_of: int) -> bool:
        return (
            (not self.placements or placement in self.placements)
            and self.market in (None, market)
            and (self.starts is None or self.starts <= as_of)
            and (self.ends is None or as_of < self.ends)
        )

    def keeps_out(self, catalogue: Catalogue) -> NDArray[np.bool_]:
        """Products that this rule removes from every slate: bool (n,)."""
        if self.kind is RuleKind.FILTER:
            return ~self.which.matches(catalogue)
        if self.kind is RuleKind.EXCLUDE:
            return self.which.matches(catalogue)
        if self.kind is RuleKind.MINIMUM:
            values = catalogue.price if self.of is MinimumOf.PRICE else catalogue.margin
            # What is unknown is not above a minimum.
            return self.which.matches(catalogue) & ~(values >= self.minimum)
        return np.zeros(len(catalogue), np.bool_)


def active_rules(
    rules: Sequence[ShopRule], placement: str | None, market: str | None, as_of: int
) -> tuple[ShopRule, ...]:
    """The rules that hold for a slate, by their ids."""
    return tuple(
        sorted(
            (rule for rule in rules if rule.holds(placement, market, as_of)),
            key=lambda rule: rule.id,
        )
    )


def rules_in_force(rules: Sequence[ShopRule], clock: int) -> tuple[ShopRule, ...]:
    """Those that hold at a moment of the clock, for slates of whatever moment."""
    held = (
        rule
        for rule in rules
        if (rule.starts or 0) <= clock and (rule.ends is None or clock < rule.ends)
    )
    return tuple(replace(rule, starts=None, ends=None) for rule in held)
