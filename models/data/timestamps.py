"""Moments as people write them down."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

# In a query the plus of "+01:00" means a space, and callers forget to escape it.
LOST_PLUS: Final = re.compile(r"(?<=:\d\d) (?=\d\d:?\d\d$)|(?<=\.\d{3}) (?=\d\d:?\d\d$)")


def parse_timestamp(text: str) -> int:
    """Since 1970, of an ISO 8601 date or time; without a zone it is UTC. Raises ValueError and OverflowError.

    In UTC it lies in the years 1 to 9999 as well, so that it can be written down again.
    """
    moment = datetime.fromisoformat(LOST_PLUS.sub("+", text))
    return int(
        (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).timestamp()
    )


def format_timestamp(seconds: int) -> str:
    """Seconds since 1970 as `2017-11-30T09:00:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().removesuffix("+00:00") + "Z"
