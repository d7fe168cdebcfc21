"""What sells most: popular slates, and what fills a slate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.assembly import reasons
from models.data.daily_sales import DailySales
from models.rules.eligibility import Removed, allowed
from models.rules.rule_effects import CapCounter, RuleEffects
from models.slate import Slot, Source

Floats = NDArray[np.float32]
AHEAD: Final = 512  # products that are looked at before the others


@dataclass(frozen=True, eq=False)
class Bestsellers:
    order: NDArray[np.int32]  # products that were ever sold, best first
    lines: Floats  # (items,) that were sold in the window, in the market

    def on(self, shelf: RuleEffects) -> Bestsellers:
        """As the rules of the shop move them."""
        return replace(self, order=shelf.moved(self.order, self.lines))

    def slots(self, removed: Removed, room: CapCounter, n: int, source: Source) -> list[Slot]:
        """The first n that may be shown and that there is room for."""
        found: list[int] = []
        for part in (self.order[:AHEAD], self.order[AHEAD:]):
            if len(found) < n:
                found += room.first(part[allowed(removed[part])], n - len(found))
        return [
            Slot(item, float(self.lines[item]), source, reasons.popular(self.lines[item]))
            for item in found
        ]


def bestsellers(
    sales: DailySales, total: Floats, as_of: int, days: int, market: int
) -> Bestsellers:
    """By lines in the window: in the market, then everywhere, then in `total`."""
    everywhere = sales.window(as_of, days, len(total))
    here = sales.window(as_of, days, len(total), market) if market >= 0 else everywhere
    order = np.lexsort((-total, -everywhere, -here)).astype(np.int32)
    return Bestsellers(order[total[order] > 0], here)
