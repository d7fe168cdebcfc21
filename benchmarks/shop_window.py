"""Measure what unknown customers are shown, on the first orders of customers unknown before a cut.

    python -m benchmarks.shop_window --data ../shared/data --results any_shop

For each shop of the suite: Recall@10 and distinct categories among ten of the best sellers of 28
days, of these without too much of a kind, and of the shop window. Where fewer than 200 customers
are new after the cut, orders of known ones are asked about as well, one each.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.suite import SuiteShop, list_shops
from models.assembly.diversity import Likeness, diversify
from models.assembly.popular import EVERYWHERE, rank_bestsellers, rank_shop_window
from models.data.daily_sales import DailySales
from models.data.events import PURCHASE
from models.data.product_stats import ProductStats
from models.rules.rule_effects import Cap
from models.settings import ModelSettings
from training.config import EvaluationConfig
from training.evaluation.metrics import mean
from training.evaluation.split import MIN_LINES, find_cut
from training.fitting.counts import count_daily_sales, select_lines
from training.fitting.product_stats import fit_product_stats
from training.reading.purchases import Purchases, read_purchases
from training.reading.timestamps import parse_optional_timestamp

N: Final = 10  # products in a list
ENOUGH: Final = 200  # new customers, with whom no other is asked about
METHODS: Final = ("best sellers", "with limits", "shop window")
Items = NDArray[np.int32]


@dataclass(frozen=True)
class FirstOrder:
    """An order of someone of whom nothing is known."""

    market: int
    items: frozenset[int]


@dataclass(frozen=True, eq=False)
class Lists:
    """Make lists of ten for each market from what had sold before a cut."""

    sales: DailySales
    stats: ProductStats
    settings: ModelSettings
    cut: int

    def of(self, market: int) -> list[list[int]]:
        """Return a list of each method."""
        n_items, popular = len(self.stats.category), self.settings.popular
        total = self.sales.total(self.cut, n_items)
        bestsellers = rank_bestsellers(self.sales, total, self.cut, popular.window_days, market)
        code = market if market >= 0 else None
        popularity = self.sales.popularity(self.cut, n_items, popular, code)
        window = rank_shop_window(
            self.sales, popularity, self.stats.category, popular, self.cut, market
        )
        diversity = self.settings.diversity
        likeness = Likeness(
            self.stats.family,
            (Cap(self.stats.category, popular.category), Cap(self.stats.family, diversity.family)),
        )

        def limit(order: list[int]) -> list[int]:
            return [order[index] for index in diversify(order, N, likeness)]

        best = bestsellers.order.tolist()
        return [best[:N], limit(best), limit(window.order.tolist())]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--results", type=Path, default=Path("any_shop"))
    options = parser.parse_args()
    print(
        f"| shop | orders | {' | '.join(METHODS)} | gain of the window |\n|---|---|---|---|---|---|"
    )
    for shop in list_shops(options.data):
        purchases = read_shop(shop, options.results)
        print(describe(shop.name, *measure(purchases, ModelSettings())), flush=True)


def read_shop(shop: SuiteShop, results: Path) -> Purchases:
    folder = shop.prepare(results / "shops")
    products = folder / "products.parquet"
    return read_purchases(
        [folder / "purchases.parquet"],
        products=products if products.exists() else None,
        until=parse_optional_timestamp(shop.until),
        now=int(time.time()),
    )


def measure(
    purchases: Purchases, settings: ModelSettings
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return Recall (orders, METHODS) and distinct categories, everywhere: (METHODS,)."""
    cut = find_cut(purchases, EvaluationConfig().test_days)
    past = select_lines(purchases, purchases.time < cut)
    lists = Lists(count_daily_sales(past), fit_product_stats(past), settings, cut)
    orders = find_first_orders(purchases, past, cut)
    recall = score(orders, lists.of)
    category = lists.stats.category
    distinct = [_count_categories(shown, category) for shown in lists.of(EVERYWHERE)]
    return recall, np.array(distinct)


def find_first_orders(purchases: Purchases, past: Purchases, cut: int) -> list[FirstOrder]:
    """Return the first orders of customers who are unknown before the cut, one each.

    Only products count that sold MIN_LINES times before. Where too few customers are new, a seeded
    choice of known ones is asked about as if they were.
    """
    bought = past.kind == PURCHASE
    countable = np.bincount(past.item[bought], minlength=len(past.product_ids)) >= MIN_LINES
    known = np.unique(past.user[bought])
    rows = np.flatnonzero(
        (purchases.kind == PURCHASE) & (purchases.time >= cut) & (purchases.user >= 0)
    )
    rows = rows[np.lexsort((purchases.time[rows], purchases.user[rows]))]
    users, first = np.unique(purchases.user[rows], return_index=True)
    is_new = ~np.isin(users, known)
    if np.count_nonzero(is_new) < ENOUGH:
        random = np.random.default_rng(0)
        is_new[random.permutation(len(users))[: 2 * ENOUGH]] = True
    orders = []
    for start in first[is_new].tolist():
        row = rows[start]
        own = rows[(purchases.user[rows] == purchases.user[row])]
        of_order = own[purchases.order[own] == purchases.order[row]]
        items = frozenset(purchases.item[of_order][countable[purchases.item[of_order]]].tolist())
        if items:
            orders.append(FirstOrder(int(purchases.market[row]), items))
    return orders


def score(
    orders: Sequence[FirstOrder], lists_of: Callable[[int], list[list[int]]]
) -> NDArray[np.float64]:
    """Return the Recall@10 of the lists of each order's market: (orders, METHODS)."""
    shown = {market: lists_of(market) for market in {order.market for order in orders}}
    recall = np.zeros((len(orders), len(METHODS)))
    for index, order in enumerate(orders):
        for method, items in enumerate(shown[order.market]):
            hits = len(order.items.intersection(items))
            recall[index, method] = hits / min(N, len(order.items))
    return recall


def _count_categories(items: Sequence[int], category: NDArray[np.int32]) -> int:
    """Count distinct categories; each product without one is a category of its own."""
    codes = category[items]
    return len(np.unique(codes[codes >= 0])) + int(np.count_nonzero(codes < 0))


def describe(name: str, recall: NDArray[np.float64], distinct: NDArray[np.float64]) -> str:
    cells = []
    for value, categories in zip(recall.mean(axis=0), distinct.tolist(), strict=True):
        cells.append(f"{value:.4f} ({categories})")
    gain = mean(recall[:, 2] - recall[:, 1], seed=0)
    interval = f"{gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f})"
    return f"| {name} | {len(recall)} | {' | '.join(cells)} | {interval} |"


if __name__ == "__main__":
    main()
