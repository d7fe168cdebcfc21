"""What values may be, by a JSON schema: the contract with whoever writes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

LIMITS: Final = {
    *("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum"),
    *("minLength", "maxLength", "minItems", "maxItems", "pattern"),
}


def limits_of(described: Any, name: str = "") -> Iterator[str]:
    """The limits of every field and parameter: its name, the keyword and its value."""
    if isinstance(described, list):
        for part in described:
            yield from limits_of(part, part.get("name", name) if isinstance(part, dict) else name)
    elif isinstance(described, dict):
        fields = described.get("properties", {})
        for field, part in fields.items():
            yield from limits_of(part, field)
        for key, part in described.items():
            if key in LIMITS:
                whole = isinstance(part, float) and part.is_integer()
                yield f"{name} {key} {int(part) if whole else part}"
            elif key not in ("properties", "example", "examples"):
                yield from limits_of(part, name)


def read_limits(file: Path) -> list[str]:
    """The limits that a file beside a test holds. One that changes is a decision, made there."""
    return file.read_text("utf-8").splitlines()
