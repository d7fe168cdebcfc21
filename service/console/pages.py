"""Pages of the console: who may see which screen, and the answers to forms that screens send."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope

from service.console.render import choose_language, render
from service.console.screens import SCREENS, Screen
from service.console.session import COOKIE, Session, Sessions, is_own_form, set_cookie
from service.console.visit import Download, Move, ScreenVisit, app_of
from service.errors import Problem, Unauthorized
from service.routes.held_files import HeldFile
from service.routes.request_context import get_shop

HOME: Final = "overview"
SIGN_IN: Final = "sign-in"
LANGUAGE_COOKIE: Final = "regulars_console_language"
MEDIA_TYPES: Final = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
HEADERS: Final = {
    # Pictures are the shop's own, wherever they stand.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' https: http:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "same-origin",  # with none at all, forms would come from nowhere
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


async def answer(scope: AsgiScope, receive: Receive, send: Send) -> None:
    """Answer a request to the console."""
    request = Request(scope, receive)
    try:
        response = await _respond(request)
    except Problem as problem:
        response = _say(request, problem)
    for header, value in HEADERS.items():
        response.headers.setdefault(header, value)
    await response(scope, receive, send)


async def _respond(request: Request) -> Response:
    name = request.path_params.get("name")
    if name is None:
        return RedirectResponse(f"console/{HOME}", 303)
    if name in read_assets():
        return read_assets()[name].answer(request)
    shop = get_shop(request)
    sessions = Sessions(shop.authentication, shop.responder.settings.signing_secret())
    form = await _read_form(request)
    if name == SIGN_IN:
        return await _sign_in(request, sessions, form)
    session = await sessions.find(request)
    if session is None:
        over = "?over=1" if COOKIE in request.cookies else ""
        return RedirectResponse(f"{SIGN_IN}{over}", 303)
    response = await _show(request, session, name, form)
    if session.is_new:
        set_cookie(request, response, session.cookie)
    return response


async def _show(request: Request, session: Session, name: str, form: Mapping[str, str]) -> Response:
    if request.method == "POST" and not is_own_form(request, session, form.get("token", "")):
        return _page(request, session, None, "refused.html", {}, 403)
    if name == "sign-out":
        response: Response = RedirectResponse(SIGN_IN, 303)
        response.set_cookie(COOKIE, "", max_age=0, path=None, httponly=True, samesite="strict")
        return response
    if name == "language":
        return _set_language(form)
    screen = next((screen for screen in SCREENS if screen.name == name), None)
    if screen is None:
        return _page(request, session, None, "missing.html", {}, 404)
    visit = _visit(request, session, form)
    if not screen.opens_to(visit):
        return _page(request, session, screen, "closed.html", {}, 403)
    if request.method == "POST":
        if screen.act is None:
            return _page(request, session, screen, "missing.html", {}, 404)
        shown = await screen.act(visit)
    else:
        shown = await screen.show(visit)
    if isinstance(shown, Move):
        return RedirectResponse(shown.address, 303)
    if isinstance(shown, Download):
        named = {"Content-Disposition": f'attachment; filename="{shown.name}"'}
        return Response(shown.content, headers=named, media_type=shown.media_type)
    return _page(request, session, screen, shown.template, shown.values)


def _visit(request: Request, session: Session, form: Mapping[str, str]) -> ScreenVisit:
    return ScreenVisit(
        app=app_of(request),
        shop=get_shop(request).name,
        session=session,
        language=_language(request),
        query=dict(request.query_params),
        form=form,
    )


def _page(
    request: Request,
    session: Session,
    screen: Screen | None,
    template: str,
    values: Mapping[str, Any],
    status: int = 200,
) -> Response:
    """Return a screen within its frame."""
    visit = _visit(request, session, {})
    frame = {
        "session": session,
        "is_admin": visit.is_admin,
        "screen": screen,
        "screens": [each for each in SCREENS if each.opens_to(visit) and not each.hidden],
        "asked": request.query_params,
        "address": f"{request.path_params['name']}?{request.url.query}".rstrip("?"),
    }
    return HTMLResponse(render(_language(request), template, {**frame, **values}), status)


async def _sign_in(request: Request, sessions: Sessions, form: Mapping[str, str]) -> Response:
    """Show the form of signing in, or open a session with the key that it names."""
    if request.method == "GET":
        if await sessions.find(request) is not None:
            return RedirectResponse(HOME, 303)
        return _sign_in_page(request, over="over" in request.query_params)
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        return _sign_in_page(request, status=403)
    try:
        session = await sessions.open(request, form.get("key", ""))
    except Unauthorized:
        return _sign_in_page(request, wrong=True, status=401)
    response = RedirectResponse(HOME, 303)
    set_cookie(request, response, session.cookie)
    return response


def _sign_in_page(
    request: Request, *, over: bool = False, wrong: bool = False, status: int = 200
) -> Response:
    values = {"over": over, "wrong": wrong}
    return HTMLResponse(render(_language(request), "sign_in.html", values), status)


def _set_language(form: Mapping[str, str]) -> Response:
    """Keep a language, and go back to where it was chosen."""
    back = form.get("back", "").partition("?")
    is_screen = any(screen.name == back[0] for screen in SCREENS)
    response = RedirectResponse("".join(back) if is_screen else HOME, 303)
    response.set_cookie(
        LANGUAGE_COOKIE, form.get("language", "")[:10], 365 * 86_400, path=None, samesite="strict"
    )
    return response


def _say(request: Request, problem: Problem) -> Response:
    """Return a page that says why there is no other."""
    values = {"title": problem.title, "detail": problem.detail}
    return HTMLResponse(
        render(_language(request), "problem.html", values), problem.status, problem.headers
    )


def _language(request: Request) -> str:
    chosen = request.cookies.get(LANGUAGE_COOKIE)
    return choose_language(chosen, request.headers.get("accept-language", ""))


async def _read_form(request: Request) -> dict[str, str]:
    """Return the fields of a form. Of those with one name it is the last one."""
    if request.method != "POST":
        return {}
    body = (await request.body()).decode("utf-8", "replace")
    return dict(parse_qsl(body, keep_blank_values=True))


@cache
def read_assets() -> dict[str, HeldFile]:
    files = {}
    for entry in (resources.files("service.console") / "assets").iterdir():
        media_type = MEDIA_TYPES.get(f".{entry.name.rpartition('.')[2]}")
        if media_type is not None:
            files[entry.name] = HeldFile.of(entry.read_bytes(), media_type)
    return files
