"""Each event is validated on its own, and told what is wrong with it."""

from typing import Any

import pytest

from models.data.events import KINDS
from service.schemas.events import validate_events
from service.store.events import EventLine

NOW = 1_790_000_000  # 2026-09-21
VIEW = {
    "event_id": "v",
    "kind": "view",
    "time": "2026-09-20T10:00:00Z",
    "customer_id": "ann",
    "product_id": "bread",
}
ORDER = {
    "event_id": "o",
    "kind": "purchase",
    "time": "2026-09-20T10:00:00+02:00",
    "customer_id": "ann",
    "order_id": "1001",
    "lines": [{"product_id": "bread", "quantity": 2, "unit_price": 1.5}, {"product_id": "milk"}],
}


def is_signed(recommendation_id: str) -> bool:
    return recommendation_id == "signed"


def problem(**changes: Any) -> tuple[str, str]:
    """What is wrong with a view that was changed so; None takes a field away."""
    event = {name: value for name, value in {**VIEW, **changes}.items() if value is not None}
    validated = validate_events([event], NOW, is_signed)
    assert validated.events == []
    (rejected,) = validated.rejected[0]
    return rejected["field"], rejected["problem"]


def test_an_order_is_a_line_for_each_product_at_the_moment_of_its_zone() -> None:
    (event,) = validate_events([ORDER], NOW, is_signed).events
    assert event.lines == (EventLine("bread", 2, 1.5), EventLine("milk", 1, None))
    assert (
        event.time
        == validate_events([{**VIEW, "time": "2026-09-20T08:00:00Z"}], NOW, is_signed)
        .events[0]
        .time
    )
    assert KINDS[event.kind] == "purchase"


def test_two_lines_of_one_product_are_one_purchase_of_it() -> None:
    twice = {
        **ORDER,
        "lines": [{"product_id": "bread", "quantity": 2}, {"product_id": "bread", "quantity": 3}],
    }
    assert validate_events([twice], NOW, is_signed).events[0].lines == (
        EventLine("bread", 5, None),
    )


def test_a_guest_buys_without_a_name() -> None:
    guest = {name: value for name, value in ORDER.items() if name != "customer_id"}
    assert validate_events([guest], NOW, is_signed).events[0].customer_id is None


def test_what_was_shown_is_a_line_for_each_product_once() -> None:
    shown = {**VIEW, "kind": "exposure", "product_id": None, "product_ids": ["a", "b", "a"]}
    assert validate_events([shown], NOW, is_signed).events[0].lines == (
        EventLine("a"),
        EventLine("b"),
    )


@pytest.mark.parametrize(("rating", "stars"), [("up", 5), ("down", 1), (4, 4), (2.5, 2.5)])
def test_thumbs_are_stars(rating: object, stars: float) -> None:
    assert (
        validate_events([{**VIEW, "kind": "rating", "rating": rating}], NOW, is_signed)
        .events[0]
        .rating
        == stars
    )


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"event_id": None}, "event_id", "field required"),
        ({"event_id": ""}, "event_id", "at least 1 character"),
        ({"event_id": "x" * 501}, "event_id", "at most 500 characters"),
        ({"kind": "bought"}, "kind", "should be 'purchase'"),
        ({"time": "2026-09-20T10:00:00"}, "time", "should name its zone"),
        ({"time": "yesterday"}, "time", "should be an ISO 8601 time"),
        ({"time": 1_790_000_000}, "time", "as text"),
        ({"time": "2026-09-23T10:00:00Z"}, "time", "more than a day in the future"),
        ({"time": "1969-12-31T23:59:59Z"}, "time", "before 1970"),
        ({"customer_id": None}, "event", "needs a `customer_id` or a `session_id`"),
        ({"product_id": None}, "event", "a view needs its `product_id`"),
        ({"kind": "rating"}, "event", "a rating needs its `rating`"),
        ({"kind": "rating", "rating": 6}, "rating", "less than or equal to 5"),
        ({"kind": "rating", "rating": "good"}, "rating", "should be a valid number"),
        ({"kind": "rating", "rating": [5]}, "rating", "should be a valid number"),
        ({"kind": "rating", "rating": True}, "rating", 'should be 1 to 5 stars, "up" or "down"'),
        ({"kind": "exposure"}, "event", "an exposure needs `product_ids`"),
        ({"kind": "purchase", "order_id": "1"}, "event", "a purchase needs `lines`"),
        (
            {"kind": "purchase", "lines": [{"product_id": "b"}]},
            "event",
            "a purchase needs its `order_id`",
        ),
        (
            {"kind": "return", "lines": [{"product_id": "b", "quantity": 0}]},
            "lines[0].quantity",
            "greater than 0",
        ),
        (
            {"kind": "return", "lines": [{"product_id": "b", "unit_price": -1}]},
            "lines[0].unit_price",
            "or equal to 0",
        ),
        ({"currency": "dollars"}, "currency", "three capital letters"),
        ({"product": "bread"}, "product", "is not known here"),
    ],
)
def test_what_is_wrong_is_told_with_its_field(
    changes: dict[str, Any], field: str, sentence: str
) -> None:
    found_problem = problem(**changes)
    assert found_problem[0] == field
    assert sentence in found_problem[1]


def test_a_bad_one_costs_no_other() -> None:
    validated = validate_events([7, VIEW, {**VIEW, "time": None}, ORDER, None, []], NOW, is_signed)
    assert validated.indices == [1, 3]
    assert sorted(validated.rejected) == [0, 2, 4, 5]


def test_a_day_ahead_is_a_clock_that_goes_wrong_and_is_taken() -> None:
    assert (
        validate_events([{**VIEW, "time": "2026-09-22T10:00:00Z"}], NOW, is_signed).rejected == {}
    )


def test_an_id_that_was_not_signed_here_refuses_its_event_and_no_other() -> None:
    own, foreign = {**VIEW, "recommendation_id": "signed"}, {**VIEW, "recommendation_id": "garbage"}
    validated = validate_events([own, foreign, VIEW], NOW, is_signed)
    assert validated.indices == [0, 2]
    ((field, sentence),) = [tuple(one.values()) for one in validated.rejected[1]]
    assert (field, sentence[:24]) == ("recommendation_id", "was not signed here; sen")
