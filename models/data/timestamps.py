"""Times in ISO 8601."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

# In a query the plus of "+01:00" means a space, and callers forget to escape it.
LOST_PLUS: Final = re.compile(r"(?<=:\d\d) (?=\d\d:?\d\d$)|(?<=\.\d{3}) (?=\d\d:?\d\d$)")


def parse_timestamp(text: str) -> int:
    """Return the seconds since 1970 of an ISO 8601 date or time, UTC where it names no zone.

    Raises ValueError, and OverflowError where the year in UTC is not 1 to 9999, so that every time
    can be written down again.
    """
    time = datetime.fromisoformat(LOST_PLUS.sub("+", text))
    if time.tzinfo is None:
        time = time.replace(tzinfo=UTC)
    return int(time.astimezone(UTC).timestamp())


def format_timestamp(seconds: int) -> str:
    """Write seconds since 1970 as `2017-11-30T09:00:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().removesuffix("+00:00") + "Z"
