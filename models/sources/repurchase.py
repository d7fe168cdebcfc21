"""How a product is bought again: how likely, and after how many days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.data.events import DAY
from models.data.history import Interactions
from models.settings import RepeatSettings


@dataclass(frozen=True, eq=False)
class Repurchases:
    rate: NDArray[np.float32]  # (items,) share of a product's customers who bought it again
    average: NDArray[np.float32]  # (1,) the same over all products
    interval: NDArray[np.float32]  # (items,) days between two purchases


@dataclass(frozen=True, eq=False)
class RepurchaseClocks:
    """Where a customer stands with each product they bought: (p,) each, in days."""

    since: NDArray[np.float32]  # since the last purchase
    since_first: NDArray[np.float32]  # since the first one
    interval: NDArray[np.float32]  # expected between two purchases
    passed: NDArray[
        np.float32
    ]  # the share of the interval that has passed; infinite for what was never bought

    def at(self, rows: slice) -> RepurchaseClocks:
        """A part of them."""
        return RepurchaseClocks(
            self.since[rows], self.since_first[rows], self.interval[rows], self.passed[rows]
        )


def build_repurchase_clocks(
    pairs: Interactions,
    repeats: Repurchases,
    as_of: int | NDArray[np.int64],
    settings: RepeatSettings,
) -> RepurchaseClocks:
    """The customer's own interval, drawn towards the product's while they bought it few times."""
    bought = pairs.owned
    since = np.where(bought, (as_of - pairs.last) / DAY, np.inf)
    since_first = np.where(bought, (as_of - pairs.first) / DAY, np.inf)
    span = np.where(bought, (pairs.last - pairs.first) / DAY, 0)
    gaps = np.maximum(pairs.lines - 1, 0)
    prior = settings.own_interval_prior
    # interval = (days from first to last + prior · product's interval) / (gaps + prior)
    interval = (span + prior * repeats.interval[pairs.item]) / (gaps + prior)
    since, interval = since.astype(np.float32), interval.astype(np.float32)
    passed = np.full(len(pairs), np.inf, np.float32)
    np.divide(since, np.maximum(interval, 1e-3), out=passed, where=bought)
    return RepurchaseClocks(since, since_first.astype(np.float32), interval, passed)
