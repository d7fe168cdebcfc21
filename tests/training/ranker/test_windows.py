"""Earlier moments of a shop, and what its customers bought after them, counted by hand."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data.events import DAY
from models.settings import SHORTEST_HORIZON_DAYS, RankerSettings
from tests.support.shop import Line, moment
from tests.support.training_shop import small_purchases
from training.ranker.windows import (
    MIN_HORIZONS,
    Window,
    draw_examples,
    draw_visit_examples,
    place_windows,
)

DEFAULT = RankerSettings(windows=2, horizon_days=28, lags_days=(0, 7, 14))


def days_of(window: Window) -> tuple[float, list[float], float]:
    """Begin, moments and length of a window, in days."""
    return window.until / DAY, [at / DAY for at in window.moments], window.horizon / DAY


def test_windows_end_with_the_data_and_begin_a_horizon_apart() -> None:
    newest, older = place_windows(0, 300 * DAY, DEFAULT)
    # The last moment is 28 days before the end, and the fit 14 days before that.
    assert days_of(newest) == (258, [258, 265, 272], 28)
    assert days_of(older) == (230, [230, 237, 244], 28)


def test_the_lags_are_how_old_the_fit_is_when_it_is_asked() -> None:
    (window,) = place_windows(0, 300 * DAY, RankerSettings(windows=1, lags_days=(3, 0, 10)))
    assert [(at - window.until) / DAY for at in window.moments] == [3, 0, 10]


def test_a_short_history_is_asked_about_fewer_days_at_younger_moments() -> None:
    (window, *_) = place_windows(0, 70 * DAY, DEFAULT)
    assert days_of(window) == (49, [49, 52.5, 56], 14)


def test_a_short_history_has_fewer_windows_for_each_needs_two_horizons_before_it() -> None:
    many = replace(DEFAULT, windows=20)
    assert [days_of(window)[0] for window in place_windows(0, 70 * DAY, many)] == [49, 35]
    assert len(place_windows(0, 300 * DAY, many)) == 8
    assert len(place_windows(0, 3_000 * DAY, many)) == 20
    at_once = replace(many, lags_days=(0,))  # the third has two horizons before it to the second
    assert [days_of(window)[0] for window in place_windows(0, 70 * DAY, at_once)] == [56, 42, 28]


@pytest.mark.parametrize(("days", "expected"), [(3, 0), (4.9, 0), (5, 2), (35, 2)])
def test_a_history_of_a_few_days_teaches_nothing(days: float, expected: int) -> None:
    assert len(place_windows(0, int(days * DAY), DEFAULT)) == expected


def test_no_windows_are_looked_for_where_none_are_asked_for() -> None:
    assert place_windows(0, 3_000 * DAY, replace(DEFAULT, windows=0)) == []


@given(
    st.integers(-(10**9), 10**9),
    st.integers(0, 10**9),
    st.integers(0, 12),
    st.integers(SHORTEST_HORIZON_DAYS, 400),
    st.lists(st.integers(0, 60), min_size=1, max_size=4).map(tuple),
)
def test_whatever_the_history_nothing_is_asked_about_days_that_it_does_not_have(
    first: int, span: int, number: int, horizon_days: int, lags_days: tuple[int, ...]
) -> None:
    settings = RankerSettings(windows=number, horizon_days=horizon_days, lags_days=lags_days)
    found = place_windows(first, first + span, settings)
    assert len(found) <= number
    assert [window.until for window in found] == sorted(
        {window.until for window in found}, reverse=True
    )
    for window in found:
        assert max(window.moments) + window.horizon <= first + span
        assert min(window.moments) >= window.until >= first + 2 * window.horizon
        assert SHORTEST_HORIZON_DAYS * DAY <= window.horizon <= horizon_days * DAY
        assert window.horizon * MIN_HORIZONS <= span


# A fit of day 50, asked about that very day or, four days old, about the week that then begins.
AT_ONCE = Window(moment(50), (moment(50),), 7 * DAY)
LATER = Window(moment(50), (moment(54),), 7 * DAY)
SHOP = small_purchases(
    [
        Line("anna", "milk", 10),
        Line("anna", "milk", 50),  # at the very moment
        Line("anna", "bread", 52),
        Line("anna", "bread", 55),
        Line("anna", "jam", 57),  # a week after the first moment, and so not within its week
        Line("bert", "milk", 10),
        Line("bert", "jam", 60.9),
        Line("bert", "bread", 61),
        Line("cleo", "milk", 50.5),  # whom nobody knew when the window began
        Line("cleo", "milk", 55),
        Line("dora", "milk", 49.9),  # who does not come back
        Line("emil", "milk", 20),
        Line("emil", "jam", 51, kind="view"),
        Line("emil", "milk", 52, kind="return"),
        Line("finn", "jam", 20, kind="view"),  # who had looked and not bought
        Line("finn", "jam", 55),
        Line("", "jam", 10, "guest 1"),
        Line("", "jam", 55, "guest 2"),
    ]
)


def told(window: Window) -> list[tuple[str, float, set[str]]]:
    """(customer, moment, what they bought) of every example."""
    return [
        (SHOP.customer_ids[one.user], one.as_of, {SHOP.product_ids[item] for item in one.targets})
        for one in draw_examples(SHOP, window, seed=0)
    ]


def test_an_example_is_a_known_customer_and_what_they_bought_within_the_horizon() -> None:
    assert told(AT_ONCE) == [("anna", moment(50), {"milk", "bread"})]
    assert told(LATER) == [("anna", moment(54), {"bread", "jam"}), ("bert", moment(54), {"jam"})]


def test_a_window_in_which_nobody_comes_back_asks_nothing() -> None:
    assert told(Window(moment(70), (moment(70),), 7 * DAY)) == []
    assert told(Window(moment(5), (moment(10),), 7 * DAY)) == []


# A hundred customers who buy milk on day 1, and two other products three and ten days after day 50.
LOYAL = small_purchases(
    [
        Line(f"c{number:02}", product, day)
        for number in range(100)
        for product, day in (("milk", 1), (f"a{number:02}", 53), (f"b{number:02}", 60))
    ]
)
BOTH = Window(moment(50), (moment(50), moment(57)), 7 * DAY)


def test_a_customer_is_asked_about_one_moment_drawn_by_lot() -> None:
    found = draw_examples(LOYAL, BOTH, seed=0)
    assert sorted(one.user for one in found) == list(range(100))
    assert {one.as_of for one in found} == set(BOTH.moments)
    assert 30 < sum(one.as_of == moment(50) for one in found) < 70
    for one in found:
        (bought,) = one.targets
        assert (
            LOYAL.product_ids[bought] == f"{'a' if one.as_of == moment(50) else 'b'}{one.user:02}"
        )


def test_the_lots_are_drawn_again_for_another_seed_and_another_window() -> None:
    drawn = [
        one.as_of for one in sorted(draw_examples(LOYAL, BOTH, seed=0), key=lambda one: one.user)
    ]
    again = [
        one.as_of for one in sorted(draw_examples(LOYAL, BOTH, seed=0), key=lambda one: one.user)
    ]
    other = [
        one.as_of for one in sorted(draw_examples(LOYAL, BOTH, seed=1), key=lambda one: one.user)
    ]
    earlier = Window(moment(49), BOTH.moments, 7 * DAY)
    before = [
        one.as_of for one in sorted(draw_examples(LOYAL, earlier, seed=0), key=lambda one: one.user)
    ]
    assert drawn == again
    assert drawn != other
    assert drawn != before


def test_what_was_looked_at_next_after_a_moment_teaches_how_visits_are_ranked() -> None:
    lines = [Line("ann", "milk", 1), Line("zoe", "jam", 20)]
    lines += [
        Line("ben", name, 11 + at / 1_440, kind="view") for at, name in enumerate(("jam", "tea"))
    ]
    lines += [
        Line("ben", name, 40 + at / 1_440, kind="view") for at, name in enumerate(("tea", "jam"))
    ]
    shop = small_purchases(lines)
    window = Window(moment(10), (moment(10),), 7 * DAY)
    (example,) = draw_visit_examples(shop, window, 10, seed=0)
    names = shop.product_ids
    assert (example.user, example.as_of, example.basket) == (-1, moment(10), ())
    assert [names[item] for item in example.recent] == ["jam"]
    assert [names[item] for item in example.targets] == ["tea"]
