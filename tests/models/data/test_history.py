"""A customer's history at one moment, against sums that are written out."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.data.events import DAY, KINDS, Events
from models.data.history import (
    NEVER,
    Interactions,
    add_session,
    build_interactions,
    find_pair_starts,
    select_before,
)
from models.settings import HistorySettings
from tests.support.literal_fit import build_histories
from tests.support.shop import Line, ShopRecords, moment

SETTINGS = HistorySettings(
    long_half_life_days=20.0,
    middle_half_life_days=15.0,
    short_half_life_days=10.0,
    taste_half_life_days=5.0,
    recent_half_life_days=10.0,
)
BREAD, BUTTER, MILK = 0, 1, 2


def events_of(*rows: tuple[int, float, str, float]) -> Events:
    """(item, day, kind, weight) in any order."""
    ordered = sorted(rows)
    return Events(
        np.array([item for item, *_ in ordered], np.int32),
        np.array([moment(day) for _, day, *_ in ordered], np.int64),
        np.array([KINDS.index(kind) for *_, kind, _ in ordered], np.uint8),
        np.array([weight for *_, weight in ordered], np.float32),
        np.zeros(len(ordered), np.uint32),
    )


def at(day: float, *rows: tuple[int, float, str, float]) -> Interactions:
    events = select_before(events_of(*rows), moment(day))
    return build_interactions(events, find_pair_starts(events), moment(day), SETTINGS)


def test_a_purchase_counts_half_after_its_half_life() -> None:
    pairs = at(20, (BREAD, 10, "purchase", 1), (BREAD, 20, "purchase", 1))
    assert pairs.item.tolist() == [BREAD]
    assert pairs.count.tolist() == [2]
    assert (pairs.first.tolist(), pairs.last.tolist()) == ([moment(10)], [moment(20)])
    assert pairs.short.tolist() == [1.5]
    assert pairs.middle.tolist() == pytest.approx([1 + 2 ** -(10 / 15)])
    assert pairs.long.tolist() == pytest.approx([1 + 2**-0.5])
    assert pairs.taste.tolist() == [1.25]


def test_products_stand_in_the_order_of_their_ids() -> None:
    assert at(9, (MILK, 1, "purchase", 1), (BREAD, 8, "purchase", 1)).item.tolist() == [BREAD, MILK]


def test_what_was_sent_back_was_not_bought() -> None:
    pairs = at(5, (BREAD, 1, "purchase", 1), (BREAD, 3, "return", -1))
    assert (pairs.count.tolist(), pairs.long.tolist(), pairs.short.tolist()) == ([0], [0], [0])
    assert (pairs.taste.tolist(), pairs.recent.tolist()) == ([0], [0])
    assert pairs.last.tolist() == [moment(1)]


def test_half_of_a_line_sent_back_leaves_half_a_line() -> None:
    assert at(5, (BREAD, 1, "purchase", 1), (BREAD, 3, "return", -0.5)).count.tolist() == [0.5]


def test_a_tenth_and_nine_tenths_sent_back_are_all_of_it() -> None:
    bought = [(BREAD, 1, "purchase", 1.0), (BREAD, 2, "purchase", 1.0)]
    pairs = at(5, *bought, (BREAD, 3, "return", -0.2), (BREAD, 4, "return", -1.8))
    assert pairs.count.tolist() == [0]


def test_a_return_that_is_still_to_come_takes_nothing_away() -> None:
    assert at(2, (BREAD, 1, "purchase", 1), (BREAD, 3, "return", -1)).count.tolist() == [1]


def test_looking_is_interest_and_no_purchase() -> None:
    pairs = at(1, (BREAD, 1, "view", 1))
    assert (pairs.count.tolist(), pairs.long.tolist(), pairs.short.tolist()) == ([0], [0], [0])
    assert (pairs.first.tolist(), pairs.last.tolist()) == ([NEVER], [NEVER])


def test_what_is_looked_at_counts_like_products_of_a_session_and_fades_to_little() -> None:
    seen, named = at(1, (BREAD, 1, "view", 1)), add_session(at(1), np.array([BREAD], np.int32))
    assert seen.recent.tolist() == named.recent.tolist() == [1]
    assert at(3, (BREAD, 1, "view", 1)).recent.tolist() == pytest.approx(
        [0.05 * 0.5 ** (2 / 20)], rel=0.1
    )


def test_what_was_put_into_the_cart_is_in_it_until_it_is_taken_out_bought_or_forgotten() -> None:
    put = (BREAD, 1, "cart", 1.0)
    assert at(1.5, put).in_cart.tolist() == [True]
    assert at(1.5, put, (BREAD, 1.2, "remove_from_cart", -1)).in_cart.tolist() == [False]
    assert at(1.5, put, (BREAD, 1.2, "purchase", 1)).in_cart.tolist() == [False]
    assert at(2.5, put).in_cart.tolist() == [False]
    assert at(1.2, put, (BREAD, 1.2, "remove_from_cart", -1)).recent.tolist() == pytest.approx(
        [0], abs=0.5
    )


def test_what_was_dismissed_or_rated_low_is_refused_until_it_is_bought_or_rated_high() -> None:
    dismissed, low, high = (
        (BREAD, 1, "dismiss", 1.0),
        (BREAD, 1, "rating", -1.0),
        (BREAD, 2, "rating", 1.0),
    )
    for event in (dismissed, low):
        assert at(3, event).refused.tolist() == [True]
        assert at(3, event, (BREAD, 2, "purchase", 1)).refused.tolist() == [False]
    assert at(3, low, high).refused.tolist() == [False]
    assert at(3, high).refused.tolist() == [False]


def test_what_happened_at_the_moment_itself_counts() -> None:
    events = events_of((BREAD, 3, "purchase", 1))
    assert len(select_before(events, moment(3))) == 1
    assert len(select_before(events, moment(3) - 1)) == 0


def test_someone_without_events_has_no_pairs() -> None:
    assert len(at(3)) == 0


def test_products_of_this_visit_add_interest_and_are_not_bought() -> None:
    pairs = add_session(at(3, (BUTTER, 3, "purchase", 1)), np.array([BREAD, BUTTER], np.int32))
    assert pairs.item.tolist() == [BREAD, BUTTER]
    assert pairs.taste.tolist() == pairs.recent.tolist() == [1, 2]
    assert pairs.count.tolist() == [0, 1]
    assert pairs.last.tolist() == [NEVER, moment(3)]


def test_everyone_finds_their_own_events_and_guests_none() -> None:
    lines = [
        Line("ann", "bread", 1),
        Line("bob", "milk", 2),
        Line("ann", "milk", 3),
        Line("", "bread", 1),
    ]
    histories = build_histories(ShopRecords(lines))
    ann, bob = histories.of(0), histories.of(1)
    assert (ann.item.tolist(), ann.time.tolist()) == ([0, 1], [moment(1), moment(3)])
    assert (bob.item.tolist(), bob.time.tolist()) == ([1], [moment(2)])
    assert len(histories.none()) == 0


EVENT = st.tuples(
    st.integers(0, 4), st.floats(0, 60), st.sampled_from(KINDS), st.sampled_from([0.25, 0.5, 1.0])
).map(lambda event: (*event[:3], -event[3] if event[2] in ("return", "remove_from_cart") else 1.0))


@given(st.lists(EVENT, max_size=25), st.floats(0, 80))
def test_any_history_is_summed_as_if_by_hand(
    rows: list[tuple[int, float, str, float]], day: float
) -> None:
    pairs, as_of = at(day, *rows), moment(day)
    seen = [row for row in rows if moment(row[1]) <= as_of]
    assert pairs.item.tolist() == sorted({item for item, *_ in seen})
    for row, item in enumerate(pairs.item.tolist()):
        mine = [(moment(then), kind, weight) for of, then, kind, weight in seen if of == item]
        bought = [then for then, kind, _ in mine if kind == "purchase"]
        assert pairs.first[row] == min(bought, default=NEVER)
        assert pairs.last[row] == max(bought, default=NEVER)
        for field in dataclasses.fields(Interactions):
            if field.name in ("item", "first", "last", "refused", "in_cart"):
                continue
            expected = max(sum(_adds(field.name, *event, as_of) for event in mine), 0)
            assert getattr(pairs, field.name)[row] == pytest.approx(expected, abs=1e-5)


def _adds(name: str, then: int, kind: str, weight: float, as_of: int) -> float:
    """What one event adds to one sum of its pair."""
    of_lines = 1.0 if kind in ("purchase", "return") else 0.0
    same = {"return": "purchase", "remove_from_cart": "cart"}.get(kind, kind)
    of_interest = dataclasses.asdict(SETTINGS.kind_weights).get(same, 0.0)
    if name == "lines":
        return float(kind == "purchase")
    if name == "count":
        return weight * of_lines
    decay = 0.5 ** ((as_of - then) / DAY / getattr(SETTINGS, f"{name}_half_life_days"))
    if kind in ("view", "cart", "wishlist", "remove_from_cart", "click"):
        of_interest += (1 - of_interest) * 0.5 ** (
            (as_of - then) / DAY / SETTINGS.visit_half_life_days
        )
    return weight * decay * (of_lines if name in ("long", "middle", "short") else of_interest)
