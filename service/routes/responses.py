"""Answers over HTTP: how long they may be kept, and a 304 for callers that have them already."""

from __future__ import annotations

from typing import Any, Final

import orjson
from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from service.answering.query import RecommendationQuery
from service.answering.responder import Responder, ServedAnswer
from service.http.authorization import SIGNED_IN
from service.http.ready_answers import AnswerBasis
from service.routes.request_context import get_responder, is_head

JSON: Final = "application/json"
NOT_MODIFIED: Final = 304
NO_STORE: Final = {"Cache-Control": "no-store"}


def uncached_json(content: Any, status: int = 200) -> Response:
    """Return an answer that nobody may keep."""
    return Response(orjson.dumps(content), status, NO_STORE, JSON)


class BareResponse(Response):
    """A whole body with headers as they are sent; the framework takes longer to write them."""

    def __init__(
        self, body: bytes, headers: tuple[tuple[bytes, bytes], ...], status: int = 200
    ) -> None:
        self.status_code, self.body, self.background = status, body, None
        self.raw_headers = list(headers)
        self.basis: AnswerBasis | None = None  # on which the same answer may be given again

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        status, headers = self.status_code, self.raw_headers
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


async def answer_query(request: Request, query: RecommendationQuery) -> Response:
    """Return the answer to a query, to whom it is for. Raises Problem."""
    responder = get_responder(request)
    served = await responder.respond(query, limited=request.scope["state"]["limited"])
    response = slate_response(request, responder, served)
    if isinstance(response, BareResponse):
        response.basis = served.basis
    return response


def slate_response(
    request: Request, responder: Responder, served: ServedAnswer, media_type: str = JSON
) -> Response:
    """Return a slate. Its caller may keep it for a while, but not one that is degraded."""
    if served.degraded:
        response = Response(served.body, headers=NO_STORE, media_type=media_type)
    else:
        cache_control = f"private, max-age={responder.settings.max_age_seconds}"
        response = cacheable_response(request, served.body, served.tag, cache_control, media_type)
    is_looked_at = SIGNED_IN in request.scope["state"]  # nobody is shown it
    if response.status_code != NOT_MODIFIED and not is_head(request) and not is_looked_at:
        responder.note_delivery(served)
    return response


def cacheable_response(
    request: Request, body: bytes, tag: str, cache_control: str, media_type: str = JSON
) -> Response:
    """Return a body with its ETag, or a 304 where the caller names that ETag."""
    etag = f'"{tag}"'
    kept = (b"etag", etag.encode()), (b"cache-control", cache_control.encode())
    if request.method == "GET" and matches_etag(request.headers.get("if-none-match"), etag):
        return BareResponse(b"", kept, NOT_MODIFIED)
    length, content = b"%d" % len(body), media_type.encode()
    return BareResponse(body, (*kept, (b"content-length", length), (b"content-type", content)))


def matches_etag(if_none_match: str | None, etag: str) -> bool:
    """Return whether an If-None-Match header names this ETag (RFC 9110, 13.1.2: weakly)."""
    if if_none_match is None:
        return False
    etags = [name.strip().removeprefix("W/") for name in if_none_match.split(",")]
    return etag in etags or etags == ["*"]
