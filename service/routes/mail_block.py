"""A customer's slate as a block of HTML, for mail systems that can only paste one in."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial
from typing import Annotated, Final

import orjson
from fastapi import Body, Query, Request, Response

from service.answering.query import EMAIL
from service.answering.render import make_tag
from service.answering.responder import Responder, ServedAnswer
from service.errors import PROBLEMS, TOO_LARGE, ResponseSchemas, StoreUnavailable, problem_schema
from service.routes.block_rendering import find_template, render_mail_part
from service.routes.blocks import NO_BLOCK, read_block
from service.routes.looks import note_look
from service.routes.queries import customer_query
from service.routes.registration import Operation, Tag
from service.routes.request_context import get_responder
from service.routes.responses import NO_STORE, slate_response
from service.routes.route_classes import CustomerId, QueryRoute
from service.schemas.blocks import BlockBody, BlockOptions, BlockPreview, MailPart
from service.schemas.parameters import Fields

HTML: Final = "text/html"
TEXT: Final = "text/plain"
MEDIA_TYPES: Final = {
    MailPart.HTML: f"{HTML}; charset=utf-8",
    MailPart.TEXT: f"{TEXT}; charset=utf-8",
    MailPart.AMP: f"{HTML}; charset=utf-8",
}
# What the shop wrote is escaped; should that ever fail, a browser still runs none of it.
SAFE_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; img-src *; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    ),
}


async def recommendations_block(
    request: Request, customer_id: CustomerId, options: Annotated[BlockOptions, Query()]
) -> Response:
    """Return a customer's slate as a table of HTML, to be pasted into a mail.

    It has inline styles and holds no script. Without a block of the shop it is at most 600 px wide
    and has no colours. It is empty where the slate is empty. Whatever its placement, it is personal
    only with the consent for mails.
    """
    look = await _find_look(request, options.block)
    served, body = await _render(request, customer_id, options, look)
    block = replace(served, body=body, tag=make_tag(body))
    responder, media_type = get_responder(request), MEDIA_TYPES[options.part]
    response = slate_response(request, responder, block, media_type)
    response.headers.update(SAFE_HEADERS)
    return response


async def preview_block(request: Request, options: Annotated[BlockPreview, Body()]) -> Response:
    """Return a customer's slate as it would look in a block, before the block is made.

    With `campaign` it is the mail that the campaign would send now: pinned as the campaign is,
    without what earlier ones showed, and as it was recorded where it was sent. It counts as shown
    to nobody: no campaign is opened, no mail is recorded, no code of an offer is given. It stands
    in the audit log as a look at the customer.
    """
    await note_look(request, options.customer_id)
    same = options.model_dump(include={"n", "locale", "part", "campaign"})
    asked = BlockOptions.model_validate({**same, "block": "preview"})
    _, body = await _render(request, options.customer_id, asked, options.look, rehearsed=True)
    media_type = MEDIA_TYPES[options.part]
    return Response(body, headers=SAFE_HEADERS | NO_STORE, media_type=media_type)


async def _render(
    request: Request,
    customer_id: str,
    options: BlockOptions,
    look: BlockBody | None,
    *,
    rehearsed: bool = False,
) -> tuple[ServedAnswer, bytes]:
    """Return the slate, and how a part of a mail shows it."""
    responder = get_responder(request)
    placement = options.placement or EMAIL
    with_cards = options.model_copy(update={"fields": Fields.CARD, "placement": placement})
    query = customer_query(request, customer_id, with_cards)
    query = replace(query, in_mail=True, rehearsed=rehearsed)
    served = await responder.respond(query, limited=request.state.limited)
    if look is None and options.part is MailPart.HTML:
        return served, render_block(served.body)
    body = await asyncio.to_thread(
        render_mail_part,
        options.part,
        options.block or "plain",
        look or BlockBody(),
        orjson.loads(served.body),
        query.locale,
        partial(_find_former_price, responder),
    )
    return served, body


async def _find_look(request: Request, name: str | None) -> BlockBody | None:
    """Return the block that is asked for; None for none, or while the store is away.

    A mail goes out in any case. Raises NotFound.
    """
    if name is None:
        return None
    try:
        return await read_block(request, name)
    except StoreUnavailable:
        return None


def _find_former_price(responder: Responder, product_id: str, price: float | None) -> float | None:
    model = responder.active.current
    if model is None:
        return None
    return responder.catalogues.as_known(model).find_former_price(product_id, price)


def render_block(answer: bytes) -> bytes:
    """Return an answer with cards as HTML. Markup in its texts is escaped."""
    content = orjson.loads(answer)
    shown = {name: content[name] for name in ("recommendations", "language", "offer")}
    return find_template("slate.html").render(shown).encode()


BLOCK: Final[ResponseSchemas] = {
    200: {
        "content": {HTML: {}, TEXT: {"schema": {"type": "string"}}},
        "description": "A block, empty where the slate is.",
    }
}
OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/customers/{customer_id:id}/recommendations.html",
        recommendations_block,
        summary="Recommend products for a customer as a block of a mail",
        tag=Tag.MAILS,
        responses=PROBLEMS | BLOCK | {404: problem_schema(NO_BLOCK)},
        route_class=QueryRoute,
        response_class=Response,
    ),
    Operation(
        "POST",
        "/v1/blocks/preview",
        preview_block,
        summary="Preview a block of mails on a customer's slate",
        tag=Tag.MAILS,
        responses=PROBLEMS | TOO_LARGE | BLOCK,
        response_class=Response,
    ),
)
