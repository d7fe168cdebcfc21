"""Answers over HTTP: an ETag, how long they may be kept, and 304 for who has them already."""

from __future__ import annotations

import hashlib
from typing import Final

from fastapi import Request, Response

from service.answering.responder import Responder, ServedAnswer

JSON: Final = "application/json"


def reply(
    request: Request, responder: Responder, served: ServedAnswer, media_type: str = JSON
) -> Response:
    """The body with its headers; a slate that came too late must not be kept by anyone."""
    if served.degraded:
        return Response(served.body, headers={"Cache-Control": "no-store"}, media_type=media_type)
    return kept(
        request, served.body, f"private, max-age={responder.settings.max_age_seconds}", media_type
    )


def kept(request: Request, body: bytes, cache_control: str, media_type: str = JSON) -> Response:
    """A body that may be kept for a while."""
    etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": cache_control}
    if request.method == "GET" and has(request.headers.get("if-none-match"), etag):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=media_type)


def has(if_none_match: str | None, etag: str) -> bool:
    """Whether an If-None-Match header names this ETag (RFC 9110, 13.1.2: compared weakly)."""
    if if_none_match is None:
        return False
    named = [name.strip().removeprefix("W/") for name in if_none_match.split(",")]
    return etag in named or named == ["*"]
