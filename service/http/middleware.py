"""Middleware of every request: authentication, size of the body, metrics, unexpected errors."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.artifact.shops import MAIN
from service.errors import InternalError, Problem, TooLarge, TooManyCalls, UnsupportedMediaType
from service.http.authentication import (
    Authentication,
    find_shop_in,
    not_known,
    read_credentials,
)
from service.http.authorization import SIGNED_IN, find_access
from service.http.paths import check_end, hide_encoded_slashes, under_prefix
from service.http.shops import UnknownShopError, split_address
from service.runtime.logs import current_shop, format_location
from service.runtime.metrics import Metrics, child_of
from service.settings import Settings

log: Final = logging.getLogger("regulars.door")
NO_STATE: Final[Mapping[str, Any]] = MappingProxyType({})
WITHOUT_BODY: Final = frozenset({"GET", "DELETE", "OPTIONS"})  # HEAD is a GET by now
IDENTITY: Final = "identity"
CHARSET: Final = re.compile(r"""(?i);\s*charset\s*=\s*["']?([^\s;"']+)""")
UTF_8: Final = ("utf-8", "utf8", "us-ascii", "ascii")  # ASCII is UTF-8


def add_middleware(app: FastAPI, settings: Settings, metrics: Metrics) -> None:
    """Add the middleware of requests and, outside of it, CORS for the shop's pages."""
    app.add_middleware(RequestMiddleware, settings=settings, metrics=metrics)
    if settings.origins():
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.origins(),
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "If-None-Match"],
            expose_headers=["ETag", "Retry-After", "RateLimit", "RateLimit-Policy"],
        )


class RequestMiddleware:
    """An ASGI middleware around everything that is ours."""

    def __init__(self, app: ASGIApp, *, settings: Settings, metrics: Metrics) -> None:
        self._app = app
        self._limit_bytes = settings.body_limit_bytes
        self._root_path = settings.root_path
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0
        scope, named = split_address(hide_encoded_slashes(under_prefix(scope, self._root_path)))
        if scope["method"] == "HEAD":
            scope, send = _get_without_body(scope, send)

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message = _with_notices(message, scope)
            await send(message)

        try:
            problem = await self._answer(named, scope, receive, observed)
            if problem and not status:
                await problem.response()(scope, receive, observed)
        finally:
            route = getattr(scope.get("route"), "path_format", "none")
            shop = scope.get("state", NO_STATE).get("shop")
            name = shop.name if shop is not None else MAIN
            latency = child_of(self._metrics.all_latencies, name, route, str(status))
            latency.observe(time.perf_counter() - started)

    async def _answer(
        self, named: str | None, scope: Scope, receive: Receive, send: Send
    ) -> Problem | None:
        """Return the problem that came up outside of the app's own handlers, if any.

        `named`: the shop in the address.
        """
        try:
            check_end(scope)
            await self._answer_in_shop(named, scope, receive, send)
        except Problem as problem:
            return problem
        except Exception as error:  # of any kind: the caller gets a problem document, the log no id
            self._metrics.errors.inc()
            log.error("unexpected %s at %s", type(error).__name__, format_location(error))
            return InternalError()
        return None

    async def _answer_in_shop(
        self, named: str | None, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer for the shop that the request is about. Raises Problem."""
        headers = Headers(scope=scope)
        credentials, shops = read_credentials(headers), scope["app"].state.shops
        try:
            visit = await shops.enter(named or find_shop_in(credentials))
        except UnknownShopError:
            raise not_known(credentials) from None
        try:
            scope.setdefault("state", {})["shop"] = visit.shop
            if visit.shop.name != MAIN:
                current_shop.set(visit.shop.name)
            await _authorize(scope, headers, credentials, visit.shop.authentication)
            if scope["method"] not in WITHOUT_BODY:
                check_body(headers)
            if _declared_bytes(headers) > self._limit_bytes:
                raise TooLarge(self._limit_bytes)
            await self._app(scope, _count_body(receive, self._limit_bytes), send)
        finally:
            shops.leave(visit)


async def _authorize(
    scope: Scope, headers: Headers, credentials: bytes, authentication: Authentication
) -> None:
    """Put `caller`, `limited` and the `rate_limit` of a limited caller into the request's state.

    The route is found as the router will find it, by the same routes in the same order, so the
    address that is checked is the one that answers. Raises Unauthorized, ForeignHost, Forbidden or
    TooManyCalls.
    """
    route, path = _find_route(scope)
    access = find_access(route, scope["method"]) if route else None
    if not authentication.needs_caller(access):
        return
    state = scope["state"]
    caller = state.get(SIGNED_IN) or await authentication.identify(headers, credentials)
    state["caller"], state["limited"] = caller, False
    if access is None:
        return
    caller.check(access, path)
    count = await authentication.count_call(caller)
    if count is not None:
        state["rate_limit"], state["limited"] = count, count.wait_seconds > 0
        if count.wait_seconds > 0 and not access.slate:
            raise TooManyCalls(count.wait_seconds)


def _with_notices(message: Message, scope: Scope) -> Message:
    """Return the start of an answer with what tells a client of its limit and of the call's end."""
    count = scope.get("state", NO_STATE).get("rate_limit")
    notices = getattr(scope.get("route"), "deprecation_headers", ())
    if count is None and not notices:
        return message
    limits = count.headers if count is not None else ()
    return {**message, "headers": [*message["headers"], *limits, *notices]}


def _find_route(scope: Scope) -> tuple[BaseRoute | None, dict[str, Any]]:
    """Return the route that will answer, None for a 404 or a 405, and its path parameters."""
    for route in scope["app"].routes:
        match, matched_scope = route.matches(scope)
        if match is Match.FULL:
            return route, matched_scope["path_params"]
    return None, {}


def _get_without_body(scope: Scope, send: Send) -> tuple[Scope, Send]:
    """Return a HEAD as the GET of its address, and a `send` that leaves the body out.

    So every address answers HEAD that answers GET, with the same headers (RFC 9110, 9.3.2).
    """

    async def send_headers(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    state = {**scope.get("state", {}), "without_body": True}
    return {**scope, "method": "GET", "state": state}, send_headers


def check_body(headers: Headers) -> None:
    """Raise UnsupportedMediaType for a body that is compressed or not written in UTF-8."""
    coding = headers.get("content-encoding", IDENTITY).strip().lower()
    if coding not in ("", IDENTITY):
        raise UnsupportedMediaType(
            "Send the body as it is, without Content-Encoding: nothing that is compressed is read.",
            headers={"Accept-Encoding": IDENTITY},
        )
    found = CHARSET.search(headers.get("content-type", ""))
    if found and found[1].lower() not in UTF_8:
        raise UnsupportedMediaType(
            f"Send the body in UTF-8; the header Content-Type names {found[1][:40]!r}."
        )


def _declared_bytes(headers: Headers) -> int:
    declared = headers.get("content-length", "0")
    return int(declared) if declared.isdecimal() else 0


def _count_body(receive: Receive, limit_bytes: int) -> Receive:
    """Return a `receive` that counts a body as it comes. It raises TooLarge."""
    received_bytes = 0

    async def counted() -> Message:
        nonlocal received_bytes
        message = await receive()
        if message["type"] == "http.request":
            received_bytes += len(message.get("body", b""))
            if received_bytes > limit_bytes:
                raise TooLarge(limit_bytes)
        return message

    return counted
