"""Take cells out of the records of vendors."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

from models.data.numbers import read_number
from models.data.words import read_flag
from models.vendors.vendor import Record

# A gift card holder is a product.
GIFT_CARD: Final = re.compile(
    r"^(?:digital |e-?)?(?:gift ?(?:card|voucher|certificate)s?|geschenk(?:karte|gutschein)|"
    r"carte cadeau|tarjeta (?:de )?regalo|carta regalo|cadeaubon)\s*(?:$|[-–—:|(,$€£\d])",
    re.IGNORECASE,
)
NO_PRODUCT: Final = re.compile(
    r"^(?:tip|shipping|delivery fee|handling fee|service fee|tax|surcharge|gift wrapping)$",
    re.IGNORECASE,
)
UNTOLD: Final = "unknown"  # of stock: a word that is not in stock, and counted


def text(value: Any) -> str | None:
    """Return a cell as text; None for an empty one, a list and an object."""
    if type(value) is str:
        return value if value and not value.isspace() else None
    if value is None or isinstance(value, (list, dict)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def first(records: Sequence[Record], name: str) -> str | None:
    """Return the first cell under a name that is not empty."""
    for record in records:
        if cell := text(record.get(name)):
            return cell
    return None


def object_in(record: Any, *names: str) -> Record:
    """Return the object under a path of names; an empty one where there is none."""
    for name in names:
        record = record.get(name) if isinstance(record, dict) else None
    return record if isinstance(record, dict) else {}


def objects_in(record: Record, name: str) -> list[Record]:
    """Return the objects of the list under a name."""
    values = record.get(name)
    if not isinstance(values, list):
        return []
    return [value for value in values if isinstance(value, dict)]


def address_of_mail(value: Any) -> str | None:
    """Return an e-mail address as a customer's id: in lower case, without spaces around it."""
    cell = text(value)
    return cell.strip().lower() if cell else None


def values_in(record: Record, name: str) -> list[str]:
    """Return the texts and numbers of the list under a name."""
    values = record.get(name)
    cells = map(text, values) if isinstance(values, list) else ()
    return [cell for cell in cells if cell]


def quantity_left(quantity: Any, *taken_off: Any) -> str | None:
    """Return a quantity without what was refunded or cancelled, each of them with any sign.

    A cell that is no number is returned as it is: nobody knows then how much is left.
    """
    cells = [text(quantity) or "1", *filter(None, map(text, taken_off))]
    numbers = []
    for cell in cells:
        try:
            numbers.append(read_number(cell))
        except ValueError:
            return cell
    return text(numbers[0] - sum(map(abs, numbers[1:])))


def price_of_piece(amount: Any, quantity: Any) -> str | None:
    """Return the price of one piece of a line; None where it cannot be told."""
    try:
        pieces = read_number(text(quantity) or "1")
        return text(read_number(text(amount) or "") / pieces)
    except (ValueError, ZeroDivisionError):
        return None


def is_used_up(quantity: str | None) -> bool:
    """Return whether nothing is left of a quantity."""
    try:
        return quantity is not None and read_number(quantity) <= 0
    except ValueError:
        return False


def is_yes(value: Any) -> bool:
    """Return whether a cell says yes; an empty or unknown one does not."""
    return read_flag(text(value) or "") is True


def is_gift_card(name: Any) -> bool:
    """Return whether this is what shops call a gift card."""
    return _matches(GIFT_CARD, text(name) or "")


def is_no_product(name: Any) -> bool:
    """Return whether a line with this name is a tip, shipping or a fee."""
    return _matches(NO_PRODUCT, text(name) or "")


@lru_cache(maxsize=65_536)
def _matches(pattern: re.Pattern[str], name: str) -> bool:
    return pattern.match(name.strip()) is not None


def last_part(path: Any, separator: str = ">") -> str | None:
    """Return the last name of a path of categories."""
    parts = [part.strip() for part in (text(path) or "").split(separator)]
    return next((part for part in reversed(parts) if part), None)


def known_texts(**cells: Any) -> dict[str, str]:
    """Return the cells that are not empty."""
    return dict(_known(cells.items()))


def _known(cells: Any) -> Iterator[tuple[str, str]]:
    for name, value in cells:
        if cell := text(value):
            yield name, cell
