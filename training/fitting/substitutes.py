"""Find substitutes: similar products that the same customers buy, but not in one order."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, csr_matrix, diags

from models.data.catalogue import Catalogue
from models.data.title_words import WORD
from models.settings import BundleSettings
from models.sources.co_purchases import CoPurchases
from models.sources.item_neighbours import ItemNeighbours
from models.sources.substitutes import Substitutes

BLOCK_CELLS: Final = 5_000_000  # cells of columns multiplied at a time
MAX_CELLS: Final = (
    400_000_000  # cells multiplied in all; of more, a part of the customers is counted
)


def fit_substitutes(
    orders: csr_matrix,
    customer: NDArray[np.int32],
    pairs: CoPurchases,
    neighbours: ItemNeighbours,
    catalogue: Catalogue,
    family: NDArray[np.int32],
    settings: BundleSettings,
) -> Substitutes:
    """Learn from (orders, items) of ones, and who placed each order (orders,), -1 a guest.

    `family` (items,) is shared by products that differ in size alone.
    """
    a, b = _find_candidates(pairs, neighbours)
    alike = _compare_products(catalogue, a, b)
    a, b = a[alike], b[alike]
    size = np.diff(orders.indptr)
    counted = customer >= 0
    counted &= customer % _stride(orders[np.flatnonzero(counted)], a, b) == 0
    orders, size = csr_matrix(orders[np.flatnonzero(counted)]), size[counted].astype(np.float64)
    users, row = np.unique(customer[counted], return_inverse=True)
    n_users, n_orders = len(users), len(row)
    ones = np.ones(n_orders, np.float32)
    of_customer = csr_matrix((ones, (row, np.arange(n_orders))), (n_users, n_orders))
    # Were a customer's products spread over their orders by chance and the orders' sizes s,
    # Σ_o P(a in o) P(b in o) = n_a n_b Σ s² / (Σ s)² of the orders would hold both
    lines = np.maximum(np.bincount(row, size, n_users), 1)
    spread = np.bincount(row, size**2, n_users) / lines**2
    bought = csc_matrix(diags(np.sqrt(spread).astype(np.float32)) @ of_customer @ orders)
    expected = _multiply_columns(bought, a, b)
    together = _multiply_columns(csc_matrix(orders), a, b)
    apart = _are_apart(together, expected, settings)
    a, b = np.concatenate([a[apart], b[apart]]), np.concatenate([b[apart], a[apart]])
    order = np.lexsort((b, a))
    indptr = np.searchsorted(a[order], np.arange(len(catalogue) + 1)).astype(np.int64)
    groups = [_number_groups(codes) for codes in (catalogue.category, family)]
    groups_apart = [
        codes[
            _are_apart(
                _count_pairs_in_groups(orders, of_group, np.ones(n_orders)),
                _count_pairs_in_groups(of_customer @ orders, of_group, spread),
                settings,
            )
        ]
        for codes, of_group in groups
    ]
    return Substitutes(indptr, b[order], *groups_apart)


def _are_apart(
    together: NDArray[np.float64], expected: NDArray[np.float64], settings: BundleSettings
) -> NDArray[np.bool_]:
    """Mark where orders hold two products much less often than chance would make them."""
    damping = settings.substitute_damping
    apart: NDArray[np.bool_] = (together + damping) < settings.substitute_ratio * (
        expected + damping
    )
    return apart


def _number_groups(codes: NDArray[np.int32]) -> tuple[NDArray[np.int32], csr_matrix]:
    """Return the codes in use (groups,), sorted, and which items have each: (items, groups).

    A code of -1 is shared with none.
    """
    known = np.flatnonzero(codes >= 0)
    used, group = np.unique(codes[known], return_inverse=True)
    return used, csr_matrix((np.ones(len(known)), (known, group)), (len(codes), len(used)))


def _count_pairs_in_groups(
    counts: csr_matrix, of_group: csr_matrix, weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Add up n_a n_b over the pairs of each group in weighted rows (rows, items): (groups,)."""
    # Σ_{a<b} n_a n_b = ((Σ n)² - Σ n²) / 2
    counts = csr_matrix(counts, dtype=np.float64)
    pairs = (counts @ of_group).power(2) - counts.power(2) @ of_group
    return np.asarray(weights @ pairs, np.float64).ravel() / 2


def _find_candidates(
    pairs: CoPurchases, neighbours: ItemNeighbours
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Return the pairs that orders or customers tie, each once, the smaller item first."""
    n_items = len(pairs.orders)
    keys = []
    for groups in (pairs, neighbours):
        row = np.repeat(np.arange(n_items), np.diff(groups.indptr))
        keys.append(np.minimum(row, groups.item) * n_items + np.maximum(row, groups.item))
    smaller, larger = np.divmod(np.unique(np.concatenate(keys)), n_items)
    return smaller.astype(np.int32), larger.astype(np.int32)


def _compare_products(
    catalogue: Catalogue, a: NDArray[np.int32], b: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Mark pairs of one category; where it is unknown, with half of the shorter title in common.

    Without a title none is marked: orders alone cannot distinguish milk from a hammer.
    """
    category = catalogue.category
    alike: NDArray[np.bool_] = category[a] == category[b]
    unknown = np.flatnonzero((category[a] < 0) | (category[b] < 0))
    words = _mark_words(catalogue)
    count = np.diff(words.indptr)
    for part in np.array_split(unknown, len(unknown) // BLOCK_CELLS + 1):
        left, right = a[part], b[part]
        both = np.asarray(words[left].multiply(words[right]).sum(axis=1)).ravel()
        alike[part] = (both > 0) & (both >= np.minimum(count[left], count[right]) / 2)
    return alike


def _mark_words(catalogue: Catalogue) -> csr_matrix:
    """Mark the words of each title: (items, words) of ones."""
    codes: dict[str, int] = {}
    indices: list[int] = []
    indptr = [0]
    for title in catalogue.title:
        words = WORD.findall(title.lower())
        indices += sorted({codes.setdefault(word, len(codes)) for word in words})
        indptr.append(len(indices))
    ones = np.ones(len(indices), np.float32)
    shape = (len(catalogue), len(codes))
    return csr_matrix((ones, np.array(indices, np.int32), np.array(indptr)), shape)


def _stride(orders: csr_matrix, a: NDArray[np.int32], b: NDArray[np.int32]) -> int:
    """Return one customer in how many is counted, so that a large shop takes no longer."""
    cells = np.bincount(orders.indices, minlength=orders.shape[1])
    return max(1, -(-int(cells[a].sum() + cells[b].sum()) // MAX_CELLS))


def _multiply_columns(
    matrix: csc_matrix, a: NDArray[np.int32], b: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Σ over the rows of matrix[:, a] · matrix[:, b], for pairs of columns (p,)."""
    matrix.sort_indices()
    cells = np.diff(matrix.indptr)
    cost = np.cumsum(cells[a] + cells[b])
    cuts = np.searchsorted(cost, np.arange(BLOCK_CELLS, cost[-1] if len(cost) else 0, BLOCK_CELLS))
    parts = [
        np.asarray(matrix[:, left].multiply(matrix[:, right]).sum(axis=0), np.float64).ravel()
        for left, right in zip(np.split(a, cuts), np.split(b, cuts), strict=True)
    ]
    return np.concatenate(parts)
