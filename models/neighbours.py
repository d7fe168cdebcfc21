"""Products bought by the same customers.

G. Linden, B. Smith, J. York: Amazon.com Recommendations, Item-to-Item Collaborative Filtering, 2003.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.evidence import FewScores


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The neighbours of item i are `indptr[i]:indptr[i + 1]`, sorted by item."""

    indptr: NDArray[np.int64]  # (items + 1,)
    item: NDArray[np.int32]  # (neighbours,)
    similarity: NDArray[np.float32]  # (neighbours,) above 0

    def scores(self, item: NDArray[np.int32], weight: NDArray[np.float32]) -> FewScores:
        """Σ weight · similarity over a history."""
        at, counts = self._rows(item)
        return FewScores.summed(self.item[at], self.similarity[at] * weight.repeat(counts))

    def similar(self, item: int) -> NDArray[np.float32]:
        """Similarity of every product to one: (items,)."""
        row = slice(self.indptr[item], self.indptr[item + 1])
        similar = np.zeros(len(self.indptr) - 1, np.float32)
        similar[self.item[row]] = self.similarity[row]
        return similar

    def strongest(self, item: NDArray[np.int32], weight: NDArray[np.float32], neighbours: list[int]) -> list[int]:
        """For each neighbour the place in the history whose weight · similarity is largest; first of equals."""
        at, counts = self._rows(item)
        owner, other = np.repeat(np.arange(len(item)), counts), self.item[at]
        ties = self.similarity[at] * weight[owner]
        found = (np.flatnonzero(other == neighbour) for neighbour in neighbours)
        return [int(owner[places[np.argmax(ties[places])]]) for places in found]

    def _rows(self, item: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Where the neighbours of several items stand, one row after another, and how many each has."""
        starts = self.indptr[item]
        counts = self.indptr[item + 1] - starts
        ends = counts.cumsum()
        at = np.arange(ends[-1] if len(ends) else 0) + (starts - ends + counts).repeat(counts)
        return at, counts
