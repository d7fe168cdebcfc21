"""Count purchases into what a model keeps: histories of customers, sales a day, orders."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.data.daily_sales import EXACT_DAYS, DailySales
from models.data.events import DAY, PURCHASE, Events
from models.data.history import Histories
from training.reading.purchases import Purchases

LINE_ARRAYS: Final = (  # of Purchases, those with a row a line
    "user",
    "item",
    "order",
    "order_code",
    "time",
    "kind",
    "weight",
    "quantity",
    "price",
    "market",
    "claim",
)


def select_lines(purchases: Purchases, rows: NDArray[np.bool_]) -> Purchases:
    """Return the shop with these lines alone; products and customers keep their indices."""
    arrays = {name: getattr(purchases, name)[rows] for name in LINE_ARRAYS}
    return replace(purchases, **arrays)


def build_histories(purchases: Purchases) -> Histories:
    """Collect the lines of each customer; guests have no history."""
    known = slice(int(np.searchsorted(purchases.user, 0)), None)  # guests come first
    counts = np.bincount(purchases.user[known], minlength=len(purchases.customer_ids))
    indptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    events = Events(
        purchases.item, purchases.time, purchases.kind, purchases.weight, purchases.order_code
    )
    return Histories(indptr, events.at(known))


def count_daily_sales(purchases: Purchases) -> DailySales:
    """Count purchase lines by day, market and product up to shop time; guests count too."""
    bought = (purchases.kind == PURCHASE) & (purchases.time <= purchases.shop_time)
    late = np.flatnonzero(bought & (purchases.time > purchases.shop_time - EXACT_DAYS * DAY))
    late = late[np.argsort(purchases.time[late], kind="stable")]
    day = purchases.time[bought] // DAY
    first, days = int(day.min()), int(day.max() - day.min()) + 1
    n_items, n_markets = len(purchases.product_ids), len(purchases.market_names) + 1
    market, item = purchases.market[bought] + 1, purchases.item[bought]
    key = ((day - first) * n_markets + market) * n_items + item
    key, lines = np.unique(key, return_counts=True)
    row_day, rest = np.divmod(key, n_markets * n_items)
    market, item = np.divmod(rest, n_items)
    return DailySales(
        first_day=np.array([first], np.int64),
        newest=np.array([purchases.shop_time], np.int64),
        indptr=np.searchsorted(row_day, np.arange(days + 1)).astype(np.int64),
        item=item.astype(np.int32),
        market=(market - 1).astype(np.int32),
        lines=lines.astype(np.float32),
        late_time=purchases.time[late],
        late_item=purchases.item[late],
        late_market=purchases.market[late],
    )


def find_learned(purchases: Purchases, min_lines: int) -> NDArray[np.bool_]:
    """Find the products that were bought often enough to learn from: bool (items,)."""
    bought = purchases.item[purchases.kind == PURCHASE]
    lines = np.bincount(bought, minlength=len(purchases.product_ids))
    return lines >= min_lines


def build_order_matrix(purchases: Purchases, learned: NDArray[np.bool_]) -> csr_matrix:
    """Mark the learned products of each order, guests' too: (orders, items) of ones, float32.

    An order without a learned product is an empty row: it counts as an order.
    """
    bought = (purchases.kind == PURCHASE) & learned[purchases.item]
    order, item = purchases.order[bought], purchases.item[bought]
    shape = (int(purchases.order.max(initial=-1)) + 1, len(purchases.product_ids))
    matrix = csr_matrix((np.ones(len(order), np.float32), (order, item)), shape)
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix
