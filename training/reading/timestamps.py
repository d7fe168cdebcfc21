"""Moments that a caller writes down."""

from __future__ import annotations

from datetime import UTC, datetime

from models.data.timestamps import parse_timestamp


def moment_of(text: str | None) -> int | None:
    """Seconds since 1970 of an ISO date or date and time, UTC unless it names a zone; None for nothing.

    Raises ValueError.
    """
    return parse_timestamp(text) if text else None


def day(moment: int) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")
