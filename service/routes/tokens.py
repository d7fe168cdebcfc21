"""Customer tokens: what a browser may hold in place of a key."""

from __future__ import annotations

import time
from typing import Annotated, Final

from fastapi import Body, Request, Response

from models.artifact.shops import MAIN
from models.data.timestamps import format_timestamp
from service.errors import PROBLEMS, TOO_LARGE, Conflict, problem_schema
from service.routes.registration import Operation, Tag
from service.routes.request_context import get_shop
from service.routes.responses import uncached_json
from service.schemas.tokens import TokenAnswer, TokenBody
from service.signing.customer_tokens import CustomerToken, sign


async def make_token(request: Request, options: Annotated[TokenBody, Body()]) -> Response:
    """Return a token for the browser of a customer, of a visit, or of both.

    For a while it opens this customer's slates, consent, data and events, and what is
    recommended beside products, and nothing else.
    """
    shop = get_shop(request)
    settings = shop.responder.settings
    secret = settings.token_secret()
    if secret is None:
        raise Conflict(
            "Customer tokens need REGULARS_SIGNING_KEY to be set, "
            "so that nobody else can make them."
        )
    expires = int(time.time()) + 60 * (options.minutes or settings.token_minutes)
    claims = CustomerToken(options.customer_id, options.session_id, expires)
    name = None if shop.name == MAIN else shop.name
    token = sign(secret, claims, settings.token_audience, shop=name)
    return uncached_json({"token": token, "expires": format_timestamp(expires)})


NO_SIGNING_KEY: Final = {409: problem_schema("`REGULARS_SIGNING_KEY` is not set.")}
OPERATIONS: Final = (
    Operation(
        "POST",
        "/v1/tokens",
        make_token,
        summary="Make a customer token for the browser",
        tag=Tag.CUSTOMERS,
        answer=TokenAnswer,
        responses=PROBLEMS | TOO_LARGE | NO_SIGNING_KEY,
    ),
)
