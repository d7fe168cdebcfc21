"""A visit to a screen: who looks, in which language, and what they ask for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request
from starlette.types import ASGIApp, Receive, Send
from starlette.types import Scope as AsgiScope

from models.artifact.shops import FOLDER, MAIN
from service.console.api import ApiAnswer, address, call_api
from service.console.session import Session
from service.http.authorization import Scope
from service.routes.request_context import get_shop


@dataclass(frozen=True)
class ScreenVisit:
    """A look at a screen, or a form that was sent from one."""

    app: ASGIApp
    shop: str  # its name
    session: Session
    language: str
    query: Mapping[str, str]
    form: Mapping[str, str]

    @property
    def is_admin(self) -> bool:
        return Scope.ADMIN in self.session.caller.scopes

    def asked(self, name: str) -> str:
        """Return an option of the address, empty where it has none."""
        return self.query.get(name, "").strip()

    def sent(self, name: str) -> str:
        """Return a field of the form, empty where it has none."""
        return self.form.get(name, "").strip()

    async def get(self, path: str, **query: Any) -> ApiAnswer:
        return await call_api(self.app, self.session.caller, "GET", path, query)

    async def get_each(self, *calls: tuple[str, Mapping[str, Any]]) -> Sequence[ApiAnswer]:
        """Return the answers to several calls, made at once."""
        return await asyncio.gather(*(self.get(path, **query) for path, query in calls))

    async def find_titles(self, ids: Sequence[str]) -> dict[str, str | None]:
        """Return the titles of products, by id, as far as there are any."""
        answers = await self.get_each(*((address("products", one), {}) for one in ids))
        return {
            one: answer.json["card"]["title"]
            for one, answer in zip(ids, answers, strict=True)
            if answer.ok
        }

    async def send(self, method: str, path: str, body: Any = None) -> ApiAnswer:
        return await call_api(self.app, self.session.caller, method, path, None, body)


@dataclass(frozen=True)
class ScreenContent:
    """What a screen shows."""

    template: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Move:
    """Another screen to go on to."""

    address: str  # relative to the screens


@dataclass(frozen=True)
class Download:
    """A file to keep."""

    name: str
    content: bytes
    media_type: str


def app_of(request: Request) -> ASGIApp:
    """Return the application whose API the screens call, for the shop of a request."""
    app: ASGIApp = request.scope["app"]
    shop = get_shop(request).name
    if shop == MAIN:
        return app
    prefix = f"/{FOLDER}/{shop}"

    async def call(scope: AsgiScope, receive: Receive, send: Send) -> None:
        paths = {"path": prefix + scope["path"], "raw_path": prefix.encode() + scope["raw_path"]}
        await app({**scope, **paths}, receive, send)

    return call
