"""How often products are bought again, and after how many days, learned from every customer."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.events import DAY
from models.data.history import NEVER, Interactions
from models.settings import RepeatSettings
from models.sources.repurchase import Repurchases

NEVER_AGAIN_DAYS: Final = (
    36_500.0  # between two purchases, in a shop where nothing was bought twice
)


def fit_repurchases(
    pairs: Interactions, category: NDArray[np.int32], settings: RepeatSettings
) -> Repurchases:
    """From the pairs of all customers. A product bought by few leans on its category (items,), and that on the shop."""
    kept = (pairs.last != NEVER) & (pairs.count > 0)
    item, gaps = pairs.item[kept], np.maximum(pairs.lines[kept] - 1, 0)
    days = (pairs.last[kept] - pairs.first[kept]) / DAY
    again = (pairs.count[kept] > 1).astype(np.float64)
    average = again.mean() if len(again) else 0.0
    # rate = (customers who bought again + prior · average) / (customers + prior)
    rate = _by_product(
        again,
        np.ones(len(item)),
        item,
        category,
        average,
        settings.category_prior,
        settings.rate_prior,
    )
    # interval = (Σ days from first to last + prior · average) / (gaps + prior)
    typical = days.sum() / gaps.sum() if gaps.sum() else NEVER_AGAIN_DAYS
    interval = _by_product(
        days, gaps, item, category, typical, settings.category_prior, settings.interval_prior
    )
    return Repurchases(rate, np.array([average], np.float32), interval)


def _by_product(
    amounts: NDArray[np.float64],
    counts: NDArray[np.float64],
    item: NDArray[np.int32],
    category: NDArray[np.int32],
    average: float,
    category_prior: float,
    prior: float,
) -> NDArray[np.float32]:
    """Amounts a count of each product: (items,)."""
    known = category + 1  # products without a category make one of their own
    typical = np.full(int(known.max(initial=0)) + 1, average)
    of_category = _drawn(amounts, counts, known[item], typical, category_prior)
    return _drawn(amounts, counts, item, of_category[known], prior).astype(np.float32)


def _drawn(
    amounts: NDArray[np.float64],
    counts: NDArray[np.float64],
    code: NDArray[np.int32],
    average: NDArray[np.float64],
    prior: float,
) -> NDArray[np.float64]:
    total, count = np.bincount(code, amounts, len(average)), np.bincount(code, counts, len(average))
    drawn: NDArray[np.float64] = (total + prior * average) / (count + prior)
    return drawn
