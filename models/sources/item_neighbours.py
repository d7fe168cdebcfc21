"""Products bought by the same customers.

G. Linden, B. Smith, J. York: Amazon.com Recommendations, Item-to-Item Collaborative Filtering, 2003.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.data.ragged import RowGroups, find_stored
from models.sources.scores import SparseScores


@dataclass(frozen=True, eq=False)
class ItemNeighbours:
    """The neighbours of item i are `indptr[i]:indptr[i + 1]`, sorted by item."""

    indptr: NDArray[np.int64]  # (items + 1,)
    item: NDArray[np.int32]  # (neighbours,)
    similarity: NDArray[np.float32]  # (neighbours,) above 0

    def scores(self, item: NDArray[np.int32], weight: NDArray[np.float32]) -> SparseScores:
        """Σ weight · similarity over a history."""
        return self.scores_each(item, weight, RowGroups.of([len(item)]))[0]

    def scores_each(
        self, item: NDArray[np.int32], weight: NDArray[np.float32], rows: RowGroups
    ) -> list[SparseScores]:
        """The same for m customers, whose histories are `rows`."""
        at, counts, spans = find_stored(self.indptr, item, rows)
        return SparseScores.summed_each(
            self.item[at], self.similarity[at] * weight.repeat(counts), spans
        )

    def similar(self, item: int) -> NDArray[np.float32]:
        """Similarity of every product to one: (items,)."""
        row = slice(self.indptr[item], self.indptr[item + 1])
        similar = np.zeros(len(self.indptr) - 1, np.float32)
        similar[self.item[row]] = self.similarity[row]
        return similar

    def strongest(
        self, item: NDArray[np.int32], weight: NDArray[np.float32], neighbours: list[int]
    ) -> list[int]:
        """For each neighbour the place in the history whose weight · similarity is largest; first of equals."""
        at, counts, _ = find_stored(self.indptr, item, RowGroups.of([len(item)]))
        owner, other = np.repeat(np.arange(len(item)), counts), self.item[at]
        ties = self.similarity[at] * weight[owner]
        found = (np.flatnonzero(other == neighbour) for neighbour in neighbours)
        return [int(owner[places[np.argmax(ties[places])]]) for places in found]
