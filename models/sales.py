"""Sales a day, so that what is popular can be counted in a window that ends at any moment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.events import DAY
from models.settings import PopularSettings

DAYS_OF_HALF_LIVES = 6  # an older day weighs less than 2 %


@dataclass(frozen=True, eq=False)
class Popularity:
    """What sells, at one moment: float32 (items,) each."""

    recent: NDArray[np.float32]  # lines in a window's worth of days, newer days count more
    total: NDArray[np.float32]  # lines since the beginning


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
        rows = slice(self.indptr[max(end - days, 0)], self.indptr[end])
        item, lines = self.item[rows], self.lines[rows]
        if market is not None:
            here = self.market[rows] == market
            item, lines = item[here], lines[here]
        return np.bincount(item, lines, n_items).astype(np.float32)

    def popularity(self, as_of: int, n_items: int, settings: PopularSettings) -> Popularity:
        """Recent and total sales at `as_of`."""
        end = self._days_before(as_of)
        start = max(end - int(DAYS_OF_HALF_LIVES * settings.half_life_days), 0)
        rows = slice(self.indptr[start], self.indptr[end])
        ages = np.repeat(end - 0.5 - np.arange(start, end), np.diff(self.indptr[start : end + 1]))
        decayed = self.lines[rows] * np.exp2(-ages / settings.half_life_days)
        sold = float(self.lines[self.indptr[max(end - settings.window_days, 0)] : self.indptr[end]].sum())
        # The decayed lines, stretched to what the window sold: a share that follows the shop's size.
        recent = np.bincount(self.item[rows], decayed, n_items) * (sold / max(float(decayed.sum()), 1e-9))
        total = np.bincount(self.item[: self.indptr[end]], self.lines[: self.indptr[end]], n_items)
        return Popularity(recent.astype(np.float32), total.astype(np.float32))

    def _days_before(self, as_of: int) -> int:
        held = len(self.indptr) - 1
        return held if as_of >= self.newest[0] else int(np.clip(as_of // DAY - self.first_day[0], 0, held))
