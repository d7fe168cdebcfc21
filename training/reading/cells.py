"""Parse columns of text: DuckDB reads the plain spellings, the readers of `models.data` all others.

Whatever DuckDB reads here, the reader in Python reads too, as the same value; a test holds the two
equal. So a file of plain cells is read as fast as DuckDB can.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache, partial
from html import unescape
from typing import Any, Final

import ibis
import ibis.expr.datatypes as dt
import pyarrow as pa

from models.data.numbers import Decimal, read_number
from models.data.timestamps import DateOrder, read_timestamp
from models.data.urls import read_address, split_addresses
from training.reading.duckdb import microseconds, plain_microseconds

REMEMBERED: Final = 65_536  # texts of a column, with what they mean
CLOCK: Final = r"[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
PLAIN_DATE: Final = r"^[12][0-9]{3}-[0-9]{2}-[0-9]{2}"
PLAIN_TIME: Final = rf"{PLAIN_DATE}({CLOCK}Z?)?$"
PLAIN_TIME_WITH_OFFSET: Final = rf"{PLAIN_DATE}{CLOCK}[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?$"
# Those of 2030 to 2036 may be dates as well.
PLAIN_SECONDS: Final = r"^([1-9][0-9]{8}|1[0-8][0-9]{8})$"
PLAIN_MILLISECONDS: Final = r"^[1-9][0-9]{12}$"
PLAIN_NUMBER: Final = r"^[+-]?[0-9]+(\.[0-9]+)?$"
PLAIN_NUMBER_WITH_COMMA: Final = r"^[+-]?[0-9]+(,[0-9]+)?$"
PLAIN_ADDRESS: Final = r"^https?://[A-Za-z0-9.-]+(:[0-9]+)?(/[A-Za-z0-9/_.~%?=+-]*)?$"
# Kinds of values -> the type that a function in Python returns, and its value for none.
UNREAD: Final[dict[str, tuple[str, Any]]] = {
    "int64": ("int64", -(2**63)),
    "float64": ("float64", float("nan")),
    "int8": ("int8", -128),
    "boolean": ("int8", -128),
    "string": ("string", "\0"),
}
ENTITY: Final = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});")

Reader = Callable[[str], Any]


def read_cells(text: Any, read: Reader, kind: str, plain: Any = None) -> Any:
    """Return the cells as `read` understands them; NULL for those where it raises or returns None.

    `kind`: one of UNREAD. `plain`: values that DuckDB has read, NULL elsewhere.
    """
    remembered = lru_cache(REMEMBERED)(partial(_read_or_none, read))
    # DuckDB lets no function return NULL.
    returned, unread = UNREAD[kind]
    arrow_type = dt.dtype(returned).to_pyarrow()

    @ibis.udf.scalar.pyarrow(signature=((dt.string,), dt.dtype(returned)))  # type: ignore[untyped-decorator]
    def read_others(texts: Any) -> Any:
        values = [remembered(cell) for cell in texts.to_pylist()]
        return pa.array([unread if value is None else value for value in values], arrow_type)

    others = read_others(text)
    is_unread = others.isnan() if kind == "float64" else others == unread
    others = ibis.ifelse(is_unread, ibis.null(returned), others).cast(kind)
    if plain is None:
        return ibis.ifelse(text.isnull(), ibis.null(kind), others)
    return ibis.ifelse(text.isnull() | plain.notnull(), plain, others)


def _read_or_none(read: Reader, text: str | None) -> Any:
    try:
        value = None if text is None else read(text)
        return int(value) if isinstance(value, bool) else value
    except (ValueError, OverflowError):
        return None


def plain_times(text: Any) -> Any:
    """Return cells that hold a plain moment as seconds since 1970, NULL for all others."""
    # Only a text without an offset becomes a TIMESTAMP without zone: DuckDB 2.0 drops one without
    # a word.
    without_zone = plain_microseconds(text.try_cast(dt.Timestamp())) // 1_000_000
    with_offset = microseconds(text.try_cast(dt.Timestamp("UTC"))) // 1_000_000
    integer = text.try_cast("int64")
    return ibis.cases(
        (text.re_search(PLAIN_TIME), without_zone),
        (text.re_search(PLAIN_SECONDS), integer),
        (text.re_search(PLAIN_MILLISECONDS), integer // 1000),
        (text.re_search(PLAIN_TIME_WITH_OFFSET), with_offset),
        else_=ibis.null("int64"),
    )


def time_cells(text: Any, order: DateOrder | None = None) -> Any:
    """Return the cells in seconds since 1970 (UTC), rounded down; NULL for no timestamp.

    See models.data.timestamps.read_timestamp.
    """
    return read_cells(text, partial(read_timestamp, order=order), "int64", plain_times(text))


def plain_numbers(text: Any) -> Any:
    """Return cells that are digits with a decimal point or none as float64, NULL for all others."""
    return ibis.ifelse(text.re_search(PLAIN_NUMBER), text.try_cast("float64"), ibis.null("float64"))


def number_cells(text: Any, decimal: Decimal | None = None) -> Any:
    """Return the cells as float64; NULL for no number. See models.data.numbers.read_number."""
    if decimal != "comma":
        plain = plain_numbers(text)
    else:
        digits = text.replace(",", ".").try_cast("float64")
        is_plain = text.re_search(PLAIN_NUMBER_WITH_COMMA)
        plain = ibis.ifelse(is_plain, digits, ibis.null("float64"))
    return read_cells(text, partial(read_number, decimal=decimal), "float64", plain)


def address_cells(text: Any, *, several: bool = False) -> Any:
    """Return the cells as addresses of pages and pictures; NULL for what is none.

    `several`: a cell may hold a list, whose first address counts.
    """
    plain = ibis.ifelse(text.re_search(PLAIN_ADDRESS), text, ibis.null("string"))
    return read_cells(text, _read_first_address if several else _read_one, "string", plain)


def _read_one(text: str) -> str | None:
    return read_address(unescape_entities(text))


def _read_first_address(text: str) -> str | None:
    return read_address(split_addresses(unescape_entities(text))[0])


def text_cells(text: Any) -> Any:
    """Return the cells with the characters that HTML entities of an export stand for."""
    plain = ibis.ifelse(text.contains("&"), ibis.null("string"), text)
    return read_cells(text, unescape_entities, "string", plain)


def unescape_entities(text: str) -> str:
    """Return a text with its entities as characters, those that end in a semicolon alone.

    An address may hold "&copy=1".
    """
    return ENTITY.sub(lambda entity: unescape(entity[0]), text)
