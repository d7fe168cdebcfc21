"""One row of numbers a candidate, by hand."""

from dataclasses import replace
from math import log, log1p

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.data.ragged import RowGroups
from models.ranking.context import RankingContext, SourceScores
from models.ranking.customer_profile import CUSTOMER_FEATURES, NEVER_DAYS
from models.ranking.features import (
    BLENDED,
    FEATURES,
    MAX_INTERVALS,
    OWN,
    build_rows,
    build_rows_each,
)
from models.ranking.product_trends import PRODUCT_FEATURES
from models.ranking.sources import SOURCES
from models.recommender import NOBODY, Recommender
from models.rules.filters import Filters
from models.settings import FactorSettings, PopularSettings
from models.slate import SlateRequest
from models.sources.scores import SparseScores
from tests.support.fitted_shop import fit_shop
from tests.support.shop import SMALL, Line, Product, ShopRecords, moment, small_shop_records

# Every day of the window counts alike; jam stands in no aisle, has no brand and no price.
SHELF = [
    Product("bread", category="bakery", brand="Ashby", price=2),
    Product("butter", category="dairy", brand="Ashby", price=4),
    Product("jam"),
    Product("milk", category="dairy", brand="Hartley", price=6),
    Product("rolls", category="bakery", brand="Hartley", price=8),
]
NAMES = [product.id for product in SHELF]
SETTINGS = replace(SMALL, popular=PopularSettings(half_life_days=1e9, market_prior=1.0))
NOW = 28


@pytest.fixture(scope="module")
def shop() -> Recommender:
    """Sell bread to Ann on days 0, 7 and 14, milk on day 7; on day 26 she looks at butter."""
    ann = [Line("ann", "bread", day) for day in (0, 7, 14)]
    ann += [Line("ann", "milk", 7), Line("ann", "butter", 26, kind="view")]
    crowd = [Line(f"c{n}", name, 20 + n) for n in range(5) for name in ("jam", "milk", "rolls")]
    return fit_shop(ShopRecords([*ann, *crowd, Line("bob", "bread", NOW)], SHELF), SETTINGS)


def context_of(
    shop: Recommender, day: float = NOW, customer: str = "ann", **options: object
) -> RankingContext:
    user = shop.model.customers.ids.find(customer)
    request = SlateRequest(as_of=moment(day), **options)  # type: ignore[arg-type]
    return shop.build_context(user, request)


def rows(shop: Recommender, context: RankingContext, *products: str) -> dict[str, dict[str, float]]:
    """Return the rows of these products, or of all, by the names of the columns."""
    names = products or tuple(NAMES)
    items = np.array([NAMES.index(name) for name in names], np.int64)
    table, _ = build_rows(items, context, SOURCES)
    return {
        name: dict(zip(FEATURES, row, strict=True))
        for name, row in zip(names, table.tolist(), strict=True)
    }


def row(shop: Recommender, context: RankingContext, product: str) -> dict[str, float]:
    return rows(shop, context, product)[product]


def with_scores(context: RankingContext, **scores: float) -> RankingContext:
    """Return the context with these scores for jam, half of them for milk, and no others."""
    items = np.array([NAMES.index("jam"), NAMES.index("milk")], np.int32)
    shares = np.array([1, 0.5], np.float32)
    learned = dict.fromkeys(SourceScores.__dataclass_fields__, SparseScores.none())
    for name, score in scores.items():
        learned[name] = SparseScores.summed(items, shares * np.float32(score))
    return replace(context, scores=SourceScores(**learned))


def test_every_column_has_one_name_and_those_of_the_blend_come_first() -> None:
    assert len(set(FEATURES)) == len(FEATURES)
    assert FEATURES[: len(BLENDED)] == BLENDED
    assert {*PRODUCT_FEATURES, *CUSTOMER_FEATURES} < {*FEATURES}


def test_evidence_enters_as_the_logarithm_of_itself_over_its_scale(shop: Recommender) -> None:
    scales = SETTINGS.scales
    table = rows(
        shop,
        with_scores(context_of(shop), affinity=0.004, neighbours=0.01, basket=0.02, together=0.03),
    )
    expected = {
        "affinity": log1p(0.004 / scales.affinity),
        "neighbours": log1p(0.01 / scales.neighbours),
        "basket": log1p(0.02 / scales.basket),
        "together": log1p(0.03 / scales.basket),
    }
    assert {name: table["jam"][name] for name in expected} == pytest.approx(expected, rel=1e-5)
    assert {table["rolls"][name] for name in expected} == {0}


def test_evidence_is_also_compared_with_the_strongest_there_is(shop: Recommender) -> None:
    table = rows(shop, with_scores(context_of(shop), affinity=0.004, neighbours=0.01))
    for name in ("affinity_share", "neighbours_share"):
        assert [table[product][name] for product in ("jam", "milk", "rolls")] == [1, 0.5, 0]


def test_what_was_bought_before_brings_its_own_numbers(shop: Recommender) -> None:
    context, history = context_of(shop), SETTINGS.history
    long, middle, short = (
        sum(2 ** (-(NOW - day) / half_life) for day in (0, 7, 14))
        for half_life in (
            history.long_half_life_days,
            history.middle_half_life_days,
            history.short_half_life_days,
        )
    )
    repeats = shop.model.repeats
    interval = (14 + 2 * float(repeats.interval[0])) / (2 + 2)
    bread = row(shop, context, "bread")
    assert {
        name: bread[name] for name in ("own_long", "own_short", "repeat_rate", "overdue", *OWN)
    } == pytest.approx(
        {
            "own_long": log1p(long / SETTINGS.scales.own_long),
            "own_short": log1p(short / SETTINGS.scales.own_short),
            "repeat_rate": log(float(repeats.rate[0]) + 1e-3),
            "overdue": log((14 + 2) / (interval + 2)),
            "bought": 1,
            "own_lines": 3,
            "own_middle": middle,
            "days_since": 14,
            "intervals_passed": 14 / interval,
            "interval_days": interval,
            "visits_since": 0,  # she has not been here since
            "visit_share": 1,  # it was in every basket
            "days_since_first": 28,
        },
        rel=1e-5,
    )
    milk = row(shop, context, "milk")
    assert (milk["own_lines"], milk["days_since"], milk["visits_since"], milk["visit_share"]) == (
        1,
        21,
        1,
        0.5,
    )


def test_what_was_never_bought_has_no_history_and_is_infinitely_far_away(shop: Recommender) -> None:
    days = ("days_since", "days_since_first", "interval_days", "visits_since")
    nothing = {*OWN, "own_long", "own_short", "repeat_rate", "overdue"} - {
        *days,
        "intervals_passed",
    }
    for product in ("jam", "butter"):  # butter was looked at
        table = row(shop, context_of(shop), product)
        assert {table[name] for name in nothing} == {0}
        assert {table[name] for name in days} == {NEVER_DAYS}
        assert table["intervals_passed"] == MAX_INTERVALS


def test_which_candidates_were_bought_before_is_told_beside_the_rows(shop: Recommender) -> None:
    for names, expected in (
        (("bread", "butter", "jam", "milk"), [True, False, False, True]),
        (("butter", "milk", "rolls"), [False, True, False]),
    ):
        items = np.array([NAMES.index(name) for name in names])
        table, bought = build_rows(items, context_of(shop), SOURCES)
        assert bought.tolist() == table[:, FEATURES.index("bought")].tolist() == expected


def test_a_product_is_overdue_once_more_than_an_interval_has_passed(shop: Recommender) -> None:
    overdue = [row(shop, context_of(shop, day), "bread")["overdue"] for day in (15, 20, 60)]
    interval = row(shop, context_of(shop), "bread")["interval_days"]
    assert overdue == pytest.approx([0, 0, log((60 - 14 + 2) / (interval + 2))], rel=1e-5)


def test_two_purchases_are_too_few_to_be_overdue(shop: Recommender) -> None:
    """On day 13.9 she has bought bread twice."""
    early = context_of(shop, 13.9)
    assert early.pairs.lines.tolist() == [2, 1]
    long_ago = replace(early.clocks, since=early.clocks.since + 300)
    assert row(shop, replace(early, clocks=long_ago), "bread")["overdue"] == 0


def test_a_clock_that_stands_still_for_ever_stays_a_number(shop: Recommender) -> None:
    context = context_of(shop)
    never = replace(
        context.clocks, interval=np.full(3, np.inf, np.float32), passed=np.zeros(3, np.float32)
    )
    table = row(shop, replace(context, clocks=never), "bread")
    assert (table["interval_days"], table["intervals_passed"], table["overdue"]) == (
        NEVER_DAYS,
        0,
        0,
    )


def test_known_aisles_and_brands_speak_for_what_stands_in_them(shop: Recommender) -> None:
    context = context_of(shop)
    bakery, dairy = 0, 1
    table = rows(shop, context)
    for product, category, days in (
        ("bread", bakery, 14),
        ("rolls", bakery, 14),
        ("milk", dairy, 21),
        ("butter", dairy, 21),
    ):
        assert table[product]["category_share"] == pytest.approx(
            context.profile.category_share[category]
        )
        assert table[product]["category_recent"] == pytest.approx(
            context.profile.category_recent[category]
        )
        assert table[product]["category_lines"] == pytest.approx(
            context.profile.category_lines[category]
        )
        assert table[product]["category_days"] == days
    assert table["rolls"]["category_share"] > table["butter"]["category_share"] > 0
    ashby, hartley = context.profile.brand_share.tolist()
    assert ashby > hartley > 0
    brands = [
        table[product]["brand_share"] for product in ("bread", "butter", "milk", "rolls", "jam")
    ]
    assert brands == pytest.approx([ashby, ashby, hartley, hartley, 0])


def test_a_product_without_category_brand_and_price_is_near_nothing(shop: Recommender) -> None:
    jam = row(shop, context_of(shop), "jam")
    of_category = (
        "category_share",
        "category_recent",
        "category_lines",
        "category_sales",
        "share_of_category",
    )
    assert {
        jam[name] for name in (*of_category, "brand_share", "price", "dearer", "dearer_in_category")
    } == {0}
    assert jam["category_days"] == NEVER_DAYS


def test_prices_are_compared_with_what_the_customer_usually_pays(shop: Recommender) -> None:
    table = rows(shop, context_of(shop))
    traits, profile = shop.model.traits, context_of(shop).profile
    assert table["rolls"]["dearer"] == pytest.approx(
        log(8) - log(2) + float(traits.log_price[0]) - profile.price
    )
    assert table["rolls"]["dearer"] - table["bread"]["dearer"] == pytest.approx(log(4))
    # Rolls are twice as dear as the bakery's mean, bread half as dear.
    assert table["rolls"]["dearer_in_category"] == pytest.approx(log(2) - profile.price_in_category)
    assert table["bread"]["dearer_in_category"] == pytest.approx(
        -log(2) - profile.price_in_category
    )


def test_a_customer_of_unknown_taste_finds_nothing_dear(shop: Recommender) -> None:
    table = row(shop, context_of(shop, customer="c1", day=1), "rolls")
    assert table["dearer"] == pytest.approx(float(shop.model.traits.log_price[4]))


def test_the_habits_of_the_customer_stand_in_every_row(shop: Recommender) -> None:
    context = context_of(shop)
    for table in rows(shop, context).values():
        assert [table[name] for name in CUSTOMER_FEATURES] == context.profile.customer.tolist()
    assert (row(shop, context, "jam")["visits"], row(shop, context, "jam")["since_visit"]) == (
        3,
        14,
    )


def test_what_the_shop_knows_of_a_product_stands_in_its_row(shop: Recommender) -> None:
    context = context_of(shop)
    for name, column in zip(PRODUCT_FEATURES, context.trends.columns.tolist(), strict=True):
        assert [table[name] for table in rows(shop, context).values()] == column
    jam, bread = row(shop, context, "jam"), row(shop, context, "bread")
    assert (jam["customers"], bread["customers"]) == pytest.approx((log1p(5), log1p(2)))
    assert jam["recent_sales"] > row(shop, context, "bread")["recent_sales"] > 0


def test_the_age_of_the_model_stands_in_every_row(shop: Recommender) -> None:
    assert {table["lag_days"] for table in rows(shop, context_of(shop, NOW + 7)).values()} == {7}
    assert {table["lag_days"] for table in rows(shop, context_of(shop, NOW - 7)).values()} == {0}


def test_a_visitor_brings_the_visit_and_no_habit(shop: Recommender) -> None:
    visit = shop.build_context(NOBODY, SlateRequest(recent=(NAMES.index("milk"),)))
    table = rows(shop, visit)
    assert table["jam"]["neighbours"] > table["bread"]["neighbours"] == 0  # who buys milk buys jam
    for one in table.values():
        assert {
            one[name] for name in ("bought", "visits", "category_share", "brand_share", "own_long")
        } == {0}
        assert (one["days_since"], one["since_visit"]) == (NEVER_DAYS, NEVER_DAYS)


def test_a_row_does_not_depend_on_the_rows_beside_it(shop: Recommender) -> None:
    context = context_of(shop, basket=(NAMES.index("milk"),))
    together = rows(shop, context)
    for product in NAMES:
        assert row(shop, context, product) == together[product]


def test_no_candidates_are_no_rows(shop: Recommender) -> None:
    table, bought = build_rows(np.zeros(0, np.int64), context_of(shop), SOURCES)
    assert (table.shape, bought.shape) == ((0, len(FEATURES)), (0,))


SHOPS = st.lists(
    st.builds(
        Line,
        st.sampled_from(["", "ann", "bob"]),
        st.sampled_from(["bread", "jam", "rolls"]),
        st.floats(0, 800),
        order=st.sampled_from(["", "one"]),
        kind=st.sampled_from(["purchase", "purchase", "view"]),
        market=st.sampled_from(["", "north"]),
        price=st.sampled_from([float("nan"), 0.0, 0.01, 1e6]),
    ),
    max_size=12,
).map(lambda lines: [Line("", "jam", 0), *lines])
PRODUCTS = st.tuples(
    *(
        st.builds(
            Product,
            st.just(name),
            title=st.sampled_from(["", "Rye 500", "Rye 1000"]),
            category=st.sampled_from(["", "bakery"]),
            brand=st.sampled_from(["", "Ashby"]),
            price=st.sampled_from([float("nan"), 0.0, 3.0]),
            from_day=st.none() | st.floats(0, 800),
        )
        for name in ("bread", "jam", "rolls", "unsold")
    )
)


@settings(max_examples=40)
@given(
    SHOPS,
    PRODUCTS,
    st.floats(-10, 2000),
    st.sampled_from([(), (0,), (1, 3)]),
    st.sampled_from([None, "north"]),
)
def test_in_any_shop_and_at_any_moment_every_number_is_finite(
    lines: list[Line],
    products: tuple[Product, ...],
    day: float,
    session: tuple[int, ...],
    market: str | None,
) -> None:
    quick = replace(SMALL, factors=FactorSettings(factors=2, iterations=1))
    shop = fit_shop(ShopRecords(lines, products), quick)
    for customer in (NOBODY, *range(len(shop.model.customers))):
        request = SlateRequest(as_of=moment(day), recent=session, filters=Filters(market=market))
        items = np.arange(len(products))
        table, _ = build_rows(items, shop.build_context(customer, request), SOURCES)
        finite = np.isfinite(table).all(axis=0)
        assert np.array(FEATURES)[~finite].tolist() == []


def test_the_rows_of_many_customers_are_those_of_each() -> None:
    shop = fit_shop(small_shop_records())
    contexts = [shop.build_context(user, SlateRequest()) for user in (0, 5, NOBODY, 9)]
    items_each, values, bought = [], [], []
    for start, context in enumerate(contexts):
        items = np.arange(start, len(shop.catalogue), 3, dtype=np.int64)
        alone = build_rows(items, context, SOURCES)
        items_each.append(items)
        values += alone.values.tolist()
        bought += alone.bought.tolist()
    groups = RowGroups.of(map(len, items_each))
    together = build_rows_each(np.concatenate(items_each), groups, contexts, SOURCES)
    assert together.values.tolist() == values
    assert together.bought.tolist() == bought
    assert any(bought)
