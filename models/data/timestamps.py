"""Read and write moments: ISO 8601, and the other spellings that exports of shops hold."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Final, Literal
from zoneinfo import ZoneInfo

DateOrder = Literal["day-first", "month-first"]

# In a query the plus of "+01:00" means a space, and callers forget to escape it.
LOST_PLUS: Final = re.compile(r"(?<=:\d\d) (?=\d\d:?\d\d$)|(?<=\.\d{3}) (?=\d\d:?\d\d$)")
MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june", "july", "august"),
    *("september", "october", "november", "december"),
)
# Hours east of UTC. Abbreviations with several meanings, such as CST and IST, are left out.
ZONES: Final = {
    "z": 0, "utc": 0, "gmt": 0, "wet": 0, "west": 1, "cet": 1, "cest": 2, "eet": 2, "eest": 3,
    "est": -5, "edt": -4, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7,
}  # fmt: skip
MONTH_NAME: Final = r"(?P<name>[a-z]{3,9})\.?"
WEEKDAY: Final = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+)?"
DATE: Final = "|".join(
    (
        r"(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})",
        r"(?P<first>\d{1,2})(?P<between>[-/.])(?P<second>\d{1,2})(?P=between)(?P<last_year>\d{4})",
        WEEKDAY
        + MONTH_NAME
        + r"\s+(?P<named_day>\d{1,2})(?:st|nd|rd|th)?,?\s+(?P<named_year>\d{4})",
        WEEKDAY
        + r"(?P<day_before>\d{1,2})(?:st|nd|rd|th)?[-\s]+"
        + MONTH_NAME.replace("name", "name_after")
        + r",?[-\s]+(?P<year_after>\d{4})",
    )
)
CLOCK: Final = (
    r"(?P<hour>\d{1,2})"
    r"(?:[:h](?P<minute>\d{2})(?:[:](?P<second_of_minute>\d{2})(?:[.,]\d{1,9})?)?)?"
    r"(?:\s*(?P<half>[ap])\.?m\.?)?"
)
ZONE: Final = (
    r"(?:(?:utc|gmt)?(?P<sign>[-+])(?P<ahead>\d{1,2})(?::?(?P<ahead_minutes>\d{2}))?"
    r"(?:\s+(?:[a-z]{3,5}|\([^()]*\)))?|(?P<zone>[a-z]{1,4}|[a-z]+(?:/[a-z_+-]+)+))"
)
MOMENT: Final = re.compile(
    rf"(?:{DATE})(?:(?:t|,?\s+){CLOCK}(?:\s*{ZONE})?)?", re.IGNORECASE | re.ASCII
)
# 20240101T123000Z, as calendars and file names have it
COMPACT: Final = re.compile(r"(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)?(.*)", re.ASCII)
DIGITS: Final = re.compile(r"(\d+)(?:\.\d+)?", re.ASCII)
# JSON writes 1704067200 so; a spreadsheet that shows 1.70E+12 has lost which moment it was.
EXPONENT: Final = re.compile(r"(\d)\.(\d{7,})e\+?(\d\d?)", re.IGNORECASE | re.ASCII)
STAMP_LENGTHS: Final = (8, 12, 14)  # yyyymmdd, yyyymmddhhmm, yyyymmddhhmmss
FIRST_STAMP_YEAR: Final = 1970
LAST_STAMP_YEAR: Final = 2099
UNIX_UNITS: Final = {9: 1, 10: 1, 12: 10**3, 13: 10**3, 16: 10**6, 19: 10**9}  # by digits


def parse_timestamp(text: str) -> int:
    """Return the seconds since 1970 of a date or time that begins with its year.

    So callers of the service write moments: ISO 8601, UTC where it names no zone. Raises
    ValueError, and OverflowError where the year in UTC is not 1 to 9999, so that every time can be
    written down again.
    """
    text = LOST_PLUS.sub("+", text)
    if not re.match(r"\d{4}(-|\d{4}(T|$))", text):
        raise ValueError(f"{text!r} does not begin with a date such as 2025-12-31")
    seconds = read_timestamp(text)
    format_timestamp(seconds)
    return seconds


def read_timestamp(text: str, order: DateOrder | None = None) -> int:
    """Return the seconds since 1970 of a moment as files and people write it, rounded down.

    Dates begin with their year, or name their month in English, or have `order`: without one
    "01/02/2024" is refused, while dots mean that the day comes first. UTC where no zone is named.
    Digits alone are yyyymmdd, yyyymmddhhmm, yyyymmddhhmmss, or Unix time in seconds (9 or 10
    digits), milliseconds (12 or 13), microseconds (16) or nanoseconds (19). Raises ValueError.
    """
    text = text.strip()
    if digits := DIGITS.fullmatch(text):
        return _read_digits(digits[1])
    if exponent := EXPONENT.fullmatch(text):
        whole, fraction, power = exponent.groups()
        if len(fraction) <= int(power):
            return _read_digits(whole + fraction.ljust(int(power), "0"))
    if compact := COMPACT.fullmatch(text):
        year, month, day, hour, minute, second, zone = compact.groups()
        text = f"{year}-{month}-{day} {hour}:{minute}:{second or '00'}{zone}"
    moment = MOMENT.fullmatch(text)
    if moment is None:
        raise ValueError(f"{text!r} is no date or time")
    return _read_moment(moment, order)


def date_orders(text: str) -> tuple[DateOrder, ...]:
    """Return the orders in which a text can be read, of those that depend on the order at all."""
    moment = MOMENT.fullmatch(text.strip())
    if moment is None or moment["first"] is None or moment["between"] == ".":
        return ()
    orders: tuple[DateOrder, ...] = ("day-first", "month-first")
    return tuple(order for order in orders if _can_read(text, order))


def _can_read(text: str, order: DateOrder) -> bool:
    try:
        read_timestamp(text, order)
    except (ValueError, OverflowError):
        return False
    return True


def _read_digits(digits: str) -> int:
    length = len(digits)
    may_be_stamp = FIRST_STAMP_YEAR <= int(digits[:4]) <= LAST_STAMP_YEAR
    if length in STAMP_LENGTHS and (may_be_stamp or length not in UNIX_UNITS):
        return _read_stamp(digits)
    if length not in UNIX_UNITS:
        raise ValueError(f"{digits} has {length} digits, as no usual time has")
    if length == 12 and digits[:2] in ("19", "20"):
        raise ValueError(f"{digits} is neither a date nor a plausible time in milliseconds")
    if length == 10 and may_be_stamp and _is_stamp(f"{digits}00"):
        raise ValueError(f"{digits} may be a date with its hour, or seconds since 1970")
    return int(digits) // UNIX_UNITS[length]


def _read_stamp(digits: str) -> int:
    day, clock = digits[:8], digits[8:].ljust(6, "0")
    year, month, day_of_month = int(day[:4]), int(day[4:6]), int(day[6:])
    if not FIRST_STAMP_YEAR <= year <= LAST_STAMP_YEAR:
        raise ValueError(f"{digits} is no date")
    hour, minute, second = int(clock[:2]), int(clock[2:4]), int(clock[4:])
    return int(datetime(year, month, day_of_month, hour, minute, second, tzinfo=UTC).timestamp())


def _is_stamp(digits: str) -> bool:
    try:
        _read_stamp(digits)
    except ValueError:
        return False
    return True


def _read_moment(moment: re.Match[str], order: DateOrder | None) -> int:
    year, month, day = _date_of(moment, order)
    hour, minute = int(moment["hour"] or 0), int(moment["minute"] or 0)
    second = int(moment["second_of_minute"] or 0)
    if moment["hour"] and moment["minute"] is None and not (moment["half"] or "T" in moment[0]):
        raise ValueError(f"{moment[0]!r} has an hour without minutes")
    if moment["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(f"{moment[0]!r} has an hour that is none of twelve")
        hour = hour % 12 + 12 * (moment["half"].lower() == "p")
    # The end of a day, and a leap second, are the beginning of what follows.
    later = timedelta()
    if (hour, minute, second) == (24, 0, 0):
        hour, later = 0, timedelta(days=1)
    elif second == 60:
        second, later = 59, timedelta(seconds=1)
    local = datetime(year, month, day, hour, minute, second, tzinfo=_zone_of(moment))
    return int((local + later).astimezone(UTC).timestamp())


def _date_of(moment: re.Match[str], order: DateOrder | None) -> tuple[int, int, int]:
    if moment["year"]:
        return int(moment["year"]), int(moment["month"]), int(moment["day"])
    if moment["name"]:
        return int(moment["named_year"]), _month_of(moment["name"]), int(moment["named_day"])
    if moment["name_after"]:
        month = _month_of(moment["name_after"])
        return int(moment["year_after"]), month, int(moment["day_before"])
    first, second, year = int(moment["first"]), int(moment["second"]), int(moment["last_year"])
    if moment["between"] == "." or order == "day-first":
        return year, second, first
    if order == "month-first":
        return year, first, second
    raise ValueError(f"{moment[0]!r} does not tell which is the day and which the month")


def _month_of(name: str) -> int:
    short = name.lower().replace("sept", "sep") if len(name) == 4 else name.lower()
    for number, month in enumerate(MONTHS, 1):
        if short in (month, month[:3]):
            return number
    raise ValueError(f"{name!r} is no month in English")


def _zone_of(moment: re.Match[str]) -> tzinfo:
    if moment["sign"]:
        ahead = timedelta(hours=int(moment["ahead"]), minutes=int(moment["ahead_minutes"] or 0))
        return timezone(-ahead if moment["sign"] == "-" else ahead)
    name = moment["zone"]
    if name is None:
        return UTC
    if name.lower() in ZONES:
        return timezone(timedelta(hours=ZONES[name.lower()]))
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is no zone that has one meaning") from None


def format_timestamp(seconds: int) -> str:
    """Write seconds since 1970 as `2017-11-30T09:00:00Z`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().removesuffix("+00:00") + "Z"
