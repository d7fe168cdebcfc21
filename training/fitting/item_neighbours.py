"""Item neighbours over customers: a normed cosine, its best neighbours kept."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix, diags

from models.settings import NeighbourSettings
from models.sources.item_neighbours import ItemNeighbours
from training.fitting.als import find_nearest


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
    by_item = interest.T.tocsr()
    for item in np.flatnonzero(np.diff(similar.indptr)):
        customers = by_item.indices[by_item.indptr[item] : by_item.indptr[item + 1]]
        shared = np.bincount(interest[customers].indices, minlength=interest.shape[1])
        row = slice(similar.indptr[item], similar.indptr[item + 1])
        similar.data[row] *= shared[similar.indices[row]] >= min_customers
    similar.eliminate_zeros()


def _limit_rows(similar: csr_matrix, k: int) -> csr_matrix:
    """Cut rows of at most k + 1 to k: a product need not be among its own nearest."""
    for row in np.flatnonzero(np.diff(similar.indptr) > k):
        last = similar.indptr[row + 1] - 1
        similar.data[last - np.argmin(similar.data[similar.indptr[row] : last + 1][::-1])] = 0
    similar.eliminate_zeros()
    return similar
