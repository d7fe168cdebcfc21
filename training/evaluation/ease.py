"""Fit EASE: one linear model that predicts every product from all others.

H. Steck: Embarrassingly Shallow Autoencoders for Sparse Data, 2019.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, lapack
from scipy.sparse import csr_matrix

from models.data.events import DAY, PURCHASE
from training.reading.purchases import Purchases

MAX_PRODUCTS: Final = 12_000  # rows of the matrix that is inverted
BLOCK_ROWS: Final = 512  # rows of a matrix at a time


@dataclass(frozen=True)
class EaseSettings:
    """Hold settings that suit Complete Journey and Online Retail II.

    They were chosen on the 28 days before the last 28 of both.
    """

    half_life_days: float = 60.0
    power: float = 0.5  # x = interest^power: the hundredth purchase counts less than the first
    regularization: float = 100.0


@dataclass(frozen=True, eq=False)
class Ease:
    """Hold X, what customers bought, and P = (XᵀX + λI)⁻¹.

    XP = (XXᵀ + λI)⁻¹ X, so where customers are fewer than products the smaller matrix is inverted.
    """

    bought: csr_matrix  # X: (customers, products kept) float32
    kept: NDArray[np.int64]  # items of the columns, ascending
    inverse: NDArray[np.float32]  # P, or (XXᵀ + λI)⁻¹ where customers are fewer
    diagonal: NDArray[np.float32]  # of P: (products kept,)
    n_items: int
    regularization: float  # λ

    def scores(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return what users are expected to buy: (users, items), 0 for products not kept."""
        # S = XB with B = I - P / diag(P), whose diagonal is 0: no product speaks for itself
        projected = _project(self.bought, self.inverse, users)
        return self._scores(self.bought[users], projected)

    def scores_of_visits(self, seen: csr_matrix) -> NDArray[np.float32]:
        """Return what is expected with products (visits, items): (visits, items), as `scores`."""
        x = seen[:, self.kept]
        if _by_customer(self.bought):
            # xP = (x - x Xᵀ (XXᵀ + λI)⁻¹ X) / λ
            explained = ((x @ self.bought.T) @ self.inverse) @ self.bought
            projected = (x.toarray() - explained) / np.float32(self.regularization)
        else:
            projected = x @ self.inverse
        return self._scores(x, projected)

    def _scores(self, x: csr_matrix, projected: NDArray[np.float32]) -> NDArray[np.float32]:
        scores = np.zeros((x.shape[0], self.n_items), np.float32)
        scores[:, self.kept] = x.toarray() - projected / self.diagonal
        return scores


def fit_ease(
    past: Purchases, countable: NDArray[np.bool_], as_of: int, settings: EaseSettings
) -> Ease:
    """Learn from the purchases of the products that `select_products` returns."""
    kept = select_products(past, countable)
    bought = csr_matrix(_sum_interest(past, as_of, settings)[:, kept])
    if _by_customer(bought):
        inverse = _invert(bought, settings.regularization)
        # diag(P) = (1 - diag(Xᵀ (XXᵀ + λI)⁻¹ X)) / λ
        explained = np.zeros(len(kept))
        for start in range(0, bought.shape[0], BLOCK_ROWS):
            rows = np.arange(start, min(start + BLOCK_ROWS, bought.shape[0]))
            projected = _project(bought, inverse, rows)
            explained += np.asarray(bought[rows].multiply(projected).sum(axis=0)).ravel()
        diagonal = ((1 - explained) / settings.regularization).astype(np.float32)
    else:
        inverse = _invert(bought.T.tocsr(), settings.regularization)
        diagonal = inverse.diagonal()
    return Ease(bought, kept, inverse, diagonal, len(countable), settings.regularization)


def select_products(past: Purchases, countable: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return the countable products, or the most bought where both they and customers are many."""
    items = np.flatnonzero(countable)
    if min(len(items), len(past.customer_ids)) <= MAX_PRODUCTS:
        return items
    lines = np.bincount(past.item[past.kind == PURCHASE], minlength=len(countable))[items]
    return np.sort(items[np.argsort(-lines, kind="stable")[:MAX_PRODUCTS]])


def _sum_interest(past: Purchases, as_of: int, settings: EaseSettings) -> csr_matrix:
    """Return what customers bought, old purchases less: (customers, items) float32."""
    bought = (past.kind == PURCHASE) & (past.user >= 0)
    # x = (Σ 2^(-age / half-life) over the purchase lines)^power
    half_lives = (past.time[bought] - as_of) / (DAY * settings.half_life_days)
    decay = np.exp2(half_lives).astype(np.float32)
    shape = (len(past.customer_ids), len(past.product_ids))
    interest = csr_matrix((decay, (past.user[bought], past.item[bought])), shape)
    interest.data **= settings.power
    return interest


def _by_customer(bought: csr_matrix) -> bool:
    return bool(bought.shape[0] < bought.shape[1])


def _project(
    bought: csr_matrix, inverse: NDArray[np.float32], rows: NDArray[np.integer]
) -> NDArray[np.float32]:
    """XP of some customers: (rows, products kept)."""
    projected: NDArray[np.float32] = (
        inverse[rows] @ bought if _by_customer(bought) else bought[rows] @ inverse
    )
    return projected


def _invert(matrix: csr_matrix, regularization: float) -> NDArray[np.float32]:
    """(AAᵀ + λI)⁻¹, in the memory of one such matrix."""
    n = matrix.shape[0]
    gram = np.empty((n, n), np.float32, order="F")
    for start in range(0, n, BLOCK_ROWS):
        gram[:, start : start + BLOCK_ROWS] = (
            matrix @ matrix[start : start + BLOCK_ROWS].T
        ).toarray()
    gram[np.diag_indices(n)] += regularization
    factor, _ = cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
    inverse, _ = lapack.spotri(factor, lower=True, overwrite_c=True)
    for column in range(n):  # LAPACK leaves the upper half to us
        inverse[column, column + 1 :] = inverse[column + 1 :, column]
    # The rows of the transpose lie together, as sparse products read them.
    symmetric: NDArray[np.float32] = inverse.T
    return symmetric
