"""Moments that a caller writes down."""

from __future__ import annotations

from datetime import UTC, datetime


def moment_of(text: str | None) -> int | None:
    """Seconds since 1970 of an ISO date or date and time, UTC unless it names a zone; None for nothing.

    Raises ValueError.
    """
    if not text:
        return None
    moment = datetime.fromisoformat(text)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
