"""Sales a day, so that what is popular can be counted in a window that ends at any moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.events import DAY
from models.settings import PopularSettings

DAYS_OF_HALF_LIVES: Final = 6  # an older day weighs less than 2 %
WEEK: Final = 7
EARLIER: Final = 2  # windows before the last one that tell how it was before
YEAR: Final = (
    365  # days; where a leap day lies between, a year ago is a day off, which no season notices
)
CHECKPOINTS: Final = 16  # at most
USUAL_DAYS: Final = 28  # at the end, which tell what the shop sells a day
ALL_REPORTED: Final = 0.2  # of that, from which on reported lines are taken for what the shop sells
TOTAL: Final = 1  # the place of `total` in Popularity

Floats = NDArray[np.float64]


def _not_counted() -> NDArray[np.float32]:
    return np.zeros(0, np.float32)


@dataclass(frozen=True, eq=False)
class Popularity:
    """What sells, at one moment, in the whole shop or in one market: float32 (items,) each.

    All but `total` add up to what the whole shop sold in the last window, so that they compare with each other and
    those of a small market with those of a large one.
    """

    recent: NDArray[np.float32]  # lines in a window's worth of days, newer days count more
    total: NDArray[np.float32]  # lines since the beginning
    # in the last seven days
    week: NDArray[np.float32] = field(default_factory=_not_counted)
    # in the two windows before the last one; `recent` where not even one of them is held
    earlier: NDArray[np.float32] = field(default_factory=_not_counted)
    # in the window that began a year ago, and in the whole year since; 0 where the data begin later
    season: NDArray[np.float32] = field(default_factory=_not_counted)
    year: NDArray[np.float32] = field(default_factory=_not_counted)


@dataclass(frozen=True, eq=False)
class DailySales:
    """r rows of (day, market, item) by day; the rows of day d are `indptr[d]:indptr[d + 1]`."""

    first_day: NDArray[np.int64]  # (1,) days since 1970
    newest: NDArray[np.int64]  # (1,) the newest event, seconds since 1970
    indptr: NDArray[np.int64]  # (days + 1,)
    item: NDArray[np.int32]  # (r,)
    market: NDArray[np.int32]  # (r,) -1 where unknown
    lines: NDArray[np.float32]  # (r,) purchase lines

    def continued(
        self,
        day: NDArray[np.int64],
        market: NDArray[np.int32],
        item: NDArray[np.int32],
        newest: int,
    ) -> DailySales:
        """With lines that were reported since, one a row: days since 1970, codes and items (n,) as here.

        The same where they are too few to be what the shop sells: then not everything is reported, and a window of them
        would tell nothing.
        """
        held = len(self.indptr) - 1
        place = day - self.first_day[0]
        order = np.argsort(place, kind="stable")[np.count_nonzero(place < 0) :]
        place = place[order]
        days = max(held, int(place.max(initial=-1)) + 1)
        usual = float(self.lines[self.indptr[max(held - USUAL_DAYS, 0)] :].sum()) / min(
            held, USUAL_DAYS
        )
        if len(place) == 0 or np.count_nonzero(place >= held) < ALL_REPORTED * usual * (
            days - held
        ):
            return self
        indptr = np.append(self.indptr, np.repeat(self.indptr[-1:], days - held))
        at = indptr[place + 1]
        return DailySales(
            first_day=self.first_day,
            newest=np.maximum(self.newest, newest),
            indptr=indptr + np.append(0, np.cumsum(np.bincount(place, minlength=days))),
            item=np.insert(self.item, at, item[order]),
            market=np.insert(self.market, at, market[order]),
            lines=np.insert(self.lines, at, np.float32(1)),
        )

    def window(
        self, as_of: int, days: int, n_items: int, market: int | None = None
    ) -> NDArray[np.float32]:
        """Lines of each product in the last `days` days before `as_of`: float32 (n_items,).

        Ends with the newest day held; for an earlier `as_of` with the last whole day before it, because a part of the
        day it falls into came after.
        """
        end = self._days_before(as_of)
        return self._sold(end - days, end, n_items, market).astype(np.float32)

    def total(self, as_of: int, n_items: int) -> NDArray[np.float32]:
        """Lines of each product since the beginning, everywhere: float32 (n_items,)."""
        return self._sold_before(self._days_before(as_of), n_items, None).astype(np.float32)

    def popularity(
        self, as_of: int, n_items: int, settings: PopularSettings, market: int | None = None
    ) -> Popularity:
        """What sells at `as_of`: everywhere, or in a market whose lines are drawn towards the shares of the shop."""
        end = self._days_before(as_of)
        sold = float(
            self.lines[self.indptr[max(end - settings.window_days, 0)] : self.indptr[end]].sum()
        )
        counts = self._counts(end, n_items, settings, None)
        # Stretched to what the window sold: shares that follow the shop's size.
        everywhere = counts * (sold / np.maximum(counts.sum(axis=1, keepdims=True), 1e-9))
        everywhere[TOTAL] = counts[TOTAL]
        if market is None:
            return Popularity(*everywhere.astype(np.float32))
        here, prior = self._counts(end, n_items, settings, market), settings.market_prior
        # share = (lines here + prior · share everywhere) / (all lines here + prior), times the lines everywhere
        drawn = here * everywhere.sum(axis=1, keepdims=True) + prior * everywhere
        return Popularity(
            *(drawn / np.maximum(here.sum(axis=1, keepdims=True) + prior, 1e-9)).astype(np.float32)
        )

    def _counts(
        self, end: int, n_items: int, settings: PopularSettings, market: int | None
    ) -> Floats:
        """Lines before day `end` as Popularity has them, not yet stretched: (6, n_items)."""
        days, half_life = settings.window_days, settings.half_life_days
        recent = self._sold(
            end - int(DAYS_OF_HALF_LIVES * half_life), end, n_items, market, half_life
        )
        total = self._sold_before(end, n_items, market)
        week = self._sold(end - WEEK, end, n_items, market)
        known = end >= 2 * days
        earlier = (
            self._sold(end - (1 + EARLIER) * days, end - days, n_items, market) if known else recent
        )
        season, year = np.zeros_like(total), np.zeros_like(total)
        if end >= YEAR:
            season = self._sold(end - YEAR, end - YEAR + min(days, YEAR), n_items, market)
            year = total - self._sold_before(end - YEAR, n_items, market)
        return np.stack([recent, total, week, earlier, season, year])

    def _sold(
        self,
        start: int,
        end: int,
        n_items: int,
        market: int | None,
        half_life_days: float | None = None,
    ) -> Floats:
        """Lines of each product from day `start` (0 where that is below) to the day before `end`, decayed or not."""
        start = max(start, 0)
        rows = slice(self.indptr[start], self.indptr[end])
        item, lines = self.item[rows], self.lines[rows]
        if half_life_days is not None:
            weights = np.exp2(-(end - 0.5 - np.arange(start, end)) / half_life_days)
            lines = lines * np.repeat(weights, np.diff(self.indptr[start : end + 1]))
        if market is not None:
            here = self.market[rows] == market
            item, lines = item[here], lines[here]
        return np.bincount(item, lines, n_items).astype(
            np.float64, copy=False
        )  # of no lines: whole numbers

    def _sold_before(self, day: int, n_items: int, market: int | None) -> Floats:
        """Lines of each product before a day: those of a checkpoint and of the days since."""
        span, checkpoints = self._checkpoints
        place, markets = (
            day // span,
            slice(None) if market is None else slice(market + 1, market + 2),
        )
        lines = self._sold(place * span, day, n_items, market)
        lines[: checkpoints.shape[2]] += checkpoints[place, markets].sum(axis=0)
        return lines

    @cached_property
    def _checkpoints(self) -> tuple[int, NDArray[np.float32]]:
        """A number of days, and the lines before each multiple of it: (checkpoints, markets + 1, items).

        Never larger than the rows: where markets and products are many there are few checkpoints, or an empty one.
        """
        days, n_markets, n_items = (
            len(self.indptr) - 1,
            int(self.market.max()) + 2,
            int(self.item.max()) + 1,
        )
        cells = n_markets * n_items
        spans = min(CHECKPOINTS, len(self.item) // cells)
        if spans == 0:
            return days + 1, np.zeros((1, 0, 0), np.float32)
        span = -(-days // spans)
        before = np.zeros((days // span + 1, cells), np.float32)
        for place in range(1, len(before)):
            rows = slice(self.indptr[(place - 1) * span], self.indptr[place * span])
            cell = (self.market[rows] + np.int64(1)) * n_items + self.item[rows]
            before[place] = before[place - 1] + np.bincount(cell, self.lines[rows], cells)
        return span, before.reshape(-1, n_markets, n_items)

    def _days_before(self, as_of: int) -> int:
        held = len(self.indptr) - 1
        return (
            held
            if as_of >= self.newest[0]
            else int(np.clip(as_of // DAY - self.first_day[0], 0, held))
        )
