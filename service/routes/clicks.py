"""Links in mails: they count a click and lead to the shop, whatever else is down."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from typing import Any, Final

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from models.data.events import HOUR, KINDS, Standing
from service.answering.query import EMAIL
from service.answering.responder import Responder
from service.routes.request_context import get_responder, is_head
from service.signing import recommendation_ids
from service.signing.click_links import Click
from service.store.campaigns import find_customer
from service.store.events import Event, EventLine, happened_after, write
from service.store.writer import Change

CLICK: Final = KINDS.index("click")
HEADERS: Final = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer-when-downgrade"}
LINK_ENDED: Final = (
    "<!doctype html><title>This link has ended</title><p>This link has ended, or it was cut off."
)


def add_click_routes(app: FastAPI) -> None:
    app.add_api_route("/r/{token:id}", follow_link, methods=["GET"], include_in_schema=False)


async def follow_link(request: Request, token: str) -> Response:
    """Redirect to the signed target, or to the shop where the token is invalid or has ended."""
    responder = get_responder(request)
    now = int(time.time())
    click = responder.presentation.links.read(token, now)
    if click is None:
        responder.metrics.clicks.labels("refused").inc()
        return _redirect_to_shop(responder)
    if not is_head(request) and "prefetch" not in request.headers.get("sec-purpose", ""):
        _record(responder, click, token, now)
    return RedirectResponse(responder.presentation.links.target(click), 302, HEADERS)


def _redirect_to_shop(responder: Responder) -> Response:
    shop_url = responder.presentation.links.shop_url
    if not shop_url:
        return HTMLResponse(LINK_ENDED, 404, HEADERS)
    return RedirectResponse(shop_url, 302, HEADERS)


def _record(responder: Responder, click: Click, token: str, now: int) -> None:
    """Record the click after the redirect, unless the same link was followed within an hour.

    A click that the store does not take is counted as lost.
    """
    hour = now // HOUR
    slate = recommendation_ids.read(responder.presentation.links.secret, click.recommendation_id)
    event = Event(
        event_id=_event_id(token, hour),
        kind=CLICK,
        time=now,
        lines=(EventLine(click.product_id),),
        placement=(slate and slate.placement) or EMAIL,
        recommendation_id=click.recommendation_id,
        standing=Standing.CUSTOMER,
    )

    def count(written: Future[Any]) -> None:
        outcome = "lost" if written.exception() else written.result()
        responder.metrics.clicks.labels(outcome).inc()

    work = partial(_write, click.ref, event, _event_id(token, hour - 1))
    responder.store.write(work, awaited=False).add_done_callback(count)


def _event_id(token: str, hour: int) -> str:
    name = f"{hour} {token}".encode()
    return f"click-{hashlib.blake2b(name, digest_size=16).hexdigest()}"


def _write(ref: bytes, event: Event, earlier_id: str, change: Change) -> str:
    """Return what became of a click: recorded, repeated or erased."""
    if happened_after(change.connection, earlier_id, event.time - HOUR):
        return "repeated"
    customer_id = find_customer(change.connection, ref) if ref else None
    written = write(change, [replace(event, customer_id=customer_id)])
    if written.of_erased:
        return "erased"
    return "repeated" if written.repeated else "recorded"
