"""Rows that are inserted into the arrays of a model, and where the other rows stand afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Insertions:
    """Hold the rows in front of which k new rows go, as np.insert takes them."""

    before: NDArray[np.int64]  # (k,) ascending; the length of an array stands for its end

    @classmethod
    def at_end(cls, length: int, count: int) -> Self:
        """Return those that follow `length` rows."""
        return cls(np.full(count, length, np.int64))

    def __len__(self) -> int:
        return len(self.before)

    @property
    def rows(self) -> NDArray[np.int64]:
        """Return where the new rows stand afterwards: (k,)."""
        return self.before + np.arange(len(self.before))

    def moved(self, rows: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
        """Return where rows (n,) stand afterwards: (n,)."""
        return (rows + self.before.searchsorted(rows, side="right")).astype(np.int32)

    def extend(self, values: NDArray[Any], fill: Any) -> NDArray[Any]:
        """Return a copy of an array that has `fill` in the new rows."""
        return np.insert(values, self.before, np.array(fill, values.dtype), axis=0)
