"""What is told of parts of all customers tells nobody, and nobody as the rest of what is told."""

import pytest

from training.insights.small_groups import find_told, keep_told


@pytest.mark.parametrize(
    ("customers", "parts", "told"),
    [
        (10, {"new": 5, "lapsed": 5}, {"new", "lapsed"}),
        (12, {"new": 7, "lapsed": 5}, {"new", "lapsed"}),
        (11, {"new": 7, "lapsed": 4}, set()),  # without the four the seven would tell them
        (14, {"new": 7, "lapsed": 4}, {"new"}),
        (13, {"new": 5, "lapsed": 5}, {"lapsed"}),  # else three would be the rest
        (20, {"new": 4, "lapsed": 3}, set()),
        (0, {}, set()),
    ],
)
def test_parts_of_few_and_a_rest_of_few_are_not_told(
    customers: int, parts: dict[str, int], told: set[str]
) -> None:
    assert keep_told(customers, parts) == told


def test_each_row_is_told_or_not_by_itself() -> None:
    whole = [{"value": "bread", "customers": 12}, {"value": "milk", "customers": 9}]
    parts = {
        "new": [{"value": "bread", "customers": 7}, {"value": "milk", "customers": 2}],
        "lapsed": [{"value": "bread", "customers": 5}, {"value": "eggs", "customers": 6}],
    }
    told = find_told(whole, parts, ("value",), "customers")
    assert told == {("new", "bread"), ("lapsed", "bread"), ("lapsed", "eggs")}
