"""The entrance to the console, which is read only once somebody asks for it."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

ADDRESSES: Final = (("/console", ["GET"]), ("/console/{name}", ["GET", "POST"]))


class Entrance:
    """An ASGI application that passes requests on to the console."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from service.console.pages import answer  # nobody pays for it before the first call

        await answer(scope, receive, send)


def add_console(app: FastAPI) -> None:
    """Add the console. None of its addresses is public API."""
    for path, methods in ADDRESSES:
        app.router.routes.append(Route(path, Entrance(), methods=methods))
