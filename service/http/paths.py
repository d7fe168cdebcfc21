"""Paths that hold ids: a slash that is part of an id is told from one that ends it."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from starlette.types import Scope

ENCODED_SLASH: Final = re.compile("%2[Ff]")
# Stands for an encoded slash while routes are matched. No decoded path holds it: it is half of a
# surrogate pair.
HIDDEN_SLASH: Final = "\udc2f"


def hide_encoded_slashes(scope: Scope) -> Scope:
    """Return a scope in whose path `%2F` separates nothing: `show_slashes` brings it back.

    So the customer `x/consent` can be erased, and is not mistaken for the consent of `x`.
    """
    raw_path: bytes = scope.get("raw_path") or b""
    if b"%2" not in raw_path or not raw_path.startswith(b"/v1/"):
        return scope
    parts = ENCODED_SLASH.split(raw_path.decode("ascii"))
    return {**scope, "path": HIDDEN_SLASH.join(unquote(part) for part in parts)}


def show_slashes(value: str) -> str:
    """Return an id of a path as it was written."""
    return value.replace(HIDDEN_SLASH, "/")
