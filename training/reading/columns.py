"""Map the shop's column names to the columns that have a meaning."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Final

from models.data.words import plain_name
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
    "status",
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
    "cost",
)
CUSTOMER_COLUMNS: Final = (
    "customer_id",
    "market",
    "train",
    "personalize_web",
    "personalize_email",
    "measure",
    "consent_time",
    "train_time",
    "personalize_web_time",
    "personalize_email_time",
    "measure_time",
    "preferences",
)
KNOWN_COLUMNS: Final = tuple(
    dict.fromkeys((*PURCHASE_COLUMNS, *PRODUCT_COLUMNS, *CUSTOMER_COLUMNS))
)
REQUIRED_OF_PURCHASES: Final = ("product_id", "timestamp", "customer_id")


def check_mapping(columns: Mapping[str, str], existing: Iterable[str]) -> None:
    """Check a mapping of our names to columns, given the columns of all files.

    Raises InputError for a name that is none of KNOWN_COLUMNS, and for a column that no file has.
    """
    their_names = sorted(set(existing))
    for our_name, their_name in columns.items():
        option = f"--column {our_name}={their_name}"
        if our_name not in KNOWN_COLUMNS:
            raise InputError(
                f"{option}: there is no column {our_name!r} to fill"
                f"{did_you_mean(our_name, KNOWN_COLUMNS)}; known are: {', '.join(KNOWN_COLUMNS)}."
            )
        if their_name not in their_names:
            raise InputError(
                f"{option}: no file has a column {their_name!r}"
                f"{did_you_mean(their_name, their_names)}; "
                f"the {len(their_names)} columns there are: {', '.join(their_names)}."
            )


def map_columns(existing: Iterable[str], columns: Mapping[str, str]) -> dict[str, str]:
    """Return our name -> the column of one file.

    A mapped name comes first, and counts only where the file has that column. Otherwise a column is
    known by its name, in letters of any case and with spaces for underscores.
    """
    their_names = list(existing)
    plain = {plain_name(theirs): theirs for theirs in reversed(their_names)}
    own = {
        name: name if name in their_names else plain[name]
        for name in KNOWN_COLUMNS
        if name in plain
    }
    mapped = {ours: theirs for ours, theirs in columns.items() if theirs in their_names}
    return own | mapped


def require_columns(
    file: str, required: Iterable[str], names: Mapping[str, str], existing: Iterable[str]
) -> None:
    """Raise InputError if the file lacks a required column."""
    their_names = list(existing)
    missing = [name for name in required if name not in names]
    if missing:
        raise InputError(
            f"{file} lacks {len(missing)} required column{'s' * (len(missing) > 1)}: "
            f"{', '.join(missing)}{did_you_mean(missing[0], their_names)}; "
            f"it has {len(their_names)}: {', '.join(their_names)} "
            f"(another name is given by --column {missing[0]}=NAME; lines above the header are "
            "left out by --skip-rows)."
        )


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a hint to the nearest name, letter case aside, or nothing."""
    by_lower = {other.lower(): other for other in known}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return f" (did you mean {by_lower[close[0]]!r}?)" if close else ""
