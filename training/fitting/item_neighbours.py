"""Item neighbours over customers: a normed cosine, its best neighbours kept."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from models.settings import NeighbourSettings
from models.sources.item_neighbours import ItemNeighbours
from training.fitting.als import find_nearest

MARKS: Final = 1 << 23  # customers at a time × products, of a byte each


def fit_item_neighbours(interest: csr_matrix, settings: NeighbourSettings) -> ItemNeighbours:
    """Find the neighbours of every product from decayed interest (users, items).

    sim(i, j) = Σ_u w_ui w_uj / size_u^customer_norm / |i|^(2 · item_norm) / |j|^(2 ·
    neighbour_norm)

    with w = interest^power and |i|² = Σ_u w_ui². The best are kept.
    """
    weights = csr_matrix(interest, dtype=np.float64)
    weights.data **= settings.power
    size = np.maximum(np.asarray(weights.sum(axis=1)).ravel(), 1e-9)
    square = np.maximum(np.asarray(weights.multiply(weights).sum(axis=0)).ravel(), 1e-9)
    normed = (
        diags(size ** (-settings.customer_norm / 2))
        @ weights
        @ diags(square**-settings.neighbour_norm)
    )
    similar = find_nearest(csr_matrix(normed), settings.neighbours + 1)
    # Within a row the discount of the history's product changes no order, so it comes afterwards.
    similar = csr_matrix(diags(square ** (settings.neighbour_norm - settings.item_norm)) @ similar)
    similar.setdiag(0)
    similar.eliminate_zeros()
    similar.sort_indices()
    _remove_rarely_shared(interest, similar, settings.min_customers)
    similar = _limit_rows(similar, settings.neighbours)
    return ItemNeighbours(
        similar.indptr.astype(np.int64),
        similar.indices.astype(np.int32),
        similar.data.astype(np.float32),
    )


def _remove_rarely_shared(interest: csr_matrix, similar: csr_matrix, min_customers: int) -> None:
    """Remove neighbours that fewer customers share: one or two are no taste."""
    similar.data *= _count_sharers(interest, similar) >= min_customers
    similar.eliminate_zeros()


def _count_sharers(interest: csr_matrix, similar: csr_matrix) -> NDArray[np.int64]:
    """Return how many customers share each pair of neighbours: (pairs,) in their order."""
    cells = np.arange(similar.nnz), similar.indices, similar.indptr
    pairs = csr_matrix(cells, similar.shape)  # the value of a pair is its number
    neighbours = np.diff(similar.indptr)
    sharers = np.zeros(similar.nnz, np.int64)
    # A few customers at a time: each of their products with each of its neighbours that they have.
    at_once = max(MARKS // interest.shape[1], 1)
    has = np.zeros((at_once, interest.shape[1]), bool)
    for start in range(0, interest.shape[0], at_once):
        few = interest[start : start + at_once]
        customer = np.repeat(np.arange(few.shape[0]), np.diff(few.indptr))
        has[customer, few.indices] = True
        theirs = pairs[few.indices]
        shared = has[np.repeat(customer, neighbours[few.indices]), theirs.indices]
        np.add.at(sharers, theirs.data[shared], 1)
        has[customer, few.indices] = False
    return sharers


def _limit_rows(similar: csr_matrix, k: int) -> csr_matrix:
    """Cut rows of at most k + 1 to k: a product need not be among its own nearest."""
    for row in np.flatnonzero(np.diff(similar.indptr) > k):
        last = similar.indptr[row + 1] - 1
        similar.data[last - np.argmin(similar.data[similar.indptr[row] : last + 1][::-1])] = 0
    similar.eliminate_zeros()
    return similar
