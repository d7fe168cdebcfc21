"""Moments are written as every reader of ISO 8601 reads them."""

import pytest

from models.data.timestamps import (
    date_orders,
    format_timestamp,
    parse_timestamp,
    read_timestamp,
)


@pytest.mark.parametrize(
    "text",
    [
        "2017-11-30T09:00:00Z",
        "1970-01-01T00:00:00Z",
        "0192-05-24T00:00:00Z",
        "9999-12-31T23:59:59Z",
    ],
)
def test_a_moment_is_written_as_it_was_read(text: str) -> None:
    assert format_timestamp(parse_timestamp(text)) == text


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-03-04 08:15:00 +0100", "2025-03-04T07:15:00Z"),
        ("2019-10-01 00:00:00 UTC", "2019-10-01T00:00:00Z"),
        ("2024-01-01T00:00:00.000+0000", "2024-01-01T00:00:00Z"),
        ("1696665026123456", "2023-10-07T07:50:26Z"),
        ("202401011230", "2024-01-01T12:30:00Z"),
        ("20240101", "2024-01-01T00:00:00Z"),
        ("20240101123000", "2024-01-01T12:30:00Z"),
        ("20240101T123000Z", "2024-01-01T12:30:00Z"),
        ("07.10.2025 09:50", "2025-10-07T09:50:00Z"),
        ("Oct 7, 2025 9:50:26 AM", "2025-10-07T09:50:26Z"),
        ("07-Oct-2025", "2025-10-07T00:00:00Z"),
        ("Tue, 07 Oct 2025 09:50:26 +0200", "2025-10-07T07:50:26Z"),
        ("2024/01/02 10:00", "2024-01-02T10:00:00Z"),
        ("1700000000.5", "2023-11-14T22:13:20Z"),
        ("1.7040672e9", "2024-01-01T00:00:00Z"),
        ("2025-10-07T09:50:26+02", "2025-10-07T07:50:26Z"),
        ("2025-10-07 09:50:26 Europe/Berlin", "2025-10-07T07:50:26Z"),
        ("2025-10-07 09:50:26 CET", "2025-10-07T08:50:26Z"),
        ("2025-10-07 9:50 PM", "2025-10-07T21:50:00Z"),
        ("2025-10-07 12:50 am", "2025-10-07T00:50:00Z"),
        ("2025-10-07 24:00:00", "2025-10-08T00:00:00Z"),
        ("2016-12-31 23:59:60", "2017-01-01T00:00:00Z"),
        ("2025-10-07 09:50:26 GMT+2", "2025-10-07T07:50:26Z"),
        ("2025-10-07 09:50:26 -0700 PDT", "2025-10-07T16:50:26Z"),
        ("2025-10-07 09h50", "2025-10-07T09:50:00Z"),
    ],
)
def test_moments_of_exports_are_read_as_what_they_are(text: str, moment: str) -> None:
    assert format_timestamp(read_timestamp(text)) == moment


@pytest.mark.parametrize(
    "text",
    [
        "01/02/2024",  # the day or the month first
        "2024010112",  # a date with its hour, or seconds of 2034
        "202313011230",  # a date of a month that is none, no milliseconds of 1976
        "1.70E+12",  # rounded by a spreadsheet
        "45207.41",
        "2023-02-29",
        "2025-10-07 09:50 CST",  # of China, or of America
        "2025-10-07 13:50 PM",
        "2025-10-07 10",
        "Junk 5 2024",
        "soon",
        "",
    ],
)
def test_what_may_be_another_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_timestamp(text)


def test_the_order_of_day_and_month_is_told() -> None:
    assert format_timestamp(read_timestamp("01/02/2024", "day-first")) == "2024-02-01T00:00:00Z"
    assert format_timestamp(read_timestamp("01/02/2024", "month-first")) == "2024-01-02T00:00:00Z"
    assert date_orders("01/02/2024") == ("day-first", "month-first")
    assert date_orders("31/12/2024") == ("day-first",)
    assert date_orders("31.12.2024") == date_orders("2024-12-31") == ()


@pytest.mark.parametrize("text", ["1764590400", "01.12.2025", "Oct 7, 2025"])
def test_callers_of_the_service_write_moments_from_the_year_on(text: str) -> None:
    with pytest.raises(ValueError, match="begin with a date"):
        parse_timestamp(text)
