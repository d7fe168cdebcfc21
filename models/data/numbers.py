"""Read numbers and prices as files and people write them."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final, Literal

from babel.core import get_global

Decimal = Literal["point", "comma"]

SIGN: Final = re.compile(r"[-+]?")
THOUSANDS: Final[dict[Decimal, str]] = {"point": ",'’ ", "comma": ".'’ "}
MARKS: Final[dict[Decimal, str]] = {"point": r"\.", "comma": ","}
# Written without a sign of their own; all others are signs or three letters of ISO 4217.
CURRENCY_WORDS: Final = frozenset(
    {"kr", "kr.", "zł", "kč", "ft", "fr", "fr.", "lei", "лв.", "руб.", "r$", "us$", "ca$", "au$"}
)
PARTS: Final = re.compile(
    r"(?P<before>[^\d\s.,'’+-]*)\s*(?P<number>[-+]?\s*[\d.,'’][\d.,'’ eE+-]*?)\s*"
    r"(?P<after>[^\d\s,'’+-]*)"
)


def _pattern(decimal: Decimal) -> re.Pattern[str]:
    grouped = rf"\d{{1,3}}(?:(?P<group>[{THOUSANDS[decimal]}])\d{{3}})(?:(?P=group)\d{{3}})*"
    fraction = rf"{MARKS[decimal]}\d+"
    exponent = r"(?:[eE][-+]?\d+)?"
    return re.compile(
        rf"[-+]?(?:(?:{grouped}|\d+)(?:{MARKS[decimal]}\d*)?|{fraction}){exponent}", re.ASCII
    )


PATTERNS: Final[dict[Decimal, re.Pattern[str]]] = {
    "point": _pattern("point"),
    "comma": _pattern("comma"),
}


def read_number(text: str, decimal: Decimal | None = "point") -> float:
    """Return the number in a text, with thousands set apart and with a currency, if any.

    `decimal`: what stands before the fraction. None: a point, but "1,234" may be either number and
    is refused. Raises ValueError.
    """
    number = _strip_currency(text)
    if decimal is None:
        if "," in number and len(decimals(number)) > 1:
            raise ValueError(f"{text!r} may have thousands or a decimal comma")
        decimal = "point"
    if not PATTERNS[decimal].fullmatch(number):
        raise ValueError(f"{text!r} is no number with a decimal {decimal}")
    for mark in THOUSANDS[decimal]:
        number = number.replace(mark, "")
    return float(number.replace(",", "."))


def decimals(text: str) -> tuple[Decimal, ...]:
    """Return the decimal signs with which a text can be read; none where both mean the same."""
    number = _strip_currency(text)
    readable: list[Decimal] = [
        decimal for decimal, pattern in PATTERNS.items() if pattern.fullmatch(number)
    ]
    if len(readable) == 2 and read_number(text, "point") == read_number(text, "comma"):
        return ()
    return tuple(readable)


def _strip_currency(text: str) -> str:
    """Return a text without a currency before or after, in ASCII where signs and spaces are."""
    plain = text.replace("\u2212", "-").replace("\u00a0", " ").replace("\u202f", " ").strip()
    parts = PARTS.fullmatch(plain)
    if parts is None or not all(
        _is_currency(parts[side]) for side in ("before", "after") if parts[side]
    ):
        sign = SIGN.match(plain)
        rest = plain[sign.end() :] if sign else plain
        parts = PARTS.fullmatch(rest)  # -$5
        if not (sign and sign[0] and parts and parts["before"] and _is_currency(parts["before"])):
            return plain
        return sign[0] + parts["number"]
    return re.sub(r"^([-+])\s+", r"\1", parts["number"])


@lru_cache(maxsize=1024)
def _is_currency(text: str) -> bool:
    if len(text) == 1 and unicodedata.category(text) == "Sc":
        return True
    return text in get_global("all_currencies") or text.lower() in CURRENCY_WORDS
