"""How often products are bought again, and after how many days, learned from every customer."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.events import DAY
from models.history import NEVER, Interactions
from models.repeats import Repeats
from models.settings import RepeatSettings

NEVER_AGAIN_DAYS: Final = 36_500.0  # between two purchases, in a shop where nothing was bought twice


def fit_repeats(pairs: Interactions, n_items: int, settings: RepeatSettings) -> Repeats:
    """From the pairs of all customers. A product bought by few leans on the shop's average."""
    kept = (pairs.last != NEVER) & (pairs.count > 0)
    item, gaps = pairs.item[kept], np.maximum(pairs.lines[kept] - 1, 0)
    days = (pairs.last[kept] - pairs.first[kept]) / DAY
    again = (pairs.count[kept] > 1).astype(np.float64)
    average = again.mean() if len(again) else 0.0
    # rate = (customers who bought again + prior · average) / (customers + prior)
    rate = _drawn(again, np.ones(len(item)), item, n_items, average, settings.rate_prior)
    # interval = (Σ days from first to last + prior · average) / (gaps + prior)
    typical = days.sum() / gaps.sum() if gaps.sum() else NEVER_AGAIN_DAYS
    interval = _drawn(days, gaps, item, n_items, typical, settings.interval_prior)
    return Repeats(rate, np.array([average], np.float32), interval)


def _drawn(
    amounts: NDArray[np.float64],
    counts: NDArray[np.float64],
    item: NDArray[np.int32],
    n_items: int,
    average: float,
    prior: float,
) -> NDArray[np.float32]:
    total, count = np.bincount(item, amounts, n_items), np.bincount(item, counts, n_items)
    return ((total + prior * average) / (count + prior)).astype(np.float32)
