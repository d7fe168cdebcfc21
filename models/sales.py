"""Sales a day, so that what is popular can be counted in a window that ends at any moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.events import DAY


@dataclass(frozen=True, eq=False)
class DailySales:
    """r rows of (day, market, item), sorted so; the rows of day d are `indptr[d]:indptr[d + 1]`."""

    first_day: NDArray[np.int64]  # (1,) days since 1970
    newest: NDArray[np.int64]  # (1,) the newest event, seconds since 1970
    indptr: NDArray[np.int64]  # (days + 1,)
    item: NDArray[np.int32]  # (r,)
    market: NDArray[np.int32]  # (r,) -1 where unknown
    lines: NDArray[np.float32]  # (r,) purchase lines

    def window(self, as_of: int, days: int, n_items: int, market: int | None = None) -> NDArray[np.float32]:
        """Lines of each product in the last `days` days before `as_of`: float32 (n_items,).

        Ends with the newest day held; for an earlier `as_of` with the last whole day before it, because a part of the
        day it falls into came after.
        """
        end = self._days_before(as_of)
        start = max(end - days, 0)
        rows = slice(self.indptr[start], self.indptr[end])
        item, lines = self.item[rows], self.lines[rows]
        if market is not None:
            here = self.market[rows] == market
            item, lines = item[here], lines[here]
        return np.bincount(item, lines, n_items).astype(np.float32)

    def _days_before(self, as_of: int) -> int:
        held = len(self.indptr) - 1
        return held if as_of >= self.newest[0] else int(np.clip(as_of // DAY - self.first_day[0], 0, held))
