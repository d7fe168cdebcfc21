"""What sells, counted day by day."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data.daily_sales import DailySales, Popularity
from models.data.events import DAY
from models.settings import PopularSettings
from tests.support.literal_fit import count_daily_sales
from tests.support.shop import Line, Product, ShopRecords, moment

BREAD, MILK = 0, 1
WEEK = [
    Line("ann", "bread", 0.3, market="north"),
    Line("bob", "bread", 0.9, market="south"),
    Line("", "milk", 2.1, market="north"),
    Line("ann", "bread", 2.5),
    Line("ann", "milk", 4.2, market="north"),
    Line("ann", "milk", 4.4, kind="return"),
]
NORTH = 0
ONE_LOAF = (np.full(1, -1, np.int32), np.full(1, BREAD, np.int32))


@pytest.fixture(scope="module")
def sales() -> DailySales:
    return count_daily_sales(ShopRecords(WEEK))


def window(sales: DailySales, day: float, days: int, market: int | None = None) -> list[float]:
    counted: list[float] = sales.window(moment(day), days, 2, market).tolist()
    return counted


def test_a_window_counts_lines_of_guests_too_and_no_returns(sales: DailySales) -> None:
    assert window(sales, 4.4, 28) == [3, 2]


def test_a_window_ends_with_the_newest_day(sales: DailySales) -> None:
    assert window(sales, 4.4, 1) == [0, 1]
    assert window(sales, 4.4, 3) == [1, 2]


def test_a_day_has_24_hours_at_whatever_time_it_ends() -> None:
    sold = [Line("", "bread", 0.5), Line("", "milk", 0.7), Line("ann", "milk", 1.6, market="north")]
    daily = count_daily_sales(ShopRecords([*sold, Line("bob", "bread", 0, market="north")]))
    assert window(daily, 1.6, 1) == window(daily, 9, 1) == [0, 2]
    assert window(daily, 1.6, 2) == [2, 2]
    assert window(daily, 1.6, 1, NORTH) == [0, 1]
    assert window(daily, 1.5, 1) == [2, 1]  # an earlier moment knows whole days alone


def test_what_is_reported_since_moves_the_24_hours() -> None:
    daily = count_daily_sales(ShopRecords([Line("", "bread", 0.5), Line("ann", "milk", 1.6)]))
    later = np.array([moment(2.0), moment(2.4)])
    continued = daily.add_lines(later, np.full(2, -1, np.int32), np.full(2, BREAD, np.int32))
    assert window(continued, 2.4, 1) == [2, 1]
    assert window(continued.add_lines(later[1:] + DAY // 4, *ONE_LOAF), 3, 1) == [3, 0]


def test_a_version_without_the_moments_counts_calendar_days() -> None:
    daily = count_daily_sales(ShopRecords([Line("", "bread", 0.9), Line("ann", "milk", 1.6)]))
    nothing = np.zeros(0, np.int32)
    older = replace(
        daily, late_time=nothing.astype(np.int64), late_item=nothing, late_market=nothing
    )
    assert window(older, 2, 1) == [0, 1]
    continued = older.add_lines(np.array([moment(2.1)]), *ONE_LOAF)
    assert window(continued, 3, 1) == [1, 0]


def test_a_later_moment_sees_the_same_window(sales: DailySales) -> None:
    assert window(sales, 400, 3) == window(sales, 4.4, 3)


def test_an_earlier_moment_sees_whole_days_before_it_alone(sales: DailySales) -> None:
    assert window(sales, 2.9, 28) == [2, 0]
    assert window(sales, 3.0, 28) == [3, 1]
    assert window(sales, 3.0, 1) == [1, 1]


def test_before_the_first_day_nothing_was_sold(sales: DailySales) -> None:
    assert window(sales, -3, 28) == window(sales, 0.5, 28) == [0, 0]
    early = sales.popularity(moment(-3), 2, PopularSettings())
    assert all(counted.tolist() == [0, 0] for counted in vars(early).values())


def test_a_market_counts_its_own_lines(sales: DailySales) -> None:
    assert window(sales, 4.4, 28, NORTH) == [1, 2]


def test_popularity_halves_every_half_life_and_adds_up_to_what_the_window_sold(
    sales: DailySales,
) -> None:
    popularity = sales.popularity(
        moment(4.4), 2, PopularSettings(half_life_days=2.0, window_days=3)
    )
    # Bread sold twice on day 0 and once on day 2, milk on days 2 and 4; the newest day is half a
    # day old on average.
    bread, milk = 2 * 0.5 ** (4.5 / 2) + 0.5 ** (2.5 / 2), 0.5 ** (2.5 / 2) + 0.5 ** (0.5 / 2)
    assert popularity.recent.tolist() == pytest.approx(
        [3 * bread / (bread + milk), 3 * milk / (bread + milk)]
    )
    assert popularity.total.tolist() == [3, 2]


# Sixty days on which the north buys a coat a day and the south a pair of shorts; shirts sell
# every day, in the north.
COAT, SHIRT, SHORTS = range(3)
CLOTHES = [
    *(Line("", "coat", day + 0.5, market="north") for day in range(60)),
    *(Line("", "shirt", day + 0.5, market="north") for day in range(430)),
    *(Line("", "shorts", day + 0.5, market="south") for day in range(60)),
]
SOUTH, ELSEWHERE = 1, 2


def clothes(day: float, market: int | None = None, prior: float = 1e-9) -> Popularity:
    """Count before that day, in windows of ten days with ten lines or thirty each."""
    settings = PopularSettings(window_days=10, market_prior=prior)
    return count_daily_sales(ShopRecords(CLOTHES)).popularity(moment(day), 3, settings, market)


def test_the_season_is_what_sold_from_this_day_on_a_year_ago() -> None:
    assert clothes(365).season.tolist() == pytest.approx([10 / 3, 10 / 3, 10 / 3])
    assert clothes(365 + 55).season.tolist() == pytest.approx([2.5, 5, 2.5])
    assert clothes(365 + 60).season.tolist() == pytest.approx([0, 10, 0])


def test_a_season_compares_with_the_share_of_the_year() -> None:
    assert clothes(365).year.tolist() == pytest.approx(
        [10 * 60 / 485, 10 * 365 / 485, 10 * 60 / 485]
    )
    assert clothes(365 + 20).year.tolist() == pytest.approx(
        [10 * 40 / 445, 10 * 365 / 445, 10 * 40 / 445]
    )


def test_a_shop_younger_than_a_year_has_no_season() -> None:
    young = clothes(364)
    assert young.season.tolist() == young.year.tolist() == [0, 0, 0]


def test_what_sold_earlier_is_counted_in_the_two_windows_before_the_last() -> None:
    assert clothes(70).earlier.tolist() == pytest.approx([10 / 3, 10 / 3, 10 / 3])
    assert clothes(85).earlier.tolist() == pytest.approx([10 / 6, 40 / 6, 10 / 6])
    assert clothes(100).earlier.tolist() == pytest.approx([0, 10, 0])
    assert clothes(70).recent[COAT] < clothes(70).earlier[COAT]


def test_without_a_whole_window_before_the_last_nothing_rises_or_falls() -> None:
    assert clothes(19).earlier.tolist() == clothes(19).recent.tolist()
    assert clothes(19, SOUTH).earlier.tolist() == clothes(19, SOUTH).recent.tolist()


def test_each_market_has_seasons_of_its_own() -> None:
    assert clothes(365, NORTH).season.tolist() == pytest.approx([5, 5, 0], abs=1e-6)
    assert clothes(365, SOUTH).season.tolist() == pytest.approx([0, 0, 10], abs=1e-6)


def test_a_small_market_leans_on_the_whole_shop() -> None:
    # Ten lines of the south's own beside ten of the shop's, a third of them shorts
    assert clothes(365, SOUTH, prior=10).season.tolist() == pytest.approx([10 / 6, 10 / 6, 40 / 6])
    # Nothing was sold in the south lately
    assert clothes(365, SOUTH).recent.tolist() == pytest.approx(clothes(365).recent.tolist())


def test_a_market_without_a_sale_is_the_whole_shop() -> None:
    for local, everywhere in zip(
        vars(clothes(400, ELSEWHERE)).values(), vars(clothes(400)).values(), strict=True
    ):
        assert local.tolist() == pytest.approx(everywhere.tolist())


@pytest.mark.parametrize("market", [NORTH, SOUTH])
def test_a_market_is_stretched_to_the_size_of_the_whole_shop(market: int) -> None:
    for local, everywhere in zip(
        vars(clothes(400, market, 5)).values(), vars(clothes(400)).values(), strict=True
    ):
        assert local.sum() == pytest.approx(everywhere.sum())


SALE = st.builds(
    Line,
    st.sampled_from(["", "ann"]),
    st.sampled_from(["bread", "milk", "tea"]),
    st.integers(0, 40 * 96).map(lambda quarter: quarter / 96),
    market=st.sampled_from(["", "north", "south"]),
)


@given(
    st.lists(SALE, min_size=1, max_size=30),
    st.integers(-3, 45),
    st.integers(1, 30),
    st.sampled_from([None, 0, 1]),
)
def test_any_window_is_counted_as_if_by_hand(
    lines: list[Line], day: int, days: int, market: int | None
) -> None:
    records = ShopRecords(lines)
    newest = max(row.time for row in records.coded_lines)
    end = moment(day)
    if moment(day) >= newest:
        end = newest + 1 if days <= 7 else (newest // 86_400 + 1) * 86_400
    expected = np.zeros(3)
    for row in records.coded_lines:
        if end - days * 86_400 <= row.time < end and (market is None or row.market == market):
            expected[row.item] += 1
    assert (
        count_daily_sales(records).window(moment(day), days, 3, market).tolist()
        == expected.tolist()
    )


SHELF = [Product(name) for name in ("bread", "milk", "tea")]
SALE_OF_TWO_YEARS = st.builds(
    Line,
    st.just(""),
    st.sampled_from([product.id for product in SHELF]),
    st.integers(0, 800).map(lambda day: day + 0.5),
    market=st.sampled_from(["", "north", "south"]),
)
MARKET = st.sampled_from([None, 0, 1])


@given(st.lists(SALE_OF_TWO_YEARS, min_size=1, max_size=60), st.integers(-3, 810), MARKET)
def test_popularity_is_counted_as_if_by_hand(
    lines: list[Line], day: int, market: int | None
) -> None:
    records = ShopRecords(lines, SHELF)
    times = np.array([row.time for row in records.coded_lines])
    items = np.array([row.item for row in records.coded_lines])
    markets = np.array([row.market for row in records.coded_lines])
    days = times // 86_400
    end = days.max() + 1 if moment(day) >= times.max() else moment(day) // 86_400

    def share(first: int, last: int) -> list[float]:
        """Return the share of each product in these days in the market, or everywhere without any."""
        sold = (first <= days) & (days < last)
        local = sold & ((markets == market) | (market is None))
        counts = np.bincount(items[local if local.any() else sold], minlength=3)
        shares: list[float] = (counts / max(counts.sum(), 1)).tolist()
        return shares

    popularity = count_daily_sales(records).popularity(
        moment(day), 3, PopularSettings(market_prior=1e-9), market
    )
    expected = {
        "total": share(0, end),
        "earlier": share(end - 84, end - 28) if end - 56 >= days.min() else None,
        "season": share(end - 365, end - 337) if end - 365 >= days.min() else [0, 0, 0],
        "year": share(end - 365, end) if end - 365 >= days.min() else [0, 0, 0],
    }
    lately = ((end - 28 <= days) & (days < end)).sum()
    for name, shares in expected.items():
        size = (days < end).sum() if name == "total" else lately
        if shares is not None:
            assert getattr(popularity, name).tolist() == pytest.approx(
                [size * part for part in shares], abs=1e-4
            )


@given(st.lists(SALE_OF_TWO_YEARS, min_size=1, max_size=60), st.integers(0, 810), MARKET)
def test_nothing_that_came_later_is_known(lines: list[Line], day: int, market: int | None) -> None:
    changed = [line if line.day <= day else replace(line, product="tea") for line in lines]
    before, after = (
        count_daily_sales(ShopRecords(shop, SHELF)).popularity(
            moment(day), 3, PopularSettings(), market
        )
        for shop in (lines, changed)
    )
    for known, seen in zip(vars(before).values(), vars(after).values(), strict=True):
        assert known.tolist() == seen.tolist()


LINES = st.lists(
    st.tuples(st.integers(0, 30), st.integers(-1, 1), st.integers(0, 2)), min_size=20, max_size=80
)


def reported(lines: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    day, market, item = np.array(lines, np.int64).reshape(-1, 3).T
    return day * DAY + moment(0.5), market.astype(np.int32), item.astype(np.int32)


def counted(lines: list[tuple[int, int, int]]) -> DailySales:
    markets = {-1: "", 0: "north", 1: "south"}
    sold = [
        Line("ann", "abc"[item], day + 0.5, market=markets[market], order=str(n))
        for n, (day, market, item) in enumerate(lines)
    ]
    known = [
        Line("x", name, 0, market=market, order=name)
        for name, market in (("a", "north"), ("b", "south"), ("c", ""))
    ]
    return count_daily_sales(ShopRecords(known + sold))


@given(LINES, st.integers(1, 60), st.integers(0, 40), st.sampled_from([None, 0, 1]))
def test_what_was_reported_since_counts_as_if_it_had_been_learned(
    lines: list[tuple[int, int, int]], days: int, as_of: int, market: int | None
) -> None:
    half = len(lines) // 2
    continued, whole = counted(lines[:half]).add_lines(*reported(lines[half:])), counted(lines)
    if len(continued.indptr) == len(whole.indptr):
        counts, expected_counts = (
            sales.window(moment(as_of), days, 3, market).tolist() for sales in (continued, whole)
        )
        assert counts == expected_counts
        popularity, expected = (
            sales.popularity(moment(as_of), 3, PopularSettings(), market)
            for sales in (continued, whole)
        )
        assert popularity.recent.tolist() == pytest.approx(expected.recent.tolist())


def test_a_trickle_of_reports_is_not_taken_for_all_that_is_sold() -> None:
    daily = counted([(day, 0, day % 3) for day in range(28) for _ in range(5)])
    assert daily.add_lines(*reported([(40, 0, 1)])) is daily
    assert daily.add_lines(*reported([])) is daily
    busy = daily.add_lines(*reported([(28 + day, 0, 1) for day in range(3) for _ in range(4)]))
    assert busy.window(moment(31), 3, 3).tolist() == [0, 12, 0]
    assert busy.newest[0] > daily.newest[0]


def test_windows_end_at_the_newest_event_or_where_an_earlier_day_begins() -> None:
    daily = counted([(0, 0, 1), (9, 0, 2)])
    newest = int(daily.newest[0])
    assert [daily.window_end(newest + later) for later in (0, 1, 99 * DAY)] == [newest] * 3
    assert daily.window_end(moment(5.7)) == moment(5)
