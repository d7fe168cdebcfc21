"""How a product is bought again: how likely, and after how many days."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.events import DAY
from models.history import Interactions
from models.settings import RepeatSettings


@dataclass(frozen=True, eq=False)
class Repeats:
    rate: NDArray[np.float32]  # (items,) share of a product's customers who bought it again
    average: NDArray[np.float32]  # (1,) the same over all products
    interval: NDArray[np.float32]  # (items,) days between two purchases


@dataclass(frozen=True, eq=False)
class Clocks:
    """Where a customer stands with each product they bought: (p,) each, in days."""

    since: NDArray[np.float32]  # since the last purchase
    since_first: NDArray[np.float32]  # since the first one
    interval: NDArray[np.float32]  # expected between two purchases

    @cached_property
    def passed(self) -> NDArray[np.float32]:
        """The share of the interval that has passed; infinite for what was never bought."""
        share = np.full(len(self.since), np.inf, np.float32)
        return np.divide(self.since, np.maximum(self.interval, 1e-3), out=share, where=np.isfinite(self.since))


def clocks(pairs: Interactions, repeats: Repeats, as_of: int, settings: RepeatSettings) -> Clocks:
    """The customer's own interval, drawn towards the product's while they bought it few times."""
    bought = pairs.owned
    since = np.where(bought, (as_of - pairs.last) / DAY, np.inf)
    since_first = np.where(bought, (as_of - pairs.first) / DAY, np.inf)
    span = np.where(bought, (pairs.last - pairs.first) / DAY, 0)
    gaps = np.maximum(pairs.lines - 1, 0)
    prior = settings.own_interval_prior
    # interval = (days from first to last + prior · product's interval) / (gaps + prior)
    interval = (span + prior * repeats.interval[pairs.item]) / (gaps + prior)
    return Clocks(*(days.astype(np.float32) for days in (since, since_first, interval)))
