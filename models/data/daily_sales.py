"""Sales a day, from which popularity is counted in windows that end at any moment."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.events import DAY
from models.settings import PopularSettings

HALF_LIVES_COUNTED: Final = 6  # an older day weighs less than 2 %
WEEK: Final = 7  # days
EARLIER_WINDOWS: Final = 2  # before the last one, which tell how it was before
YEAR: Final = 365  # days; a leap day between puts it a day off, which no season notices
MAX_CHECKPOINTS: Final = 16
USUAL_DAYS: Final = 28  # the newest ones, which tell what the shop sells a day
# The share of usual sales from which reported lines are taken for all that the shop sells
MIN_REPORTED_SHARE: Final = 0.2
EXACT_DAYS: Final = 7  # windows up to so long are counted to the second
TOTAL: Final = 1  # the row of `total` in Popularity

Floats = NDArray[np.float64]
Counts = NDArray[np.float32]
Times = NDArray[np.int64]
Codes = NDArray[np.int32]


def _not_counted() -> Counts:
    return np.zeros(0, np.float32)


def _no_times() -> Times:
    return np.zeros(0, np.int64)


def _no_codes() -> Codes:
    return np.zeros(0, np.int32)


@dataclass(frozen=True, eq=False)
class Popularity:
    """Hold sales at one moment, in the whole shop or in one market: float32 (items,) each.

    All but `total` add up to what the whole shop sold in the last window, so that they compare with
    each other and those of a small market with those of a large one.
    """

    recent: Counts  # lines in a window's worth of days, newer days count more
    total: Counts  # lines since the beginning
    # in the last seven days
    week: Counts = field(default_factory=_not_counted)
    # in the two windows before the last one; `recent` where the data do not hold even one of them
    earlier: Counts = field(default_factory=_not_counted)
    # in the window that began a year ago, and in the whole year since; 0 where the data begin later
    season: Counts = field(default_factory=_not_counted)
    year: Counts = field(default_factory=_not_counted)
    # as `recent`, with the slower half-life
    slow: Counts = field(default_factory=_not_counted)


@dataclass(frozen=True, eq=False)
class DailySales:
    """Hold r rows of (day, market, item); those of day d are `indptr[d]:indptr[d + 1]`."""

    first_day: NDArray[np.int64]  # (1,) days since 1970
    newest: NDArray[np.int64]  # (1,) shop time when they were counted, seconds since 1970
    indptr: NDArray[np.int64]  # (days + 1,)
    item: NDArray[np.int32]  # (r,)
    market: NDArray[np.int32]  # (r,) -1 where unknown
    lines: NDArray[np.float32]  # (r,) purchase lines
    # The l lines of the last EXACT_DAYS, by time; in artifacts without them no window is exact
    late_time: Times = field(default_factory=_no_times)  # (l,) seconds since 1970
    late_item: Codes = field(default_factory=_no_codes)  # (l,)
    late_market: Codes = field(default_factory=_no_codes)  # (l,)

    def window_end(self, as_of: int) -> int:
        """Return when windows of sales end: at shop time, or where an earlier day begins."""
        newest = int(self.newest[0])
        return newest if as_of >= newest else as_of // DAY * DAY

    def lines_of_newest_days(self, days: int) -> list[float]:
        """Return how many lines each of the newest days with sales sold, oldest first."""
        rows = np.flatnonzero(np.diff(self.indptr))[-days:]
        return [float(self.lines[self.indptr[row] : self.indptr[row + 1]].sum()) for row in rows]

    def add_lines(
        self,
        time: Times,
        market: Codes,
        item: Codes,
    ) -> DailySales:
        """Return the sales with lines that were reported since.

        `time` (n,) in seconds since 1970, `market` and `item` (n,) as in the rows held; each is one
        line. Returns the sales as they are where the lines are too few to be all that the shop
        sold: a window of them would tell nothing.
        """
        row = time // DAY - self.first_day[0]
        order = np.argsort(time, kind="stable")[np.count_nonzero(row < 0) :]
        row = row[order]
        days = max(self._days, int(row.max(initial=-1)) + 1)
        if len(row) == 0 or not self._is_all_reported(row, days):
            return self
        new_days = days - self._days
        indptr = np.append(self.indptr, np.repeat(self.indptr[-1:], new_days))
        ends = indptr[row + 1]
        newest = np.maximum(self.newest, time.max())
        late = self._add_late_lines(time[order], market[order], item[order], int(newest[0]))
        return DailySales(
            first_day=self.first_day,
            newest=newest,
            indptr=indptr + np.append(0, np.cumsum(np.bincount(row, minlength=days))),
            item=np.insert(self.item, ends, item[order]),
            market=np.insert(self.market, ends, market[order]),
            lines=np.insert(self.lines, ends, np.float32(1)),
            late_time=late[0],
            late_market=late[1],
            late_item=late[2],
        )

    def _add_late_lines(
        self, time: Times, market: Codes, item: Codes, newest: int
    ) -> tuple[Times, Codes, Codes]:
        """Add lines to those whose moments are known, of the last days before the newest."""
        if len(self.late_time) == 0:
            return self.late_time, self.late_market, self.late_item
        times = np.concatenate([self.late_time, time])
        late = np.flatnonzero(times > newest - EXACT_DAYS * DAY)
        late = late[np.argsort(times[late], kind="stable")]
        markets = np.concatenate([self.late_market, market])
        items = np.concatenate([self.late_item, item])
        return times[late], markets[late], items[late]

    def _is_all_reported(self, row: NDArray[np.int64], days: int) -> bool:
        """Tell whether lines of some days (n,) are about as many as the shop usually sells."""
        held = self._days
        newest = self.lines[self.indptr[max(held - USUAL_DAYS, 0)] :]
        usual = float(newest.sum()) / min(held, USUAL_DAYS)
        new_lines = np.count_nonzero(row >= held)
        return bool(new_lines >= MIN_REPORTED_SHARE * usual * (days - held))

    def window(self, as_of: int, days: int, n_items: int, market: int | None = None) -> Counts:
        """Count the lines of each product in the last `days` days before `as_of`: (n_items,).

        They are so many times 24 hours up to EXACT_DAYS, and end at shop time; longer windows are
        of calendar days, the newest one among them. For an earlier `as_of` they end with the last
        whole day before it, because a part of the day it falls into came after.
        """
        end = self._days_before(as_of)
        sold = self._sold(end - days, end, n_items, market)
        if end == self._days and days <= EXACT_DAYS:
            sold += self._sold_after(int(self.newest[0]) - days * DAY, end - days, n_items, market)
        return sold.astype(np.float32)

    def total(self, as_of: int, n_items: int) -> Counts:
        """Count the lines of each product since the beginning, in all markets: (n_items,)."""
        return self._sold_before(self._days_before(as_of), n_items, None).astype(np.float32)

    def popularity(
        self, as_of: int, n_items: int, settings: PopularSettings, market: int | None = None
    ) -> Popularity:
        """Return what sells at `as_of` in the whole shop, or in a market.

        The shares of a market are drawn towards those of the shop.
        """
        end = self._days_before(as_of)
        start = max(end - settings.window_days, 0)
        sold = float(self.lines[self.indptr[start] : self.indptr[end]].sum())
        counts = self._counts(end, n_items, settings, None)
        # Scaled to what the window sold: shares that follow the shop's size.
        everywhere = counts * (sold / np.maximum(counts.sum(axis=1, keepdims=True), 1e-9))
        everywhere[TOTAL] = counts[TOTAL]
        if market is None:
            return Popularity(*everywhere.astype(np.float32))
        local, prior = self._counts(end, n_items, settings, market), settings.market_prior
        # share = (lines in the market + prior · share everywhere)
        #         / (all lines in the market + prior), times the lines everywhere
        drawn = local * everywhere.sum(axis=1, keepdims=True) + prior * everywhere
        scale = np.maximum(local.sum(axis=1, keepdims=True) + prior, 1e-9)
        return Popularity(*(drawn / scale).astype(np.float32))

    def change_a_year_ago(
        self, as_of: int, days: int, n_items: int, market: int | None = None
    ) -> tuple[Counts, Counts] | None:
        """Count the lines of the `days` days before this day a year ago, and of those after it.

        They are those of a market where one is given: seasons differ with the climate. Returns None
        where the data begin later.
        """
        year_ago = self._days_before(as_of) - YEAR
        if year_ago < days:
            return None
        before = self._sold(year_ago - days, year_ago, n_items, market)
        after = self._sold(year_ago, year_ago + days, n_items, market)
        return before.astype(np.float32), after.astype(np.float32)

    def _counts(
        self, end: int, n_items: int, settings: PopularSettings, market: int | None
    ) -> Floats:
        """Count lines before day `end` as Popularity has them, not yet scaled: (7, n_items)."""
        days, half_life = settings.window_days, settings.half_life_days
        start = end - int(HALF_LIVES_COUNTED * half_life)
        recent = self._sold(start, end, n_items, market, half_life)
        total = self._sold_before(end, n_items, market)
        week = self._sold(end - WEEK, end, n_items, market)
        earlier = recent
        if end >= 2 * days:
            start = end - (1 + EARLIER_WINDOWS) * days
            earlier = self._sold(start, end - days, n_items, market)
        season, year = np.zeros_like(total), np.zeros_like(total)
        if end >= YEAR:
            season = self._sold(end - YEAR, end - YEAR + min(days, YEAR), n_items, market)
            year = total - self._sold_before(end - YEAR, n_items, market)
        start = end - int(HALF_LIVES_COUNTED * settings.slow_half_life_days)
        slow = self._sold(start, end, n_items, market, settings.slow_half_life_days)
        return np.stack([recent, total, week, earlier, season, year, slow])

    def _sold(
        self,
        start: int,
        end: int,
        n_items: int,
        market: int | None,
        half_life_days: float | None = None,
    ) -> Floats:
        """Count the lines of each product from day `start` or 0 to the day before `end`.

        With a half-life they are decayed.
        """
        start = max(start, 0)
        rows = slice(self.indptr[start], self.indptr[end])
        item, lines = self.item[rows], self.lines[rows]
        if half_life_days is not None:
            weights = np.exp2(-(end - 0.5 - np.arange(start, end)) / half_life_days)
            lines = lines * np.repeat(weights, np.diff(self.indptr[start : end + 1]))
        if market is not None:
            in_market = self.market[rows] == market
            item, lines = item[in_market], lines[in_market]
        counts = np.bincount(item, lines, n_items)
        return counts.astype(np.float64, copy=False)  # of no lines they are whole numbers

    def _sold_after(self, time: int, day: int, n_items: int, market: int | None) -> Floats:
        """Count the lines of each product after a moment and before a day, where it is known."""
        midnight = (int(self.first_day[0]) + day) * DAY
        rows = slice(*self.late_time.searchsorted([time + 1, midnight]))
        item = self.late_item[rows]
        if market is not None:
            item = item[self.late_market[rows] == market]
        return np.bincount(item, minlength=n_items).astype(np.float64)

    def _sold_before(self, day: int, n_items: int, market: int | None) -> Floats:
        """Count the lines of each product before a day: those of a checkpoint and since it."""
        span, checkpoints = self._checkpoints
        checkpoint = day // span
        markets = slice(None) if market is None else slice(market + 1, market + 2)
        lines = self._sold(checkpoint * span, day, n_items, market)
        lines[: checkpoints.shape[2]] += checkpoints[checkpoint, markets].sum(axis=0)
        return lines

    @cached_property
    def _checkpoints(self) -> tuple[int, Counts]:
        """A number of days, and the lines before each multiple of it.

        They are (checkpoints, markets + 1, items), never larger than the rows: where markets and
        products are many there are few checkpoints, or an empty one.
        """
        n_markets, n_items = int(self.market.max()) + 2, int(self.item.max()) + 1
        cells = n_markets * n_items
        spans = min(MAX_CHECKPOINTS, len(self.item) // cells)
        if spans == 0:
            return self._days + 1, np.zeros((1, 0, 0), np.float32)
        span = -(-self._days // spans)
        sums = np.zeros((self._days // span + 1, cells), np.float32)
        for checkpoint in range(1, len(sums)):
            rows = slice(self.indptr[(checkpoint - 1) * span], self.indptr[checkpoint * span])
            cell = (self.market[rows] + np.int64(1)) * n_items + self.item[rows]
            lines = np.bincount(cell, self.lines[rows], cells)
            sums[checkpoint] = sums[checkpoint - 1] + lines
        return span, sums.reshape(-1, n_markets, n_items)

    @property
    def _days(self) -> int:
        return len(self.indptr) - 1

    def _days_before(self, as_of: int) -> int:
        if as_of >= self.newest[0]:
            return self._days
        return int(np.clip(as_of // DAY - self.first_day[0], 0, self._days))
