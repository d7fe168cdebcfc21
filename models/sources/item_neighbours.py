"""Products bought by the same customers.

G. Linden, B. Smith, J. York: Amazon.com Recommendations, Item-to-Item Collaborative Filtering,
2003.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.data.ragged import RowGroups, find_stored
from models.sources.scores import SparseScores, by_size


@dataclass(frozen=True, eq=False)
class ItemNeighbours:
    """Hold the neighbours of item i in the entries `indptr[i]:indptr[i + 1]`, sorted by item."""

    indptr: NDArray[np.int64]  # (items + 1,)
    item: NDArray[np.int32]  # (neighbours,)
    similarity: NDArray[np.float32]  # (neighbours,) above 0

    def scores(self, item: NDArray[np.int32], weight: NDArray[np.float32]) -> SparseScores:
        """Score the neighbours of a history."""
        # score(b) = Σ_{a in history} weight(a) · similarity(a, b)
        return self.scores_each(item, weight, RowGroups.of([len(item)]))[0]

    def scores_each(
        self, item: NDArray[np.int32], weight: NDArray[np.float32], rows: RowGroups
    ) -> list[SparseScores]:
        """Score the neighbours of m customers, whose histories are grouped by `rows`."""
        entries, counts, owners = find_stored(self.indptr, item, rows)
        parts = self.similarity[entries] * weight.repeat(counts)
        return SparseScores.summed_each(self.item[entries], parts, owners)

    def similar(self, item: int) -> NDArray[np.float32]:
        """Return the similarity of every product to one: (items,)."""
        row = slice(self.indptr[item], self.indptr[item + 1])
        similar = np.zeros(len(self.indptr) - 1, np.float32)
        similar[self.item[row]] = self.similarity[row]
        return similar

    def evidence(
        self, item: NDArray[np.int32], weight: NDArray[np.float32], neighbours: list[int]
    ) -> list[Iterator[int]]:
        """Return for each neighbour the rows of the history that add to its score.

        The one that adds most comes first; of equal ones the first row.
        """
        entries, counts, _ = find_stored(self.indptr, item, RowGroups.of([len(item)]))
        history_row = np.repeat(np.arange(len(item)), counts)
        other = self.item[entries]
        parts = self.similarity[entries] * weight[history_row]
        evidence: list[Iterator[int]] = []
        for neighbour in neighbours:
            ties = np.flatnonzero(other == neighbour)
            rows = history_row[ties]
            evidence.append(map(rows.item, by_size(parts[ties])))
        return evidence
