"""Learn which products stand in for one another, from attributes, views and purchases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from models.data.catalogue import Catalogue
from models.data.events import PURCHASE, VIEW
from models.data.product_stats import ProductStats
from models.data.product_words import ProductWords
from models.data.ragged import RowGroups, find_stored
from models.sources.item_neighbours import ItemNeighbours
from models.sources.similar_products import (
    BOUGHT_ALONE,
    BOUGHT_WEIGHT,
    SALES_WEIGHT,
    VIEWED_WEIGHT,
    Evidence,
    PairAttributes,
    SimilarProducts,
    SimilarRow,
)
from training.fitting.als import find_nearest
from training.fitting.neighbouring_views import count_neighbouring_views
from training.fitting.product_words import fit_product_words
from training.reading.purchases import Purchases

VIEW_PART: Final = 0.1  # of a sale
USUAL_VIEWS: Final = 1.0  # which make half of the most that views can tell
MAX_WORD_PART: Final = 0.1  # of the products, above which a word finds nothing
MIN_WORD_LIMIT: Final = 20  # products that a word may find in any shop
NEAREST_FAMILIES: Final = 25  # by words, that are compared
OF_FAMILY: Final = 3  # best sold of a family that are compared, itself among them
OF_CATEGORY: Final = 60  # best sold of a category that are compared
KEPT: Final = 60  # most similar of each product
KEPT_OF_FAMILY: Final = 3
BLOCK_ITEMS: Final = 250  # whose candidates are compared at a time
Items = NDArray[np.int64]
Codes = NDArray[np.integer[Any]]
Floats = NDArray[np.float32]


def fit_similar_products(
    purchases: Purchases, stats: ProductStats, neighbours: ItemNeighbours
) -> SimilarProducts:
    """Find the products most similar to each, sold or not.

    Candidates are those of similar titles, the best sold of its category, those looked at with it
    and its neighbours over customers.
    """
    n_items = len(purchases.product_ids)
    words = fit_product_words(purchases.catalogue, stats.log_price)
    evidence = PairEvidence(
        catalogue=purchases.catalogue,
        stats=stats,
        words=words,
        sales=_measure_sales(purchases),
        views=CellLookup.of(count_neighbouring_views(purchases)),
        bought=CellLookup.of(_share_of_highest(neighbours)),
    )
    alike = CellLookup.of(_find_alike(words, stats, evidence.sales))
    owners: list[Items] = []
    rows: list[SimilarRow] = []
    for start in range(0, n_items, BLOCK_ITEMS):
        stop = min(start + BLOCK_ITEMS, n_items)
        keys = [table.rows(start, stop) for table in (alike, evidence.views, evidence.bought)]
        a, b = np.divmod(np.unique(np.concatenate(keys)), n_items)
        owner, row = evidence.rank(a[a != b], b[a != b])
        owners.append(owner)
        rows.append(row)
    return SimilarProducts(
        indptr=np.searchsorted(np.concatenate(owners), np.arange(n_items + 1)).astype(np.int64),
        item=np.concatenate([row.item for row in rows]).astype(np.int32),
        log_odds=np.concatenate([row.log_odds for row in rows]),
        evidence=np.concatenate([row.evidence for row in rows]),
        sales=evidence.sales,
        words=words,
    )


def _measure_sales(purchases: Purchases) -> Floats:
    """Return how well each product sells, from 0 to 1: (items,). A view is a tenth of a sale."""
    n_items = len(purchases.product_ids)
    sold = np.bincount(purchases.item[purchases.kind == PURCHASE], minlength=n_items)
    seen = np.bincount(purchases.item[purchases.kind == VIEW], minlength=n_items)
    logs = np.log1p(sold + VIEW_PART * seen)
    sales: Floats = (logs / max(float(logs.max(initial=0)), 1)).astype(np.float32)
    return sales


def _share_of_highest(neighbours: ItemNeighbours) -> csr_matrix:
    """Return the similarity over customers as a share of each product's highest."""
    n_items = len(neighbours.indptr) - 1
    owner = np.repeat(np.arange(n_items), np.diff(neighbours.indptr))
    highest = np.zeros(n_items, np.float32)
    np.maximum.at(highest, owner, neighbours.similarity)
    shares = neighbours.similarity / np.maximum(highest, 1e-9)[owner]
    return csr_matrix((shares, neighbours.item, neighbours.indptr), (n_items, n_items))


def _find_alike(words: ProductWords, stats: ProductStats, sales: Floats) -> csr_matrix:
    """Mark what is to be compared with each product by words and category: (items, items)."""
    n_items = len(sales)
    _, first, family = np.unique(stats.family, return_index=True, return_inverse=True)
    titled = stats.family >= 0
    by_sales = np.argsort(-sales, kind="stable")
    sold = by_sales[_rank_in_groups(stats.family[by_sales]) < OF_FAMILY]
    # (items, families) · (families, families nearest by words) · (families, items best sold)
    members = _mark(np.flatnonzero(titled), family[titled], (n_items, len(first)))
    cells = (words.weight, words.word, words.indptr)
    vectors = csr_matrix(cells, (n_items, len(words.rarity)))[first]
    common = np.bincount(words.word, minlength=len(words.rarity))
    usable = common <= max(MAX_WORD_PART * n_items, MIN_WORD_LIMIT)
    searched = csr_matrix(vectors.multiply(usable[None, :]).T, dtype=np.float64)
    alike = csr_matrix((n_items, n_items), dtype=np.bool_)
    if searched.nnz:
        near = find_nearest(searched, NEAREST_FAMILIES)
        known = sold[titled[sold]]
        alike = members @ near @ _mark(family[known], known, (len(first), n_items)) > 0
    of_category = sold[_rank_in_groups(stats.category[sold]) < OF_CATEGORY]
    of_category = of_category[stats.category[of_category] >= 0]
    rows = np.flatnonzero(stats.category >= 0)
    rows_of = _mark(rows, stats.category[rows], (n_items, stats.categories))
    sold_of = _mark(stats.category[of_category], of_category, (stats.categories, n_items))
    return csr_matrix(alike + (rows_of @ sold_of > 0))


def _mark(rows: Codes, columns: Codes, shape: tuple[int, int]) -> csr_matrix:
    return csr_matrix((np.ones(len(rows), np.float32), (rows, columns)), shape)


def _rank_in_groups(group: Codes) -> Items:
    """Number the rows of each group 0, 1, … in their order; those of no group (-1) are all 0."""
    order = np.argsort(group, kind="stable")
    grouped = group[order]
    rank = np.empty(len(group), np.int64)
    rank[order] = np.arange(len(group)) - np.searchsorted(grouped, grouped)
    rank[group < 0] = 0
    return rank


@dataclass(frozen=True, eq=False)
class CellLookup:
    """Hold the cells of a matrix (items, items) in the order of row · items + column."""

    indptr: NDArray[np.int64]
    keys: Items
    values: Floats

    @classmethod
    def of(cls, matrix: csr_matrix) -> Self:
        matrix.sort_indices()
        n_items = matrix.shape[1]
        owner = np.repeat(np.arange(n_items), np.diff(matrix.indptr))
        return cls(matrix.indptr, owner * n_items + matrix.indices, matrix.data)

    def rows(self, start: int, stop: int) -> Items:
        """Return the keys of the cells in some rows."""
        return self.keys[self.indptr[start] : self.indptr[stop]]

    def find(self, keys: Items) -> Floats:
        """Return the values of cells, 0 where there is none: (k,)."""
        if len(self.keys) == 0:
            return np.zeros(len(keys), np.float32)
        places = self.keys.searchsorted(keys).clip(max=len(self.keys) - 1)
        return np.where(self.keys[places] == keys, self.values[places], 0).astype(np.float32)


@dataclass(frozen=True, eq=False)
class PairEvidence:
    """Hold what is known of pairs of products, and rank them by it."""

    catalogue: Catalogue
    stats: ProductStats
    words: ProductWords
    sales: Floats  # (items,)
    views: CellLookup  # soon after one another
    bought: CellLookup  # similarity over customers

    def rank(self, a: Items, b: Items) -> tuple[Items, SimilarRow]:
        """Return the pairs that are kept: whose they are, and the most similar of each first.

        `a` and `b` (pairs,) are sorted by a.
        """
        keys = a * len(self.sales) + b
        seen, shared = self.views.find(keys), self.bought.find(keys)
        pairs = PairAttributes.of(a, b, self._cosines(a, b), self.catalogue, self.stats)
        log_odds = pairs.log_odds + np.float32(SALES_WEIGHT) * self.sales[b]
        log_odds += np.float32(BOUGHT_WEIGHT) * shared
        log_odds += np.float32(VIEWED_WEIGHT) * seen / (seen + np.float32(USUAL_VIEWS))
        evidence = np.where(seen > 0, Evidence.VIEWS, Evidence.PURCHASES).astype(np.uint8)
        evidence[pairs.are_alike] = Evidence.ATTRIBUTES
        log_odds[evidence == Evidence.PURCHASES] -= np.float32(BOUGHT_ALONE)
        order = np.lexsort((b, -log_odds, a))
        order = order[(pairs.are_alike | (seen > 0) | (shared > 0))[order]]
        # The family of b among those of a: (a, family) as one number, below 2⁶³
        family = self.stats.family[b[order]].astype(np.int64)
        of_pair = np.where(family >= 0, (a[order] << 31) + family, -1)
        order = order[_rank_in_groups(of_pair) < KEPT_OF_FAMILY]
        order = order[_rank_in_groups(a[order]) < KEPT]
        return a[order], SimilarRow(b[order], log_odds[order], evidence[order])

    def _cosines(self, a: Items, b: Items) -> Floats:
        """Return the cosines of the words of pairs: (pairs,)."""
        words, first = self.words, int(a[0]) if len(a) else 0
        rows = np.arange(first, int(a[-1]) + 1 if len(a) else 0)
        entries, counts, _ = find_stored(words.indptr, rows, RowGroups.of([len(rows)]))
        vectors = np.zeros((len(rows), len(words.rarity)), np.float32)
        vectors[np.repeat(rows - first, counts), words.word[entries]] = words.weight[entries]
        entries, counts, _ = find_stored(words.indptr, b, RowGroups.of([len(b)]))
        pair = np.repeat(np.arange(len(b)), counts)
        parts = vectors[a[pair] - first, words.word[entries]] * words.weight[entries]
        return np.bincount(pair, parts, len(b)).astype(np.float32)
