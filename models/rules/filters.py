"""Limits that a caller sets: the products that may be shown, and those bought before."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from models.rules.filter_language import FilterExpression


class Repeat(StrEnum):
    """A choice about products that the customer bought before."""

    AUTO = "auto"  # shown where this shop's customers buy again, and not before it is time
    INCLUDE = "include"
    EXCLUDE = "exclude"


@dataclass(frozen=True)
class Filters:
    """Limits on the products that may be shown; None and empty mean: no limit."""

    exclude: tuple[int, ...] = ()
    category: str | None = None
    brand: str | None = None
    min_price: float | None = None
    max_price: float | None = None
    market: str | None = None
    expression: FilterExpression | None = None  # about any attribute


NO_FILTERS: Final = Filters()
