"""Moments are written as every reader of ISO 8601 reads them."""

import pytest

from models.data.timestamps import format_timestamp, parse_timestamp


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
