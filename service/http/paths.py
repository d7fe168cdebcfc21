"""Paths that hold ids: a slash that is part of an id is told from one that ends it."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote, unquote

from starlette.types import Scope

from service.errors import NotFound

LINKS: Final = "/r/"  # in mails: whatever comes of one, it leads to a page of the shop
ENCODED_SLASH: Final = re.compile("%2[Ff]")
# Stands for an encoded slash while routes are matched. No decoded path holds it: it is half of a
# surrogate pair.
HIDDEN_SLASH: Final = "\udc2f"


def hide_encoded_slashes(scope: Scope) -> Scope:
    """Return a scope in whose path `%2F` separates nothing: `show_slashes` brings it back.

    So the customer `x/consent` can be erased, and is not mistaken for the consent of `x`.
    """
    raw_path: bytes = scope.get("raw_path") or b""
    if b"%2" not in raw_path or b"/v1/" not in raw_path:
        return scope
    parts = ENCODED_SLASH.split(raw_path.decode("ascii"))
    return {**scope, "path": HIDDEN_SLASH.join(unquote(part) for part in parts)}


def under_prefix(scope: Scope, prefix: str) -> Scope:
    """Return the scope of a request whose path a proxy has passed on with its prefix."""
    is_under = bool(prefix) and f"{scope['path']}/".startswith(f"{prefix}/")
    return {**scope, "root_path": prefix} if is_under else scope


def get_path(scope: Scope) -> str:
    """Return the path below the prefix at which the service is mounted."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", ""))


def check_end(scope: Scope) -> None:
    """Raise NotFound for a path that ends in a slash. It names the address without it.

    Callers that follow no redirects learn so what to call.
    """
    path = get_path(scope)
    if path[-1:] != "/" or path == "/" or path.startswith(LINKS):
        return
    written: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
    address = written.decode("ascii", "replace").rstrip("/") or "/"
    raise NotFound(f"No address ends in a slash; call {address} (a slash of an id is %2F).")


def show_slashes(value: str) -> str:
    """Return an id of a path as it was written."""
    return value.replace(HIDDEN_SLASH, "/")
