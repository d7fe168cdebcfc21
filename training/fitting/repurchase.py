"""Learn how often products are bought again, and after how many days, from every customer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.events import DAY
from models.data.history import NEVER, Interactions
from models.settings import RepeatSettings
from models.sources.repurchase import Repurchases

# Between two purchases, in a shop where nothing was bought twice
NEVER_AGAIN_DAYS: Final = 36_500.0


@dataclass(frozen=True, eq=False)
class PairRatios:
    """Hold an amount and a count of each pair of a customer and a product, to be divided."""

    item: NDArray[np.int32]  # (pairs,)
    amount: NDArray[np.float64]
    count: NDArray[np.float64]

    def shrunk(
        self, code: NDArray[np.int32], prior_mean: NDArray[np.float64], prior: float
    ) -> NDArray[np.float64]:
        """Return (Σ amount + prior · prior_mean) / (Σ count + prior) of each code: (codes,).

        `code` is that of each item, `prior_mean` that of each code.
        """
        code_of_pair = code[self.item]
        amount = np.bincount(code_of_pair, self.amount, len(prior_mean))
        count = np.bincount(code_of_pair, self.count, len(prior_mean))
        ratio: NDArray[np.float64] = (amount + prior * prior_mean) / (count + prior)
        return ratio


def fit_repurchases(
    pairs: Interactions, category: NDArray[np.int32], settings: RepeatSettings
) -> Repurchases:
    """Learn from the pairs of all customers.

    A product bought by few leans on its category (items,), and that on the shop.
    """
    kept = (pairs.last != NEVER) & (pairs.count > 0)
    item, gaps = pairs.item[kept], np.maximum(pairs.lines[kept] - 1, 0)
    again = (pairs.count[kept] > 1).astype(np.float64)
    customers = PairRatios(item, again, np.ones(len(item)))
    # rate = (customers who bought again + prior · average) / (customers + prior)
    average = again.mean() if len(again) else 0.0
    rate = _by_product(customers, category, average, settings.category_prior, settings.rate_prior)
    # interval = (Σ days from first to last + prior · average) / (gaps + prior)
    days = (pairs.last[kept] - pairs.first[kept]) / DAY
    typical = days.sum() / gaps.sum() if gaps.sum() else NEVER_AGAIN_DAYS
    interval = _by_product(
        PairRatios(item, days, gaps),
        category,
        typical,
        settings.category_prior,
        settings.interval_prior,
    )
    return Repurchases(rate, np.array([average], np.float32), interval)


def _by_product(
    ratios: PairRatios,
    category: NDArray[np.int32],
    average: float,
    category_prior: float,
    prior: float,
) -> NDArray[np.float32]:
    """Amount over count of each product, shrunk to that of its category: (items,)."""
    code = category + 1  # products without a category make one of their own
    of_shop = np.full(int(code.max(initial=0)) + 1, average)
    of_category = ratios.shrunk(code, of_shop, category_prior)
    every_item = np.arange(len(category), dtype=np.int32)
    return ratios.shrunk(every_item, of_category[code], prior).astype(np.float32)
