"""Figures of a unit, counted from the orders that hold all of it, and what it may add to an order.

E. B. Wilson: Probable Inference, the Law of Succession, and Statistical Inference, 1927.
R. G. Newcombe: Interval Estimation for the Difference between Independent Proportions, 1998.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

from models.assembly.cards import sum_prices
from models.model import Model
from models.rules.shop_bundles import ShopBundle
from models.slate import Bundle, ExpectedGain
from models.sources.co_purchases import CoPurchases

Z: Final = 1.959964  # of an interval of 95 %


@dataclass(frozen=True)
class UnitCounts:
    """Count the orders of a rule: who buys what is given of a unit buys the rest of it, too."""

    whole: int  # orders that hold all of the unit
    given: int  # orders that hold what is given of it, one at least
    rest: int  # orders that hold the rest
    total: int  # all orders

    @property
    def confidence(self) -> float:
        """Return P(rest | given)."""
        return self.whole / self.given

    @property
    def lift(self) -> float | None:
        """Return P(rest | given) / P(rest), None where no order holds the rest."""
        return self.confidence * self.total / self.rest if self.rest else None

    def gain(self, added_price: float, saving: float = 0.0) -> ExpectedGain:
        """Return what a unit that is shown may add to the value of an order with what is given.

        `added_price`: of the rest; `saving`: on the whole unit. It is an association.
        """
        others, elsewhere = self.total - self.given, self.rest - self.whole
        p, q = self.confidence, elsewhere / others if others else 0.0
        low_p, high_p = find_wilson_interval(self.whole, self.given)
        low_q, high_q = find_wilson_interval(elsewhere, others)
        price = added_price - saving

        def gain(p: float, q: float) -> float:
            # p: share of orders with what is given that hold the rest; q: of all others. Of those
            # that lack the rest p - q may add it, and those that hold it anyway save, too:
            # (1 - p) max(p - q, 0) (price - saving) - p saving
            return (1 - p) * max(p - q, 0) * price - p * saving

        # As a function of p it turns at its vertex and where p = q
        vertex = (1 + q - saving / price) / 2 if price else q
        turns = [min(max(turn, low_p), high_p) for turn in (vertex, q)]
        by_p = [gain(share, q) for share in (low_p, high_p, *turns)]
        by_q = [gain(p, low_q), gain(p, high_q)]
        value = gain(p, q)
        low = value - sqrt((value - min(by_p)) ** 2 + (value - min(by_q)) ** 2)
        high = value + sqrt((max(by_p) - value) ** 2 + (max(by_q) - value) ** 2)
        return ExpectedGain(value, low, high)


def find_wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the bounds of a share at 95 %; 0 and 1 where nothing was tried."""
    if trials == 0:
        return 0.0, 1.0
    share, z2 = successes / trials, Z * Z
    middle = share + z2 / (2 * trials)
    half = Z * sqrt(share * (1 - share) / trials + z2 / (4 * trials**2))
    scale = 1 + z2 / trials
    return (middle - half) / scale, (middle + half) / scale


def count_unit(pairs: CoPurchases, given: Sequence[int], rest: Sequence[int]) -> UnitCounts | None:
    """Count the orders of a unit; None where that is not known, or nobody bought what is given."""
    whole = pairs.count_orders([*given, *rest])
    with_given, with_rest = pairs.count_orders(given), pairs.count_orders(rest)
    if whole is None or with_rest is None or not with_given:
        return None
    return UnitCounts(whole, with_given, with_rest, int(pairs.total[0]))


def build_unit(
    model: Model,
    given: Sequence[int],
    rest: Sequence[int],
    score: float | None = None,
    offer: ShopBundle | None = None,
) -> Bundle:
    """Build a unit with its figures, the first product given as its anchor.

    `score`: by default P(rest | given).
    """
    counts = count_unit(model.orders, given, rest)
    whole = sum_prices(model.catalogue, [*given, *rest])
    added = sum_prices(model.catalogue, rest)
    gain = None
    if counts and whole and added and (offer is None or offer.currency == whole.currency):
        gain = counts.gain(added.amount, whole.amount - offer.price if offer else 0.0)
    if score is None:
        score = counts.confidence if counts else 0.0
    return Bundle(
        anchor=given[0],
        items=tuple(rest),
        score=score,
        support=counts.whole if counts else None,
        rule_confidence=counts.confidence if counts else None,
        lift=counts.lift if counts else None,
        gain=gain,
        held=tuple(given[1:]),
        offer=offer,
    )
