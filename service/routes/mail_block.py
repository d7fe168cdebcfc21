"""A customer's slate as a block of HTML, for mail systems that can only paste one in."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Annotated, Final

import orjson
from fastapi import Query, Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from service.answering.query import EMAIL
from service.errors import PROBLEMS, ResponseSchemas
from service.routes.queries import customer_query
from service.routes.registration import Operation, Tag
from service.routes.request_context import get_responder
from service.routes.responses import slate_response
from service.routes.route_classes import CustomerId, QueryRoute
from service.schemas.parameters import CustomerOptions, Fields

HTML: Final = "text/html"
# What the shop wrote is escaped; should that ever fail, a browser still runs none of it.
SAFE_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": (
        "default-src 'none'; img-src *; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    ),
}


async def recommendations_block(
    request: Request, customer_id: CustomerId, options: Annotated[CustomerOptions, Query()]
) -> Response:
    """Return a customer's slate as a table of HTML, to be pasted into a mail.

    It has inline styles, is at most 600 px wide and holds no script. It is empty where the slate
    is empty. Whatever its placement, it is personal only with the consent for mails.
    """
    responder = get_responder(request)
    placement = options.placement or EMAIL
    with_cards = options.model_copy(update={"fields": Fields.CARD, "placement": placement})
    query = replace(customer_query(request, customer_id, with_cards), in_mail=True)
    served = await responder.respond(query, limited=request.state.limited)
    block = replace(served, body=render_block(served.body))
    response = slate_response(request, responder, block, HTML)
    response.headers.update(SAFE_HEADERS)
    return response


def render_block(answer: bytes) -> bytes:
    """Return an answer with cards as HTML. Markup in its texts is escaped."""
    content = orjson.loads(answer)
    recommendations, language = content["recommendations"], content["language"]
    return _template().render(recommendations=recommendations, language=language).encode()


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("service.routes"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("slate.html")


BLOCK: Final[ResponseSchemas] = {
    200: {"content": {HTML: {}}, "description": "A block, empty where the slate is."}
}
OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/customers/{customer_id:id}/recommendations.html",
        recommendations_block,
        summary="Recommend products for a customer as a block of a mail",
        tag=Tag.MAILS,
        responses=PROBLEMS | BLOCK,
        route_class=QueryRoute,
        response_class=Response,
    ),
)
