"""Fit all parts of a model to purchases."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.data.customers import Customers
from models.data.events import PURCHASE
from models.data.history import Histories, build_interactions, find_pair_starts, sum_interest
from models.model import LearnedRanker, Model
from models.settings import ModelSettings
from models.sources.als import ItemFactors
from models.sources.co_purchases import CoPurchases
from models.sources.item_neighbours import ItemNeighbours
from models.sources.repurchase import Repurchases
from models.sources.substitutes import Substitutes
from training.fitting import counts
from training.fitting.als import fit_item_factors
from training.fitting.co_purchases import fit_co_purchases
from training.fitting.item_neighbours import fit_item_neighbours
from training.fitting.product_stats import fit_product_stats
from training.fitting.repurchase import fit_repurchases
from training.fitting.substitutes import fit_substitutes
from training.progress import Advance, Reporter
from training.reading.purchases import Purchases


def fit(
    purchases: Purchases,
    settings: ModelSettings,
    reporter: Reporter,
    *,
    name: str,
    lesson: LearnedRanker | None = None,
) -> Model:
    """Learn every source as of shop time; `name` distinguishes fits in the progress.

    `lesson` is what training.ranker.train_ranker has learned from earlier fits.
    """
    as_of = purchases.shop_time
    histories = counts.build_histories(purchases)
    learned = counts.find_learned(purchases, settings.history.min_lines)
    pairs = CustomerProductPairs(histories, learned, as_of, settings)

    def fit_neighbours(_: Advance) -> ItemNeighbours:
        interest = pairs.interest(settings.neighbours.half_life_days)
        return fit_item_neighbours(interest, settings.neighbours)

    fit_factors = partial(_fit_factors, pairs, settings)
    factors = reporter.keep(f"{name}: factors", ItemFactors, fit_factors)
    neighbours = reporter.keep(f"{name}: neighbours", ItemNeighbours, fit_neighbours)
    orders = counts.build_order_matrix(purchases, learned)
    users = find_order_customers(purchases, orders.shape[0])
    stats = fit_product_stats(purchases)

    def fit_bundles(advance: Advance) -> CoPurchases:
        times = find_order_times(purchases, orders.shape[0])
        return fit_co_purchases(orders, times, users, as_of, settings.bundles, on_progress=advance)

    def fit_replacements(_: Advance) -> Substitutes:
        return fit_substitutes(
            orders,
            users,
            co_purchases,
            neighbours,
            purchases.catalogue,
            stats.family,
            settings.bundles,
        )

    def fit_repeats(_: Advance) -> Repurchases:
        everyone = build_interactions(histories.events, pairs.starts, as_of, settings.history)
        return fit_repurchases(everyone, stats.category, settings.repeats)

    co_purchases = reporter.keep(f"{name}: bundles", CoPurchases, fit_bundles)
    substitutes = reporter.keep(f"{name}: substitutes", Substitutes, fit_replacements)
    repurchases = reporter.keep(f"{name}: repeats", Repurchases, fit_repeats)
    return Model(
        customers=_customers(purchases),
        catalogue=purchases.catalogue,
        traits=stats,
        histories=histories,
        factors=factors,
        neighbours=neighbours,
        orders=co_purchases,
        substitutes=substitutes,
        sales=counts.count_daily_sales(purchases),
        repeats=repurchases,
        lesson=lesson or LearnedRanker.none(),
    )


def _fit_factors(
    pairs: CustomerProductPairs, settings: ModelSettings, advance: Advance
) -> ItemFactors:
    # c = 1 + α · interest
    confidence = pairs.interest(settings.factors.half_life_days)
    confidence.data = 1 + np.float32(settings.factors.alpha) * confidence.data
    items = np.flatnonzero(pairs.learned).astype(np.int32)
    factors = fit_item_factors(
        confidence, items, settings.factors, seed=settings.seed, on_progress=advance
    )
    return factors.longest_first()


def _customers(purchases: Purchases) -> Customers:
    return Customers(
        purchases.customer_ids,
        purchases.consent,
        purchases.consent_time,
        purchases.customer_market,
        purchases.market_names,
        purchases.preferences,
        purchases.columns,
    )


class CustomerProductPairs:
    """All pairs of a customer and a product that was learned from."""

    def __init__(
        self, histories: Histories, learned: NDArray[np.bool_], as_of: int, settings: ModelSettings
    ) -> None:
        self.events = histories.events
        n_users = len(histories.indptr) - 1
        user = np.repeat(np.arange(n_users, dtype=np.int32), np.diff(histories.indptr))
        self.starts = find_pair_starts(self.events, user)
        self.user = user[self.starts]
        self.learned = learned
        self.shape = (n_users, len(learned))
        self.as_of = as_of
        self.history = settings.history

    def interest(self, half_life_days: float) -> csr_matrix:
        """Return the decayed interest above 0: (users, items) float32."""
        values = sum_interest(self.events, self.starts, self.as_of, half_life_days, self.history)
        columns = self.events.item[self.starts]
        kept = (values > 0) & self.learned[columns]
        cells = (values[kept], (self.user[kept], columns[kept]))
        return csr_matrix(cells, self.shape, dtype=np.float32)


def find_order_times(purchases: Purchases, n_orders: int) -> NDArray[np.int64]:
    """Return when each order was placed, seconds since 1970: int64 (orders,)."""
    bought = purchases.kind == PURCHASE
    times = np.zeros(n_orders, np.int64)
    times[purchases.order[bought]] = purchases.time[bought]
    return times


def find_order_customers(purchases: Purchases, n_orders: int) -> NDArray[np.int32]:
    """Return who placed each order, -1 a guest: int32 (orders,)."""
    bought = purchases.kind == PURCHASE
    customers = np.full(n_orders, -1, np.int32)
    customers[purchases.order[bought]] = purchases.user[bought]
    return customers
