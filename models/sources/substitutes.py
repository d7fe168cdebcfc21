"""Products that stand in for one another: two brands of milk are no bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


def _nothing() -> NDArray[np.int32]:
    return np.zeros(0, np.int32)


@dataclass(frozen=True, eq=False)
class Substitutes:
    """Hold the substitutes of item a in `item[indptr[a]:indptr[a + 1]]`, sorted.

    Each has the other.
    """

    indptr: NDArray[np.int64]  # (items + 1,)
    item: NDArray[np.int32]  # (substitutes,)
    # Codes of the categories, and of the families, whose products all stand in for one another, as
    # those of milk do, sorted; a model of before knows none
    category: NDArray[np.int32] = field(default_factory=_nothing)
    family: NDArray[np.int32] = field(default_factory=_nothing)

    def of(self, items: Sequence[int]) -> NDArray[np.int32]:
        """Return the substitutes of any of these items; one may come twice."""
        rows = [self.item[self.indptr[item] : self.indptr[item + 1]] for item in items]
        return np.concatenate([self.item[:0], *rows])
