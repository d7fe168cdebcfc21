"""Fit TIFU-KNN: a customer's own decayed baskets mixed with those of similar customers.

H. Hu, X. He, J. Gao, Z.-L. Zhang: Modeling Personalized Item Frequency Information for Next-basket
Recommendation, 2020.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, diags

from models.data.events import PURCHASE
from training.fitting.counts import build_order_matrix
from training.reading.purchases import Purchases

MAX_CANDIDATES: Final = 50_000  # customers among whom neighbours are looked for
SEED: Final = 0  # of their choice
NOBODY: Final = -1  # among the customers, in a visit


@dataclass(frozen=True)
class TifuKnnSettings:
    """Hold settings that suit Complete Journey and Online Retail II.

    They were chosen on the 28 days before the last 28 of both.
    """

    basket_decay: float = 0.95  # r_b, from one basket of a group to the one before
    group_decay: float = 0.6  # r_g, from one group to the one before
    groups: int = 7  # m
    neighbours: int = 200  # k
    own_weight: float = 0.7  # α


@dataclass(frozen=True, eq=False)
class TifuKnn:
    """Hold vectors of customers, whose neighbours are nearest by cosine.

    On both data sets it gives better neighbours than the paper's distance.
    """

    vectors: csr_matrix  # v of every customer: (customers, items) float32
    candidates: NDArray[np.int64]  # users
    candidate_vectors: csr_matrix  # v of the candidates: (candidates, items)
    directions: csr_matrix  # v / |v| of the candidates: (items, candidates)
    settings: TifuKnnSettings

    def scores(self, users: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return α v + (1 - α) mean of the k nearest v': (users, items).

        A customer with nothing in common is no neighbour.
        """
        return self._scores(self.vectors[users], users)

    def scores_of_visits(self, seen: csr_matrix) -> NDArray[np.float32]:
        """Return the same of visits that have seen products (visits, items): (visits, items)."""
        return self._scores(seen, np.full(seen.shape[0], NOBODY))

    def _scores(self, own: csr_matrix, users: NDArray[np.integer]) -> NDArray[np.float32]:
        alpha, shares = self.settings.own_weight, self._neighbour_shares(own, users)
        scores: NDArray[np.float32] = (
            alpha * own + (1 - alpha) * shares @ self.candidate_vectors
        ).toarray()
        return scores

    def _neighbour_shares(self, own: csr_matrix, users: NDArray[np.integer]) -> csr_matrix:
        """Shares that sum to 1 over the neighbours of each vector: (vectors, candidates)."""
        similar = (own @ self.directions).toarray()
        similar[users[:, None] == self.candidates] = 0
        k = min(self.settings.neighbours, len(self.candidates))
        if k == 0:
            return csr_matrix(similar)
        nearest = np.argpartition(-similar, k - 1, axis=1)[:, :k]
        near = np.take_along_axis(similar, nearest, axis=1) > 0
        share = near / np.maximum(near.sum(axis=1, keepdims=True), 1, dtype=np.float32)
        indptr = np.arange(len(users) + 1) * k
        return csr_matrix((share.ravel(), nearest.ravel(), indptr), similar.shape)


def fit_tifu_knn(
    past: Purchases, countable: NDArray[np.bool_], settings: TifuKnnSettings
) -> TifuKnn:
    """Collect the vectors of all customers and choose among whom neighbours are looked for."""
    vectors = build_basket_vectors(past, countable, settings)
    candidates = select_candidates(past, countable)
    chosen = vectors[candidates]
    length = np.sqrt(np.asarray(chosen.multiply(chosen).sum(axis=1)).ravel())
    directions = (diags(1 / length) @ chosen).T.tocsr()
    return TifuKnn(vectors, candidates, chosen, directions, settings)


def select_candidates(past: Purchases, countable: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return users who bought countable products, ascending.

    Where they are more than MAX_CANDIDATES, a seeded sample of them.
    """
    bought = (past.kind == PURCHASE) & (past.user >= 0) & countable[past.item]
    users = np.unique(past.user[bought]).astype(np.int64)
    if len(users) <= MAX_CANDIDATES:
        return users
    return np.sort(np.random.default_rng(SEED).choice(users, MAX_CANDIDATES, replace=False))


def build_basket_vectors(
    past: Purchases, countable: NDArray[np.bool_], settings: TifuKnnSettings
) -> csr_matrix:
    """Sum each customer's orders into how often and how lately they held each countable product.

    (customers, items) float32
    """
    bought = (past.kind == PURCHASE) & (past.user >= 0)
    baskets = build_order_matrix(past, countable)
    customer = np.full(baskets.shape[0], -1, np.int64)
    customer[past.order[bought]] = past.user[bought]
    order = np.argsort(customer, kind="stable")  # by customer, and of each by time
    order = order[np.searchsorted(customer[order], 0) :]
    weights = _weigh_baskets(customer[order], settings)
    shape = (len(past.customer_ids), len(customer))
    return csr_matrix((weights, (customer[order], order)), shape) @ baskets


def _weigh_baskets(user: NDArray[np.int64], settings: TifuKnnSettings) -> NDArray[np.float32]:
    """Weigh baskets that are sorted by user and time: (baskets,).

    A customer's baskets fall into m groups in their order, alike in size or the later ones larger
    by one; with fewer than m baskets each is a group.
    """
    _, first, count = np.unique(user, return_index=True, return_counts=True)
    baskets = np.repeat(count, count)
    age = baskets - 1 - (np.arange(len(user)) - np.repeat(first, count))  # baskets since then
    groups = np.minimum(baskets, settings.groups)
    size, larger = np.divmod(baskets, groups)
    late = age < larger * (size + 1)
    age = np.where(late, age, age - larger * (size + 1))
    size = np.where(late, size + 1, size)
    group_age, basket_age = np.divmod(age, size)
    group_age += np.where(late, 0, larger)
    # r_g^(groups since) / m · r_b^(baskets of the group since) / size
    weights = settings.group_decay**group_age / groups * settings.basket_decay**basket_age / size
    return weights.astype(np.float32)
