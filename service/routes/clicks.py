"""`GET /r/{token}`: where a link in a mail leads. Whatever else is down, whoever clicked gets to the shop at once."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from models.data.events import HOUR, KINDS
from service.answering.query import EMAIL
from service.answering.responder import Responder
from service.signing import recommendation_ids
from service.signing.click_links import Click
from service.store.campaigns import customer_of
from service.store.events import Event, EventLine, write
from service.store.writer import Change

CLICK: Final = KINDS.index("click")
HEADERS: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer-when-downgrade"}
ENDED: Final = (
    "<!doctype html><title>This link has ended</title><p>This link has ended, or it was cut off."
)


def add_click_routes(app: FastAPI) -> None:
    app.add_api_route("/r/{token:id}", follow, methods=["GET", "HEAD"], include_in_schema=False)


async def follow(request: Request, token: str) -> Response:
    """To what was signed here and has not ended; with any other token to the shop's own page, or nowhere."""
    responder: Responder = request.app.state.responder
    now = int(time.time())
    click = responder.links.read(token, now)
    if click is None:
        responder.metrics.clicks.labels("refused").inc()
        fallback = responder.links.shop_url
        return (
            RedirectResponse(fallback, 302, HEADERS)
            if fallback
            else HTMLResponse(ENDED, 404, HEADERS)
        )
    # The same link counts once an hour.
    if request.method == "GET" and "prefetch" not in request.headers.get("sec-purpose", ""):
        _record(responder, click, f"{now // HOUR} {token}", now)
    return RedirectResponse(responder.links.target(click), 302, HEADERS)


def _record(responder: Responder, click: Click, name: str, now: int) -> None:
    """Behind the redirect: nobody waits for the store, and a click that it does not take is counted as lost."""
    slate = recommendation_ids.read(responder.links.secret, click.recommendation_id)
    event = Event(
        event_id=f"click-{hashlib.blake2b(name.encode(), digest_size=16).hexdigest()}",
        kind=CLICK,
        time=now,
        lines=(EventLine(click.product_id),),
        placement=(slate and slate.placement) or EMAIL,
        recommendation_id=click.recommendation_id,
    )

    def told(done: Future[Any]) -> None:
        responder.metrics.clicks.labels("lost" if done.exception() else "recorded").inc()

    responder.store.write(partial(_write, click.ref, event), awaited=False).add_done_callback(told)


def _write(ref: bytes, event: Event, change: Change) -> None:
    customer_id = customer_of(change.connection, ref) if ref else None
    write(change, [replace(event, customer_id=customer_id)])
