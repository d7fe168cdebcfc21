"""Parse timestamps as people and files write them.

Options of the command line and columns of recipients follow models.data.timestamps; cells of files
of purchases, products and customers are parsed by DuckDB, which accepts other texts.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import ibis
import ibis.expr.datatypes as dt

from models.data.timestamps import parse_timestamp
from training.reading.duckdb import microseconds


def parse_optional_timestamp(text: str | None) -> int | None:
    """Return seconds since 1970 of an ISO date or date and time; None for no text.

    UTC unless it names a zone. Raises ValueError.
    """
    return parse_timestamp(text) if text else None


def format_date(seconds: int) -> str:
    """Return the date in UTC of a moment in seconds since 1970, such as 2017-11-30."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def timestamp_cells(text: Any) -> Any:
    """Return the cells in seconds since 1970 (UTC), rounded down; NULL for no timestamp.

    ISO dates and datetimes with an offset, Z or nothing (then UTC); integers of 9 or 10 digits
    (seconds), of 12 or 13 (milliseconds).
    """
    stripped = text.strip()
    begins_with_digit = stripped[:1].isin(list("0123456789"))
    # Never to a TIMESTAMP without zone: DuckDB 2.0 reads "…T23:55:00+02:00" so, and drops the
    # offset without a word.
    moment = ibis.ifelse(begins_with_digit, stripped, ibis.null("string")).try_cast(
        dt.Timestamp("UTC")
    )
    is_integer = stripped.re_search("^[0-9]+$")
    integer = stripped.try_cast("int64")
    return ibis.cases(
        (is_integer & stripped.length().isin((9, 10)), integer),
        (is_integer & stripped.length().isin((12, 13)), integer // 1000),
        (is_integer, ibis.null("int64")),
        else_=microseconds(moment) // 1_000_000,
    )
