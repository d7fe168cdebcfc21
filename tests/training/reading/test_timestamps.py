"""Timestamps as callers write them."""

from datetime import UTC, datetime

import pytest

from training.reading.timestamps import format_date, parse_optional_timestamp

DAY = 86_400
NOON = int(datetime(2025, 12, 1, 12, tzinfo=UTC).timestamp())


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-12-01", NOON - 12 * 3600),
        ("20251201", NOON - 12 * 3600),
        ("2025-12-01T12:00", NOON),
        ("2025-12-01 12:00:00", NOON),
        ("2025-12-01T12:00:00Z", NOON),
        ("2025-12-01T13:00:00+01:00", NOON),
        ("2025-12-01T07:00-05:00", NOON),
        ("2025-12-01T12:00:00.999999", NOON),
        ("1970-01-01", 0),
        ("1764590400", NOON),
        ("01.12.2025 12:00", NOON),
    ],
)
def test_a_date_is_its_midnight_and_without_a_zone_it_is_utc(text: str, moment: int) -> None:
    assert parse_optional_timestamp(text) == moment


@pytest.mark.parametrize("text", [None, ""])
def test_nothing_is_no_moment(text: str | None) -> None:
    assert parse_optional_timestamp(text) is None


@pytest.mark.parametrize("text", ["tomorrow", "2025-13-01", "2025-02-29", "01/12/2025", " "])
def test_what_is_no_date_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_optional_timestamp(text)


def test_days_are_told_in_utc() -> None:
    assert [format_date(0), format_date(DAY - 1), format_date(-1)] == [
        "1970-01-01",
        "1970-01-01",
        "1969-12-31",
    ]
