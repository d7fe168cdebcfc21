"""Columns of the customers file, by which rules and offers are for some, as forms write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


def read_columns(text: str) -> dict[str, list[str]]:
    """Return the columns of a text like `tier=gold, tier=silver`. Raises ValueError."""
    columns: dict[str, list[str]] = {}
    for part in filter(None, map(str.strip, text.split(","))):
        name, separator, value = part.partition("=")
        if not (separator and name.strip() and value.strip()):
            raise ValueError(f"columns: {part[:40]!r} is no column and value, such as tier=gold")
        columns.setdefault(name.strip(), []).append(value.strip())
    return columns


def write_columns(columns: Mapping[str, Sequence[str]]) -> str:
    """Return the text that describes columns."""
    return ", ".join(f"{name}={value}" for name, values in columns.items() for value in values)
