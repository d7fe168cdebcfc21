"""The columns that have a meaning, and what the shop calls them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Final

from training.errors import InputError

PURCHASE_COLUMNS: Final = (
    "customer_id",
    "product_id",
    "timestamp",
    "order_id",
    "quantity",
    "unit_price",
    "amount",
    "currency",
    "kind",
    "market",
    "rating",
)
PRODUCT_COLUMNS: Final = (
    "product_id",
    "title",
    "category",
    "brand",
    "price",
    "currency",
    "url",
    "image_url",
    "in_stock",
    "markets",
    "available_from",
    "available_until",
)
CUSTOMER_COLUMNS: Final = (
    *("customer_id", "market", "train", "personalize_web", "personalize_email"),
    *("consent_time", "train_time", "personalize_web_time", "personalize_email_time"),
)
KNOWN: Final = tuple(dict.fromkeys((*PURCHASE_COLUMNS, *PRODUCT_COLUMNS, *CUSTOMER_COLUMNS)))
REQUIRED_OF_PURCHASES: Final = ("product_id", "timestamp", "customer_id")


def check_mapping(columns: Mapping[str, str], existing: Iterable[str]) -> None:
    """Every left side is a name of ours, every right side a column of some file; else InputError."""
    theirs = sorted(set(existing))
    for ours, name in columns.items():
        if ours not in KNOWN:
            raise InputError(
                f"--column {ours}={name}: there is no column {ours!r} to fill"
                f"{did_you_mean(ours, KNOWN)}; known are: {', '.join(KNOWN)}."
            )
        if name not in theirs:
            raise InputError(
                f"--column {ours}={name}: no file has a column {name!r}"
                f"{did_you_mean(name, theirs)}; the {len(theirs)} columns there are: {', '.join(theirs)}."
            )


def named(existing: Iterable[str], columns: Mapping[str, str]) -> dict[str, str]:
    """Our name -> the column of one file. A mapped name comes first, and counts only where the file has that column."""
    there = set(existing)
    own = {name: name for name in KNOWN if name in there}
    return own | {ours: theirs for ours, theirs in columns.items() if theirs in there}


def require(
    file: str, wanted: Iterable[str], names: Mapping[str, str], existing: Iterable[str]
) -> None:
    """InputError if the file lacks a required column."""
    there = list(existing)
    missing = [name for name in wanted if name not in names]
    if missing:
        raise InputError(
            f"{file} lacks {len(missing)} required column{'s' * (len(missing) > 1)}: {', '.join(missing)}"
            f"{did_you_mean(missing[0], there)}; it has {len(there)}: {', '.join(there)} "
            f"(another name is given by --column {missing[0]}=NAME)."
        )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint to the nearest name, letter case aside, or nothing."""
    by_lower = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f" (did you mean {by_lower[close[0]]!r}?)" if close else ""
