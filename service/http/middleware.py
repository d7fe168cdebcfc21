"""Middleware of every request: authentication, size of the body, metrics, unexpected errors."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from fastapi import FastAPI, Response
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.artifact.shops import MAIN
from models.steps import step
from service.errors import InternalError, Problem, TooLarge, TooManyCalls, UnsupportedMediaType
from service.http.authentication import (
    Authentication,
    find_shop_in,
    not_known,
    read_credentials,
)
from service.http.authorization import SIGNED_IN, find_access
from service.http.paths import check_end, hide_encoded_slashes, under_prefix
from service.http.ready_answers import ReadyAnswers, name_of_scope
from service.http.shops import AnsweringShop, UnknownShopError, split_address
from service.runtime.logs import current_shop, format_location
from service.runtime.metrics import Metrics, child_of
from service.runtime.tracing import Tracing, describe
from service.settings import Settings

log: Final = logging.getLogger("regulars.door")
# In the state of a request that another one may be answered like: nobody signed in for it, nor is
# it a HEAD.
PLAIN_STATE: Final = frozenset(
    {"metrics", "ready_answers", "shop", "caller", "limited", "keys_revision", "rate_limit"}
)
RawHeaders = list[tuple[bytes, bytes]]
NO_STATE: Final[Mapping[str, Any]] = MappingProxyType({})
# What pages of the shop may send and read
CROSS_ORIGIN: Final[Mapping[str, Any]] = {
    "allow_methods": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
    "allow_headers": ["Authorization", "Content-Type", "If-None-Match"],
    "expose_headers": ["ETag", "Retry-After", "RateLimit", "RateLimit-Policy"],
}
WITHOUT_BODY: Final = frozenset({"GET", "DELETE", "OPTIONS"})  # HEAD is a GET by now
OK: Final = 200
IDENTITY: Final = "identity"
CHARSET: Final = re.compile(r"""(?i);\s*charset\s*=\s*["']?([^\s;"']+)""")
UTF_8: Final = ("utf-8", "utf8", "us-ascii", "ascii")  # ASCII is UTF-8


def add_middleware(
    app: FastAPI, settings: Settings, metrics: Metrics, tracing: Tracing | None = None
) -> None:
    """Add the middleware of requests and, outside of it, CORS for the shop's pages."""
    app.add_middleware(RequestMiddleware, settings=settings, metrics=metrics, tracing=tracing)
    if settings.origins():
        app.add_middleware(CORSMiddleware, allow_origins=settings.origins(), **CROSS_ORIGIN)


class RequestMiddleware:
    """An ASGI middleware around everything that is ours."""

    def __init__(
        self, app: ASGIApp, *, settings: Settings, metrics: Metrics, tracing: Tracing | None
    ) -> None:
        self._app = app
        self._tracing = tracing
        self._limit_bytes = settings.body_limit_bytes
        self._root_path = settings.root_path
        self._metrics = metrics
        origins = settings.origins()
        self._cross_origin = origins and CORSMiddleware(app, origins, **CROSS_ORIGIN)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._tracing is None or not self._tracing.is_sampled(scope["headers"]):
            await self._serve(scope, receive, send, None)
        else:
            with self._tracing.request(scope["method"], scope["headers"]) as span:
                await self._serve(scope, receive, send, span)

    async def _serve(self, scope: Scope, receive: Receive, send: Send, span: Any) -> None:
        """Answer a request. `span`: of its trace, None where it is not traced."""
        started, method = time.perf_counter(), scope["method"]
        scope, named = split_address(hide_encoded_slashes(under_prefix(scope, self._root_path)))
        if scope["method"] == "HEAD":
            scope, send = _get_without_body(scope, send)

        sending = Sending(scope, send)
        try:
            problem = await self._answer(named, scope, receive, sending)
            if problem and not sending.status:
                await problem.response()(scope, receive, sending)
        finally:
            route = getattr(scope.get("route"), "path_format", "none")
            shop = scope.get("state", NO_STATE).get("shop")
            name = shop.name if shop is not None else MAIN
            latency = child_of(self._metrics.all_latencies, name, route, str(sending.status))
            latency.observe(time.perf_counter() - started)
            if span is not None:
                describe(span, method, route, sending.status, name)

    async def _answer(
        self, named: str | None, scope: Scope, receive: Receive, sending: Sending
    ) -> Problem | None:
        """Return the problem that came up outside of the app's own handlers, if any.

        `named`: the shop in the address.
        """
        try:
            check_end(scope)
            await self._answer_in_shop(named, scope, receive, sending)
        except Problem as problem:
            return problem
        except Exception as error:  # of any kind: the caller gets a problem document, the log no id
            self._metrics.errors.inc()
            log.error("unexpected %s at %s", type(error).__name__, format_location(error))
            return InternalError()
        return None

    async def _answer_in_shop(
        self, named: str | None, scope: Scope, receive: Receive, sending: Sending
    ) -> None:
        """Answer for the shop that the request is about. Raises Problem."""
        headers = Headers(scope=scope)
        credentials, shops = read_credentials(headers.raw), scope["app"].state.shops
        try:
            visit = await shops.enter(named or find_shop_in(credentials))
        except UnknownShopError:
            raise not_known(credentials) from None
        try:
            scope.setdefault("state", {})["shop"] = visit.shop
            if visit.shop.name != MAIN:
                current_shop.set(visit.shop.name)
            direct = scope["app"].state.direct_routes.find(scope)
            route, path = direct or _find_route(scope)
            with step("authentication"):
                await _authorize(
                    scope, route, path, headers, credentials, visit.shop.authentication
                )
            if scope["method"] not in WITHOUT_BODY:
                check_body(headers)
            if _declared_bytes(headers.raw) > self._limit_bytes:
                raise TooLarge(self._limit_bytes)
            if direct is not None:
                scope["route"], scope["path_params"] = direct
                response = await direct[0].answer_directly(scope)
                if response is not None:
                    await self._keep_ready(scope, visit.shop, response)
                    await response(scope, _no_body, sending)
                    return
            await self._app(scope, _count_body(receive, self._limit_bytes), sending)
        finally:
            shops.leave(visit)

    async def _keep_ready(self, scope: Scope, shop: AnsweringShop, response: Response) -> None:
        """Have an answer ready that the next such request would get, too."""
        state, basis = scope["state"], getattr(response, "basis", None)
        ready: ReadyAnswers | None = state.get("ready_answers")  # None: not of our connections
        name = name_of_scope(scope)
        is_plain = response.status_code == OK and state.keys() <= PLAIN_STATE
        if ready is None or basis is None or name is None or not is_plain:
            return
        route, status = scope["route"], str(response.status_code)
        latency = child_of(self._metrics.all_latencies, shop.name, route.path_format, status)
        call = shop.authentication.describe_call(
            name, state["caller"], state["keys_revision"], latency.observe
        )
        if shop.name != MAIN:
            is_answering, holds = scope["app"].state.shops.is_answering, call.caller_holds
            call = call._replace(caller_holds=lambda: is_answering(shop) and holds())
        headers = [*response.raw_headers, *getattr(route, "deprecation_headers", ())]
        headers = await self._add_cross_origin(headers, scope)
        ready.keep(call, basis, headers, bytes(response.body))

    async def _add_cross_origin(self, headers: RawHeaders, scope: Scope) -> RawHeaders:
        """Return the headers as they leave what is around this middleware."""
        if not self._cross_origin:
            return headers
        message: Message = {"type": "http.response.start", "headers": headers}
        await self._cross_origin.send(message, _discard, Headers(scope=scope))
        sent: RawHeaders = message["headers"]
        return sent


class Sending:
    """A `send` that keeps the status of an answer, and adds what tells a client of its limit."""

    def __init__(self, scope: Scope, send: Send) -> None:
        self.status = 0  # until an answer begins
        self._scope, self._send = scope, send

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            notices = _notices(self._scope)
            if notices:
                message = {**message, "headers": [*message["headers"], *notices]}
        await self._send(message)


OUTERMOST: Final = (CORSMiddleware, RequestMiddleware)


async def _discard(message: Message) -> None:
    """Send nothing, where what would be sent is wanted."""


async def _no_body() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _authorize(
    scope: Scope,
    route: BaseRoute | None,
    path: Mapping[str, Any],
    headers: Headers,
    credentials: bytes,
    authentication: Authentication,
) -> None:
    """Put `caller`, `limited` and the `rate_limit` of a limited caller into the request's state.

    `route`: the one that will answer. Raises Unauthorized, ForeignHost, Forbidden or TooManyCalls.
    """
    access = find_access(route, scope["method"]) if route else None
    if not authentication.needs_caller(access):
        return
    state = scope["state"]
    caller = state.get(SIGNED_IN) or await authentication.identify(headers, credentials)
    state["caller"], state["limited"] = caller, False
    state["keys_revision"] = authentication.keys.revision
    if access is None:
        return
    caller.check(access, path)
    count = await authentication.count_call(caller)
    if count is not None:
        state["rate_limit"], state["limited"] = count, count.wait_seconds > 0
        if count.wait_seconds > 0 and not access.slate:
            raise TooManyCalls(count.wait_seconds)


def _notices(scope: Scope) -> tuple[tuple[bytes, bytes], ...]:
    """Return the headers that tell a client of its limit and of the call's end."""
    count = scope.get("state", NO_STATE).get("rate_limit")
    notices: tuple[tuple[bytes, bytes], ...]
    notices = getattr(scope.get("route"), "deprecation_headers", ())
    return notices if count is None else (*count.headers, *notices)


def _find_route(scope: Scope) -> tuple[BaseRoute | None, dict[str, Any]]:
    """Return the route that will answer, None for a 404 or a 405, and its path parameters.

    It is found as the router will find it, by the same routes in the same order, so the address
    that is checked is the one that answers.
    """
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


def _declared_bytes(headers: Sequence[tuple[bytes, bytes]]) -> int:
    for name, value in headers:
        if name == b"content-length" and value.isdigit():
            return int(value)
    return 0


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
