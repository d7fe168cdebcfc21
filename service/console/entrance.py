"""The entrance to the console, which is read only once somebody asks for it."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from service.errors import NotFound

ADDRESSES: Final = (("/console", ["GET"]), ("/console/{name}", ["GET", "POST"]))


class Entrance:
    """An ASGI application that passes requests on to the console.

    `port`: at which alone it is; None: wherever the service is.
    """

    def __init__(self, port: int | None) -> None:
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._port not in (None, (scope.get("server") or (None, None))[1]):
            raise NotFound("The console has a port of its own.")
        from service.console.pages import answer  # nobody pays for it before the first call

        await answer(scope, receive, send)


def add_console(app: FastAPI, port: int | None) -> None:
    """Add the console. None of its addresses is public API."""
    for path, methods in ADDRESSES:
        app.router.routes.append(Route(path, Entrance(port), methods=methods))
