"""Answers over HTTP: how long they may be kept, and a 304 for callers that have them already."""

from __future__ import annotations

import hashlib
from typing import Any, Final

import orjson
from fastapi import Request, Response

from service.answering.responder import Responder, ServedAnswer
from service.http.authorization import SIGNED_IN
from service.routes.request_context import is_head

JSON: Final = "application/json"
NOT_MODIFIED: Final = 304
NO_STORE: Final = {"Cache-Control": "no-store"}


def uncached_json(content: Any, status: int = 200) -> Response:
    """Return an answer that nobody may keep."""
    return Response(orjson.dumps(content), status, NO_STORE, JSON)


def slate_response(
    request: Request, responder: Responder, served: ServedAnswer, media_type: str = JSON
) -> Response:
    """Return a slate. Its caller may keep it for a while, but not one that is degraded."""
    if served.degraded:
        response = Response(served.body, headers=NO_STORE, media_type=media_type)
    else:
        cache_control = f"private, max-age={responder.settings.max_age_seconds}"
        response = cacheable_response(request, served.body, cache_control, media_type)
    is_looked_at = getattr(request.state, SIGNED_IN, None) is not None  # nobody is shown it
    if response.status_code != NOT_MODIFIED and not is_head(request) and not is_looked_at:
        responder.note_delivery(served)
    return response


def cacheable_response(
    request: Request, body: bytes, cache_control: str, media_type: str = JSON
) -> Response:
    """Return a body with its ETag, or a 304 where the caller names that ETag."""
    etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": cache_control}
    if request.method == "GET" and matches_etag(request.headers.get("if-none-match"), etag):
        return Response(status_code=NOT_MODIFIED, headers=headers)
    return Response(body, headers=headers, media_type=media_type)


def matches_etag(if_none_match: str | None, etag: str) -> bool:
    """Return whether an If-None-Match header names this ETag (RFC 9110, 13.1.2: weakly)."""
    if if_none_match is None:
        return False
    etags = [name.strip().removeprefix("W/") for name in if_none_match.split(",")]
    return etag in etags or etags == ["*"]
