"""Count which products stand in the same orders, in blocks that fit into memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.data.events import DAY
from models.settings import BundleSettings
from models.sources.co_purchases import CoPurchases, OrderLists
from training.progress import Advance, ignore

BLOCK_PAIRS: Final = 10_000_000  # pairs counted at a time


@dataclass(frozen=True, eq=False)
class PairCounts:
    """Hold pairs (row, item) with the weighted and the plain number of orders that hold both."""

    row: NDArray[np.int32]
    item: NDArray[np.int32]
    weighted: NDArray[np.float64]
    lift: NDArray[np.float64]
    together: NDArray[np.int32]

    def select(self, keep: NDArray[np.bool_]) -> PairCounts:
        """Return some of the pairs."""
        return PairCounts(
            self.row[keep],
            self.item[keep],
            self.weighted[keep],
            self.lift[keep],
            self.together[keep],
        )


def fit_co_purchases(
    orders: csr_matrix,
    order_time: NDArray[np.int64],
    order_user: NDArray[np.int32],
    as_of: int,
    settings: BundleSettings,
    *,
    on_progress: Advance = ignore,
) -> CoPurchases:
    """Find the partners of every product.

    `orders` is (orders, items) of ones, `order_time` in seconds since 1970, `order_user` who placed
    each, -1 a guest.
    """
    size = np.diff(orders.indptr)
    # An order of age t with s products: d = 2^(-t / half-life),
    # and each of its pairs counts q = d (s - 1)^-power
    decay = np.exp2(-np.maximum(as_of - order_time, 0) / (DAY * settings.half_life_days))
    counts = (size > 1) & (size <= settings.largest_order)
    pair_weight = np.where(counts, decay * np.maximum(size - 1.0, 1.0) ** -settings.size_power, 0)
    degree = orders.T @ (pair_weight * (size - 1.0))  # Σ over an item's pairs

    used = csr_matrix(orders[np.flatnonzero(pair_weight)])
    kept = []
    for start, stop, pairs in _blocks(used, pair_weight[pair_weight > 0], degree, settings):
        pairs = pairs.select(pairs.together >= settings.min_support)
        kept.append(pairs.select(_strongest(pairs, start, stop, settings.neighbours)))
        on_progress(stop, orders.shape[1])
    pairs = _concatenate(kept)

    # P(b|a) = w_ab / (n_a + damping), then normed so that a product with many partners says no more
    # than another
    confidence = pairs.weighted / ((orders.T @ decay)[pairs.row] + settings.confidence_damping)
    total = np.bincount(pairs.row, confidence * pairs.lift**settings.lift_weight, orders.shape[1])
    return CoPurchases(
        indptr=np.searchsorted(pairs.row, np.arange(orders.shape[1] + 1)).astype(np.int64),
        item=pairs.item,
        strength=(confidence / np.sqrt(total[pairs.row])).astype(np.float32),
        log_lift=np.log(pairs.lift).astype(np.float32),
        together=pairs.together,
        orders=np.bincount(orders.indices, minlength=orders.shape[1]).astype(np.int32),
        total=np.array([orders.shape[0]], np.int64),
        lists=_list_orders(used, order_user[pair_weight > 0]),
    )


def _list_orders(used: csr_matrix, user: NDArray[np.int32]) -> OrderLists:
    by_item = used.T.tocsr()
    return OrderLists(by_item.indptr.astype(np.int64), by_item.indices.astype(np.int32), user)


def _blocks(
    used: csr_matrix,
    weights: NDArray[np.float64],
    degree: NDArray[np.float64],
    settings: BundleSettings,
) -> Iterator[tuple[int, int, PairCounts]]:
    """Yield the pairs of a range of items: (first item, last item + 1, pairs by row and item).

    `used` are the orders that count, with these weights.
    """
    # One product of matrices gives both: the real part adds up the weights, the imaginary part
    # counts the orders.
    by_item = used.T.tocsr().astype(np.complex64)
    by_item.data = (weights[by_item.indices] + 1j).astype(np.complex64)
    size = np.diff(used.indptr)
    cost = np.cumsum(np.bincount(used.indices, np.repeat(size, size), used.shape[1]))
    cuts = np.searchsorted(cost, np.arange(BLOCK_PAIRS, cost[-1] if len(cost) else 0, BLOCK_PAIRS))
    bounds = np.unique(np.concatenate([[0], cuts, [used.shape[1]]])).tolist()
    for start, stop in itertools.pairwise(bounds):
        product = (by_item[start:stop] @ used).tocsr()
        product.sort_indices()
        row = np.repeat(np.arange(start, stop, dtype=np.int32), np.diff(product.indptr))
        other = row != product.indices
        row, item, value = row[other], product.indices[other].astype(np.int32), product.data[other]
        weighted = value.real.astype(np.float64)
        # lift = (w_ab + damping) / (deg_a deg_b / Σ deg + damping)
        expected = degree[row] * degree[item] / degree.sum()
        lift = (weighted + settings.lift_damping) / (expected + settings.lift_damping)
        together = np.rint(value.imag).astype(np.int32)
        yield start, stop, PairCounts(row, item, weighted, lift, together)


def _strongest(pairs: PairCounts, start: int, stop: int, k: int) -> NDArray[np.bool_]:
    """Mark the pairs that are among the k strongest of their row."""
    score = pairs.weighted * np.sqrt(pairs.lift)
    keep = np.ones(len(score), np.bool_)
    indptr = np.searchsorted(pairs.row, np.arange(start, stop + 1))
    for row in np.flatnonzero(np.diff(indptr) > k):
        first, last = indptr[row], indptr[row + 1]
        # A stable sort, so that equal partners are kept in the order of the product ids.
        order = np.argsort(-score[first:last], kind="stable")
        keep[first + order[k:]] = False
    return keep


def _concatenate(parts: list[PairCounts]) -> PairCounts:
    return PairCounts(
        np.concatenate([part.row for part in parts]),
        np.concatenate([part.item for part in parts]),
        np.concatenate([part.weighted for part in parts]),
        np.concatenate([part.lift for part in parts]),
        np.concatenate([part.together for part in parts]),
    )
