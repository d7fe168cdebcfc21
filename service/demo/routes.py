"""Pages of the demonstration shop, and tokens for its personae.

They are for whoever may do anything here: while there is no key, this machine alone.
"""

from __future__ import annotations

import time
from functools import cache, partial
from importlib import resources
from typing import Annotated, Final

from fastapi import Body, FastAPI, HTTPException, Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import BaseModel, ConfigDict

from service.demo.personas import PERSONAS, PersonaName, find_visitor
from service.errors import Conflict, NotFound
from service.routes.held_files import HeldFile
from service.routes.request_context import get_responder, read_store
from service.routes.responses import uncached_json
from service.signing.customer_tokens import CustomerToken, sign

FOLDER: Final = "page"
PAGE: Final = "shop.html"
TOKEN_MINUTES: Final = 240  # an afternoon's walk through the shop
MEDIA_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
# Pictures are the shop's own, wherever they stand. Nothing that a text holds can become markup.
PAGE_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' https: http:; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types mail"
    ),
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class SessionBody(BaseModel):
    """A persona to act for."""

    model_config = ConfigDict(extra="forbid")
    persona: PersonaName


async def show_shop(request: Request) -> Response:
    """Return the page; its script shows what the address asks for."""
    page = _render_page(get_responder(request).settings.default_locale, bool(request.url.query))
    answer = page.answer(request)
    answer.headers.update(PAGE_HEADERS)
    return answer


async def show_file(request: Request, name: str) -> Response:
    files = _read_files()
    if name not in files:
        raise HTTPException(404)
    return files[name].answer(request)


async def open_session(request: Request, options: Annotated[SessionBody, Body()]) -> Response:
    """Return a token for the customer or visit that stands for a persona, and who that is."""
    responder = get_responder(request)
    settings, model = responder.settings, responder.model()
    secret = settings.token_secret()
    if secret is None:
        raise Conflict("The demonstration shop needs REGULARS_SIGNING_KEY to be set.")
    visitor = await read_store(request, partial(find_visitor, options.persona, model.recommender))
    if visitor is None:
        raise NotFound("No customer of this shop has bought lately: choose another visitor.")
    expires = int(time.time()) + 60 * TOKEN_MINUTES
    claims = CustomerToken(visitor.customer_id, visitor.session_id, expires)
    return uncached_json(
        {
            "token": sign(secret, claims, settings.token_audience),
            "customer_id": visitor.customer_id,
            "answers": dict(visitor.answers),
        }
    )


@cache
def _read_files() -> dict[str, HeldFile]:
    files = {}
    for entry in (resources.files("service.demo") / FOLDER).iterdir():
        media_type = MEDIA_TYPES.get(f".{entry.name.rpartition('.')[2]}")
        if media_type is not None:
            files[entry.name] = HeldFile.of(entry.read_bytes(), media_type)
    return files


@cache
def _render_page(locale: str, is_inside: bool) -> HeldFile:
    """Return the page in which the script puts what it shows. `is_inside`: it is not the home."""
    environment = Environment(
        loader=PackageLoader("service.demo", FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.get_template(PAGE).render(
        personas=PERSONAS, locale=locale.replace("_", "-"), is_inside=is_inside
    )
    return HeldFile.of(page.encode(), "text/html")


def add_demo(app: FastAPI) -> None:
    """Add the shop. None of its addresses is public API."""
    for method, path, endpoint in (
        ("GET", "/demo", show_shop),
        ("GET", "/demo/{name}", show_file),
        ("POST", "/demo/session", open_session),
    ):
        app.router.add_api_route(path, endpoint, methods=[method], include_in_schema=False)
