"""The door every request passes: asks for the key, stops bodies that are too large, measures, catches what breaks."""

from __future__ import annotations

import hmac
import logging
import time
import traceback
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.metrics import Metrics
from service.problems import Broken, Problem, TooLarge, Unauthorized
from service.settings import Settings

OPEN: Final = frozenset({"/", "/healthz", "/readyz", "/docs", "/openapi.json"})
log: Final = logging.getLogger("regulars.door")


class Door:
    """ASGI middleware; outside of everything that is ours."""

    def __init__(self, app: ASGIApp, *, settings: Settings, metrics: Metrics) -> None:
        self._app = app
        self._key = settings.api_key.get_secret_value().encode() if settings.api_key else None
        self._limit_bytes = settings.body_limit_bytes
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 0

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            problem = await self._enter(scope, receive, observed)
            if problem and not status:
                await problem.response()(scope, receive, observed)
        finally:
            route = getattr(scope.get("route"), "path_format", "none")
            self._metrics.latency.labels(route, str(status)).observe(time.perf_counter() - started)

    async def _enter(self, scope: Scope, receive: Receive, send: Send) -> Problem | None:
        """The problem that came up outside of the app's own handlers, if any."""
        headers = Headers(scope=scope)
        if self._key is not None and not is_open(scope["path"]) and not _holds(headers, self._key):
            return Unauthorized()
        if _declared_bytes(headers) > self._limit_bytes:
            return TooLarge(self._limit_bytes)
        try:
            await self._app(scope, _counted(receive, self._limit_bytes), send)
        except Exception as error:  # whatever broke: the caller gets a problem document, the log no id
            self._metrics.errors.inc()
            log.error("unexpected %s at %s", type(error).__name__, frames(error))
            return Broken()
        return None


def is_open(path: str) -> bool:
    return path in OPEN or path.startswith("/docs/")


def frames(error: BaseException) -> str:
    """Where it happened, without the message: that could hold a customer's id."""
    places = traceback.extract_tb(error.__traceback__)[-6:]
    return " < ".join(f"{place.filename.rsplit('/', 1)[-1]}:{place.lineno} {place.name}" for place in reversed(places))


def _holds(headers: Headers, key: bytes) -> bool:
    """Compared in constant time, as bytes; either header will do."""
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    sent = bearer.strip() if scheme.lower() == "bearer" else headers.get("x-api-key", "")
    return hmac.compare_digest(sent.encode("latin-1"), key)


def _declared_bytes(headers: Headers) -> int:
    declared = headers.get("content-length", "0")
    return int(declared) if declared.isdecimal() else 0


def _counted(receive: Receive, limit_bytes: int) -> Receive:
    """Bodies without a declared length are counted as they come."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit_bytes:
            raise TooLarge(limit_bytes)
        return message

    return counted
