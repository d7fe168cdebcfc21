"""A customer's habits, from a history that can be counted on two hands."""

from dataclasses import fields
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data.history import add_session, build_interactions, find_pair_starts, select_before
from models.ranking.customer_profile import (
    CUSTOMER_FEATURES,
    NEVER_DAYS,
    CustomerProfile,
    build_profile,
)
from models.settings import HistorySettings
from tests.support.literal_fit import build_histories, fit_product_stats
from tests.support.shop import Line, Product, ShopRecords, moment

HALVED_WEEKLY = HistorySettings(long_half_life_days=7.0, short_half_life_days=3.5)
# Zoe bought one of each: the median price is 4. Jam stands in no aisle, has no brand and no price.
SHELF = [
    Product("bread", category="bakery", brand="Ashby", price=2),
    Product("butter", category="dairy", brand="Ashby", price=4),
    Product("cheese", category="dairy", brand="Hartley", price=8),
    Product("jam"),
    Product("rolls", category="bakery", brand="Hartley", price=4),
]
BREAD, BUTTER, CHEESE, JAM, ROLLS = range(5)
BAKERY, DAIRY = range(2)
ASHBY, HARTLEY = range(2)


def profile_of(*lines: Line, as_of: float, session: tuple[int, ...] = ()) -> CustomerProfile:
    """Build the profile of Ann, whose name comes first."""
    records = ShopRecords([*lines, *(Line("zoe", product.id, 0) for product in SHELF)], SHELF)
    history = build_histories(records).of(0) if lines else build_histories(records).none()
    events = select_before(history, moment(as_of))
    pairs = build_interactions(events, find_pair_starts(events), moment(as_of), HALVED_WEEKLY)
    pairs = add_session(pairs, np.array(session, np.int32)) if session else pairs
    traits, catalogue = fit_product_stats(records), records.catalogue
    return build_profile(events, pairs, traits, catalogue, moment(as_of))


def ann(as_of: float = 14) -> CustomerProfile:
    """Buy bread on three Wednesdays, jam on the second, butter on the third."""
    bread = [Line("ann", "bread", day) for day in (0, 7, 14)]
    return profile_of(*bread, Line("ann", "jam", 7), Line("ann", "butter", 14), as_of=as_of)


def habits(profile: CustomerProfile) -> dict[str, float]:
    return dict(zip(CUSTOMER_FEATURES, profile.customer.tolist(), strict=True))


def test_habits_are_counted_in_days_on_which_something_was_bought() -> None:
    assert habits(ann(20)) == pytest.approx(
        {
            "visits": 3,
            "basket_size": 5 / 3,
            "visit_gap": 7,
            "since_visit": 6,
            "recent_visits": 3,
            "products": 3,
            "repeat_share": 1 / 3,
        }
    )


def test_visits_of_the_last_four_weeks_are_recent() -> None:
    assert [habits(ann(day))["recent_visits"] for day in (27, 28, 35, 42)] == [3, 2, 1, 0]


def test_whoever_came_once_has_no_rhythm() -> None:
    once = habits(profile_of(Line("ann", "bread", 3.2), Line("ann", "bread", 3.7), as_of=4))
    assert (once["visits"], once["basket_size"], once["visit_gap"]) == (1, 2, NEVER_DAYS)


def test_a_product_is_known_by_the_visits_since_it_was_last_bought() -> None:
    profile = ann()
    assert profile.visits_since.tolist() == [0, 0, 1]  # bread, butter, jam
    assert profile.visit_share.tolist() == [
        1,
        1,
        0.5,
    ]  # jam in one of the two visits since the first jam


def test_the_last_basket_is_what_was_bought_on_the_last_day() -> None:
    assert ann().last_basket == [BREAD, BUTTER]
    assert ann(13).last_basket == [BREAD, JAM]


def test_what_was_sent_back_is_not_in_the_last_basket() -> None:
    lines = [
        Line("ann", "bread", 3),
        Line("ann", "butter", 3),
        Line("ann", "butter", 5, kind="return"),
    ]
    assert profile_of(*lines, as_of=4).last_basket == [BREAD, BUTTER]
    assert profile_of(*lines, as_of=6).last_basket == [BREAD]


def test_categories_share_what_is_bought_and_newer_purchases_count_more() -> None:
    profile = ann()
    # Halved weekly: bread 1/4 + 1/2 + 1, butter 1, jam 1/2, which stands in no aisle.
    assert profile.category_lines.tolist() == [1.75, 1]
    assert profile.category_share.tolist() == pytest.approx([1.75 / 3.25, 1 / 3.25])
    # Halved twice a week: bread 1/16 + 1/4 + 1, butter 1, jam 1/4.
    assert profile.category_recent.tolist() == pytest.approx([1.3125 / 2.5625, 1 / 2.5625])
    assert profile.brand_share.tolist() == pytest.approx([2.75 / 3.25, 0])


def test_an_aisle_remembers_the_last_purchase_in_it_and_one_never_visited_none() -> None:
    profile = profile_of(Line("ann", "bread", 1), Line("ann", "rolls", 5), as_of=8.5)
    assert profile.category_days.tolist() == [3.5, NEVER_DAYS]


def test_the_usual_price_is_the_mean_of_what_is_bought_where_a_price_is_known() -> None:
    # Bread at half the median price counts 1.75, butter at the median 1; jam has no price
    assert ann().price == pytest.approx(1.75 * log(0.5) / 2.75)
    # Bread is sqrt(2) cheaper than the bakery on the whole, butter sqrt(2) cheaper than the dairy.
    assert ann().price_in_category == pytest.approx(log(0.5) / 2)


@pytest.mark.parametrize("session", [(), (BREAD, JAM)])
def test_who_never_bought_anything_has_no_habits(session: tuple[int, ...]) -> None:
    profile = profile_of(as_of=5, session=session)
    assert habits(profile) == {
        **dict.fromkeys(CUSTOMER_FEATURES, 0),
        "visit_gap": NEVER_DAYS,
        "since_visit": NEVER_DAYS,
    }
    assert profile.last_basket == []
    assert profile.visits_since.tolist() == [NEVER_DAYS] * len(session)
    assert profile.visit_share.tolist() == [0] * len(session)
    assert profile.category_share.tolist() == profile.brand_share.tolist() == [0, 0]
    assert profile.category_days.tolist() == [NEVER_DAYS, NEVER_DAYS]
    assert (profile.price, profile.price_in_category) == (0, 0)


def test_looking_and_what_lies_in_the_session_make_no_habit() -> None:
    bought = profile_of(Line("ann", "bread", 1), as_of=5)
    looked = profile_of(
        Line("ann", "bread", 1), Line("ann", "cheese", 4, kind="view"), as_of=5, session=(ROLLS,)
    )
    for name in (
        "customer",
        "category_share",
        "category_recent",
        "category_lines",
        "category_days",
        "brand_share",
    ):
        assert getattr(looked, name).tolist() == getattr(bought, name).tolist()
    assert (looked.last_basket, looked.price) == (bought.last_basket, bought.price)
    assert looked.visits_since.tolist() == [0, NEVER_DAYS, NEVER_DAYS]  # bread, cheese, rolls


LINES = st.builds(
    Line,
    st.just("ann"),
    st.sampled_from([product.id for product in SHELF]),
    st.floats(0, 60),
    kind=st.sampled_from(["purchase", "purchase", "view"]),
)


@given(st.lists(LINES, max_size=12), st.floats(0, 2000))
def test_any_history_has_a_profile_of_finite_numbers(lines: list[Line], as_of: float) -> None:
    profile = profile_of(*lines, as_of=as_of)
    for field in fields(CustomerProfile):
        assert np.isfinite(np.asarray(getattr(profile, field.name), np.float64)).all()
    for share in (profile.category_share, profile.category_recent, profile.brand_share):
        assert share.min() >= 0
        assert share.sum() <= 1 + 1e-5
    assert (profile.visits_since >= 0).all()
    assert len(profile.last_basket) <= habits(profile)["products"]
