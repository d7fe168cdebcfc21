"""Count how often two products are looked at soon after one another."""

from __future__ import annotations

from typing import Final

import numpy as np
from scipy.sparse import csr_matrix, diags

from models.data.events import VIEW
from training.fitting.als import find_nearest
from training.reading.purchases import Purchases

VISIT_SECONDS: Final = 1_800  # without a view end a visit
VIEWS_APART: Final = 5  # at most, of two products of a visit that tell about each other
CUSTOMER_PART: Final = 0.05  # of a next view: one customer looked at both or bought them
NEAREST: Final = 60  # products of the same customers that are kept of each


def count_neighbouring_views(purchases: Purchases) -> csr_matrix:
    """Count views of two products soon after one another, both ways: (items, items) float32.

    A shop without views has none, whatever its customers buy.
    """
    # count(a, b) = Σ 1 / views apart + .05 Σ_customers of both 1 / √products
    n_items = len(purchases.product_ids)
    in_visits = _count_in_visits(purchases)
    if in_visits.nnz == 0:
        return in_visits
    known = purchases.user >= 0
    cells = (purchases.user[known], purchases.item[known])
    shape = (len(purchases.customer_ids), n_items)
    seen = csr_matrix((np.ones(len(cells[0])), cells), shape)
    seen.data[:] = 1
    size = np.maximum(np.diff(seen.indptr), 1)
    of_customers = find_nearest(csr_matrix(diags(size**-0.25) @ seen), NEAREST + 1)
    counts = csr_matrix(in_visits + CUSTOMER_PART * of_customers, dtype=np.float32)
    counts.setdiag(0)
    counts.eliminate_zeros()
    return counts


def _count_in_visits(purchases: Purchases) -> csr_matrix:
    """Sum up 1 / views apart over the visits of all customers: (items, items)."""
    n_items = len(purchases.product_ids)
    rows = np.flatnonzero((purchases.kind == VIEW) & (purchases.user >= 0))
    rows = rows[np.lexsort((purchases.time[rows], purchases.user[rows]))]
    user, item, time = purchases.user[rows], purchases.item[rows], purchases.time[rows]
    first = np.ones(len(rows), np.bool_)
    first[1:] = (user[1:] != user[:-1]) | (np.diff(time) >= VISIT_SECONDS)
    visit = np.cumsum(first)
    # A page that is loaded again is one view
    distinct = first.copy()
    distinct[1:] |= item[1:] != item[:-1]
    item, visit = item[distinct], visit[distinct]
    counts = csr_matrix((n_items, n_items), dtype=np.float32)
    for apart in range(1, VIEWS_APART + 1):
        left, right = item[:-apart], item[apart:]
        pair = (visit[apart:] == visit[:-apart]) & (left != right)
        weight = np.full(int(pair.sum()), 1 / apart, np.float32)
        counts += csr_matrix((weight, (left[pair], right[pair])), counts.shape)
    return csr_matrix(counts + counts.T)
