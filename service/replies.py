"""Answers over HTTP: an ETag, how long they may be kept, and 304 for who has them already."""

from __future__ import annotations

import hashlib

from fastapi import Request, Response

from service.serving import Served, Serving


def reply(request: Request, serving: Serving, served: Served) -> Response:
    """The body with its headers; a slate that came too late must not be kept by anyone."""
    if served.late:
        return Response(served.body, headers={"Cache-Control": "no-store"}, media_type="application/json")
    etag = f'"{hashlib.blake2b(served.body, digest_size=16).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": f"private, max-age={serving.settings.max_age_seconds}"}
    if request.method == "GET" and has(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    return Response(served.body, headers=headers, media_type="application/json")


def has(if_none_match: str | None, etag: str) -> bool:
    """Whether an If-None-Match header names this ETag (RFC 9110, 13.1.2: compared weakly)."""
    if if_none_match is None:
        return False
    named = [name.strip().removeprefix("W/") for name in if_none_match.split(",")]
    return etag in named or named == ["*"]
