"""Parse timestamps of the command line, and write dates."""

from __future__ import annotations

from datetime import UTC, datetime

from models.data.timestamps import read_timestamp


def parse_optional_timestamp(text: str | None) -> int | None:
    """Return seconds since 1970 of a moment; None for no text.

    It is written as in files. Raises ValueError.
    """
    return read_timestamp(text) if text else None


def format_date(seconds: int) -> str:
    """Return the date in UTC of a moment in seconds since 1970, such as 2017-11-30."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")
