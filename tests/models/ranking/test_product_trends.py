"""Trends of products at one moment, counted by hand."""

from dataclasses import replace
from math import log, log1p

import numpy as np
import pytest

from models.ranking.product_trends import (
    MAX_AGE_DAYS,
    PRODUCT_FEATURES,
    ProductTrends,
    build_trends,
    find_recent_arrivals,
    log_ratio,
    sum_by_category,
)
from models.settings import ArrivalSettings, ModelSettings, PopularSettings
from models.sources.repurchase import Repurchases
from tests.support.literal_fit import count_daily_sales, fit_product_stats
from tests.support.shop import Line, Product, ShopRecords, moment

# A day counts as much as the next; the window is four weeks.
SETTINGS = ModelSettings(
    popular=PopularSettings(half_life_days=1e9, window_days=28, market_prior=1.0),
    arrivals=ArrivalSettings(days=10),
)
BREAD, BUTTER, JAM, ROLLS = range(4)
SHELF = [
    Product("bread", category="bakery", price=2),
    Product("butter", category="dairy", price=8),
    Product("jam"),
    Product("rolls", category="bakery", price=4),
]


def sold(product: str, *days: float, market: str = "") -> list[Line]:
    """By another customer every time."""
    return [
        Line(f"{product} {market} {number}", product, day, market=market)
        for number, day in enumerate(days)
    ]


def trends_of(
    *lines: Line, day: float, market: str = "", products: list[Product] = SHELF
) -> ProductTrends:
    records = ShopRecords(lines, products)
    count = np.arange(len(records.catalogue), dtype=np.float32)
    repeats = Repurchases(rate=count / 10, average=np.array([0.1], np.float32), interval=count + 7)
    market_code = records.market_names.find(market) if market else None
    traits = fit_product_stats(records)
    return build_trends(
        count_daily_sales(records), traits, repeats, SETTINGS, moment(day), market_code
    )


def column(trends: ProductTrends, name: str) -> list[float]:
    return trends.columns[PRODUCT_FEATURES.index(name)].tolist()


# Of a hundred days: 10 loaves and 2 butter in the last four weeks, 4 loaves and 6 jams long ago
FEW = [
    *sold("bread", *range(90, 100)),
    *sold("butter", 80, 81),
    *sold("bread", *range(4)),
    *sold("jam", *range(6)),
]


def test_lines_of_the_window_and_of_all_days_enter_as_logarithms() -> None:
    scales = SETTINGS.scales
    trends = trends_of(*FEW, day=100)
    assert column(trends, "all_sales") == pytest.approx(
        [log1p(lines / scales.all_sales) for lines in (14, 2, 6, 0)]
    )
    # A window's worth of the 22 lines: as many as were sold in the window.
    recent = [lines * 12 / 22 for lines in (14, 2, 6, 0)]
    assert trends.popularity.recent.tolist() == pytest.approx(recent)
    assert column(trends, "recent_sales") == pytest.approx(
        [log1p(lines / scales.recent_sales) for lines in recent]
    )


def test_a_category_sells_what_its_products_sell_and_they_share_it() -> None:
    lines = [*sold("bread", 1, 2, 3), *sold("rolls", 1), *sold("butter", 2, 2), *sold("jam", 3)]
    trends = trends_of(*lines, day=4)
    assert column(trends, "category_sales") == pytest.approx([log1p(4), log1p(2), 0, log1p(4)])
    assert column(trends, "share_of_category") == pytest.approx(
        [3 / 4, 1, 0, 1 / 4]
    )  # jam is in none


def test_what_sells_more_this_week_than_the_weeks_before_is_rising() -> None:
    """Bread makes up half of the sales of every week, butter the rest of the last one."""
    lines = [*sold("bread", *range(28)), *sold("jam", *range(21)), *sold("butter", *range(21, 28))]
    week = column(trends_of(*lines, day=28), "week_trend")
    # In a window's worth of 56 lines: as many as this week's share of them, and as there were.
    assert week == pytest.approx([0, log((28 + 2) / (7 + 2)), log((0 + 2) / (21 + 2)), 0], abs=1e-6)


def test_what_sells_more_than_in_the_eight_weeks_before_is_in_trends() -> None:
    """Twelve weeks of a loaf a day; jam in the first eight, butter in the last four."""
    lines = [*sold("bread", *range(84)), *sold("jam", *range(56)), *sold("butter", *range(56, 84))]
    trend = column(trends_of(*lines, day=84), "trend")
    # A window holds 28 loaves then as now, a third of them for butter, two thirds for jam
    butter, jam = log((28 / 3 + 2) / (0 + 2)), log((2 * 28 / 3 + 2) / (28 + 2))
    assert trend == pytest.approx([0, butter, jam, 0], abs=1e-6)


def test_a_season_returns_where_the_data_reach_back_a_year() -> None:
    """Sell jam in the four weeks that follow, a year ago, and rolls in the other season."""
    every_week = range(0, 365, 7)
    lines = [
        *sold("bread", *every_week),
        *sold("jam", *range(1, 28)),
        *sold("rolls", *range(180, 208)),
    ]
    trends = trends_of(*lines, *sold("butter", 364), day=365)
    season = column(trends, "season")
    assert season[JAM] > 0 > season[ROLLS]
    assert season[JAM] > season[BREAD]
    category_season = column(trends, "category_season")
    assert (
        category_season[BREAD] == category_season[ROLLS] < 0
    )  # the bakery's season is the other one
    assert category_season[JAM] == 0  # it is in none
    half_a_year = trends_of(*[line for line in lines if line.day < 180], day=180)
    assert column(half_a_year, "season") == column(half_a_year, "category_season") == [0, 0, 0, 0]


def test_a_trend_of_a_market_is_its_own() -> None:
    """Bread comes and butter goes in the north, and the reverse in the much larger south."""
    north = [
        *sold("bread", *range(21, 28), market="north"),
        *sold("butter", *range(7), market="north"),
    ]
    south = [replace(line, day=27 - line.day, market="south") for line in north * 9]
    bread, butter, *_ = column(trends_of(*north, *south, day=28, market="north"), "week_trend")
    assert bread > 0 > butter
    bread, butter, *_ = column(trends_of(*north, *south, day=28, market="south"), "week_trend")
    assert bread < 0 < butter


def test_a_trend_is_drawn_to_nothing_while_little_is_sold() -> None:
    one, many = np.array([1, 100], np.float32), np.array([0, 50], np.float32)
    assert log_ratio(one, many).tolist() == pytest.approx([log(3 / 2), log(102 / 52)])
    assert log_ratio(np.zeros(1, np.float32), np.zeros(1, np.float32)).tolist() == [0]


def test_a_product_without_a_category_shares_no_sales_with_others_like_it() -> None:
    lines, category = np.array([1, 2, 4, 8], np.float32), np.array([1, -1, -1, 1], np.int32)
    assert sum_by_category(lines, category).tolist() == [9, 0, 0, 9]


def test_products_bring_their_own_age_price_customers_and_returns() -> None:
    lines = [
        *sold("bread", 0, 2, 3),
        *sold("butter", 6),
        Line("butter  0", "butter", 7, kind="return"),
    ]
    trends = trends_of(*lines, Line("bread  0", "bread", 8), day=10)
    assert column(trends, "age_days") == [10, 4, 0, 0]
    assert column(trends, "customers") == pytest.approx([log1p(3), log1p(1), 0, 0])
    assert column(trends, "return_rate") == [0, 1, 0, 0]
    assert column(trends, "price") == pytest.approx(
        [log(2 / 4), log(8 / 4), 0, 0]
    )  # over the median; jam has none
    assert column(trends, "again_rate") == pytest.approx([0, 0.1, 0.2, 0.3])
    assert column(trends, "again_days") == [7, 8, 9, 10]


def test_nothing_is_older_than_a_shop_remembers() -> None:
    assert column(trends_of(*sold("bread", 0, 2000), day=2001), "age_days")[BREAD] == MAX_AGE_DAYS


def test_sellers_stand_by_category_and_the_best_first() -> None:
    lines = [*sold("bread", 1), *sold("rolls", 1, 2), *sold("butter", 3), *sold("jam", *range(9))]
    trends = trends_of(*lines, day=9)
    assert trends.sellers.tolist() == [ROLLS, BREAD, BUTTER]  # jam is in no category
    assert trends.sellers_of.tolist() == [0, 2, 3]


def test_a_shop_without_categories_has_sellers_in_none() -> None:
    trends = trends_of(*sold("bread", 1, 2), day=3, products=[Product("bread")])
    assert (trends.sellers.tolist(), trends.sellers_of.tolist()) == ([], [0])
    assert np.isfinite(trends.columns).all()


def arriving(*days: float | None) -> list[Product]:
    """Jams that came on sale on these days, and bread, which is always there."""
    jams = [
        Product(f"jam {number}", category="jams", from_day=day) for number, day in enumerate(days)
    ]
    return [Product("bread"), *jams]


def arrived(*lines: Line, day: float, products: list[Product]) -> list[str]:
    records = ShopRecords(lines, products)
    items = find_recent_arrivals(
        count_daily_sales(records), records.catalogue, SETTINGS, moment(day)
    )
    return [products[item].id for item in items.tolist()]


def test_an_arrival_came_on_sale_within_the_last_days_or_comes() -> None:
    shelf = arriving(None, 89, 91, 100, 101)
    assert arrived(*sold("bread", *range(101)), day=100, products=shelf) == [
        "jam 2",
        "jam 3",
        "jam 4",
    ]


def test_what_has_been_bought_often_enough_to_learn_from_is_no_arrival_any_more() -> None:
    shelf = arriving(95, 95)
    lines = [*sold("bread", *range(100)), *sold("jam 0", 96, 97), *sold("jam 1", 96, 97, 98)]
    assert arrived(*lines, day=99, products=shelf) == ["jam 0"]


def test_what_is_known_from_one_market_is_no_arrival_in_another() -> None:
    shelf = arriving(95, 95)
    south = [
        *sold("bread", *range(100), market="south"),
        *sold("jam 0", *range(95, 99), market="south"),
    ]
    lines = [
        *sold("bread", *range(100), market="north"),
        *south,
        *sold("jam 1", 97, market="north"),
    ]
    assert arrived(*lines, day=99, products=shelf) == ["jam 1"]
