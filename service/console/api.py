"""Calls of the public API within the process, with the scopes of whoever has signed in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, unquote, urlencode

import orjson
from starlette.types import ASGIApp, Message, Scope

from service.http.authorization import SIGNED_IN, Caller

OURSELVES: Final = ("127.0.0.1", 0)


@dataclass(frozen=True)
class ApiAnswer:
    """An answer of the API."""

    status: int
    body: bytes

    @property
    def ok(self) -> bool:
        return self.status < 300

    @property
    def json(self) -> Any:
        """Return what it says, an empty object where it says nothing that can be read."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return {}

    @property
    def problem(self) -> str:
        """Return what went wrong, in the words of the API."""
        return str(self.json.get("detail") or self.json.get("title") or self.status)


def address(*parts: str) -> str:
    """Return an address below /v1 of names and ids, which may hold anything."""
    return "/v1/" + "/".join(quote(part, safe="") for part in parts)


async def call_api(
    app: ASGIApp,
    caller: Caller,
    method: str,
    path: str,
    query: Mapping[str, Any] | None = None,
    body: Any = None,
) -> ApiAnswer:
    """Return what the API answers. `path`: as it would stand in an address."""
    content = b"" if body is None else orjson.dumps(body)
    given = {name: value for name, value in (query or {}).items() if value not in (None, "")}
    headers = [(b"host", b"localhost"), (b"content-length", str(len(content)).encode())]
    if body is not None:
        headers.append((b"content-type", b"application/json"))
    scope: Scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": urlencode(given, doseq=True).encode(),
        "root_path": "",
        "headers": headers,
        "client": OURSELVES,
        "server": OURSELVES,
        "state": {SIGNED_IN: caller},
    }
    status, pieces = 500, []

    async def receive() -> Message:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Message) -> None:
        nonlocal status
        if message["type"] == "http.response.start":
            status = message["status"]
        else:
            pieces.append(message.get("body", b""))

    await app(scope, receive, send)
    return ApiAnswer(status, b"".join(pieces))
