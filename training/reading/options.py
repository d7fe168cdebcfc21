"""Say what a shop tells about its files, beside the files themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from models.data.events import KINDS
from models.data.numbers import Decimal
from models.data.timestamps import DateOrder
from models.data.words import read_flag, squeeze
from models.vendors.registry import VENDORS
from models.vendors.vendor import Variants
from training.errors import InputError

Unlisted = Literal["show", "hide"]
AUTO: Final = "auto"  # whose export a file is, is told by its columns
OWN: Final = "own"  # files have our columns
FORMATS: Final = (AUTO, OWN, *VENDORS)


@dataclass(frozen=True)
class ReadingOptions:
    """Hold options of the command line that say how files are read. None: as the files tell."""

    decimal: Decimal | None = None
    date_order: DateOrder | None = None
    encoding: str | None = None
    skip_rows: int = 0  # lines above the header
    stock_words: Mapping[str, bool] = field(default_factory=dict)  # squeezed word -> in stock
    status_words: Mapping[str, bool] = field(default_factory=dict)  # squeezed word -> a sale
    kind_words: Mapping[str, int] = field(default_factory=dict)  # squeezed word -> code in KINDS
    format: str | None = None  # one of FORMATS; None: auto, or our own where columns are mapped
    variants: Variants = "parent"  # what a vendor's export becomes, where it tells both
    unlisted: Unlisted | None = None  # what becomes of products that are not in the products file
    strict: bool = False  # whether a refused row is an error


AS_FILES_TELL: Final = ReadingOptions()


def parse_words(option: str, words: list[str]) -> dict[str, bool]:
    """Parse WORD=yes and WORD=no. Raises InputError."""
    return _parse(option, words, read_flag, "yes or no")


def parse_kind_words(option: str, words: list[str]) -> dict[str, int]:
    """Parse WORD=KIND. Raises InputError."""
    codes = {kind: code for code, kind in enumerate(KINDS)}
    return _parse(option, words, codes.get, ", ".join(KINDS))


def _parse(
    option: str, words: list[str], read: Callable[[str], Any], expected: str
) -> dict[str, Any]:
    meanings = {}
    for text in words:
        word, _, meaning = text.rpartition("=")
        value = read(meaning)
        if not word or value is None:
            raise InputError(f"{option} {text}: expected WORD= and one of {expected}")
        meanings[squeeze(word)] = value
    return meanings
