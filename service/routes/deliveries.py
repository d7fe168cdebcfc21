"""Calls of shop systems: who sends a body is asked before any of it is parsed."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Final

from fastapi import Request, Response
from fastapi.routing import APIRoute

from service.errors import Forbidden, TooManyCalls, Unauthorized
from service.http.authentication import read_credentials
from service.http.authorization import ADMIN, WRITE
from service.routes.customers import Informant
from service.routes.request_context import get_responder, get_shop
from service.signing.webhooks import WEBHOOKS, is_genuine, is_signed

REDACTED: Final = "customers/redact"
REQUESTED: Final = "customers/data_request"
SHOP_REDACTED: Final = "shop/redact"
PRIVACY_TOPICS: Final = frozenset({REDACTED, REQUESTED, SHOP_REDACTED})


@dataclass(frozen=True)
class WebhookCall:
    """A call of a shop system: who sent what, and under which id."""

    vendor: str
    topic: str
    name: str  # the same when it is sent again
    actor: str
    time: int  # seconds since 1970

    @property
    def report(self) -> Informant:
        """Return who tells of customers, and when."""
        return Informant(self.actor, self.time, None)


class DeliveryRoute(APIRoute):
    """A route that puts the `sender` into the request's state before the body is parsed.

    What comes from nobody who may send it is refused without a look at what it says.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_delivery(request: Request) -> Response:
            request.state.sender = await _identify(request, request.path_params["vendor"])
            return await handle(request)

        return handle_delivery


async def _identify(request: Request, vendor: str) -> str:
    """Return who sends a body, by its signature or its key.

    Raises Unauthorized, Forbidden, TooManyCalls or TooLarge.
    """
    if is_signed(vendor, request.headers):
        secrets = get_responder(request).settings.import_secrets_of(vendor)
        if not is_genuine(vendor, request.headers, await request.body(), secrets):
            raise Unauthorized(
                "The signature is made with none of the secrets in REGULARS_IMPORT_SECRETS."
            )
        return f"webhook of {vendor}"
    authentication = get_shop(request).authentication
    credentials = read_credentials(request.headers.raw)
    caller = await authentication.identify(request.headers, credentials)
    topic = _topic(request, vendor)
    # Who may erase with DELETE may do so here: no topic without a signature is worth more
    caller.check(ADMIN if topic in PRIVACY_TOPICS else WRITE, {})
    if topic == SHOP_REDACTED:
        raise Forbidden(
            "Shopify alone asks for the erasure of a shop, by its signature. Whoever runs the "
            "service erases it by the command 'regulars erase-shop'."
        )
    count = await authentication.count_call(caller)
    if count is not None and count.wait_seconds > 0:
        raise TooManyCalls(count.wait_seconds)
    return caller.key_id or "no key"


async def describe_delivery(request: Request, vendor: str) -> WebhookCall:
    """Return what a vendor has sent, by whom its route has identified."""
    webhook = WEBHOOKS.get(vendor)
    name = request.headers.get(webhook.delivery) if webhook else None
    if not name:
        name = hashlib.blake2b(await request.body(), digest_size=16).hexdigest()
    sender: str = request.state.sender
    return WebhookCall(vendor, _topic(request, vendor), name, sender, int(time.time()))


def _topic(request: Request, vendor: str) -> str:
    """Return what the document is about, "" where it is not told."""
    webhook = WEBHOOKS.get(vendor)
    return request.headers.get(webhook.topic, "") if webhook else ""
