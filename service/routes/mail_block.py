"""`GET …/recommendations.html`: a customer's slate as a block of a mail, for systems that can only paste one in."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Annotated, Final

import orjson
from fastapi import FastAPI, Query, Request, Response
from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from service.answering.query import EMAIL
from service.answering.responder import Responder
from service.errors import PROBLEMS
from service.routes.responses import reply
from service.routes.route_classes import CustomerId, QueryRoute
from service.routes.slates import customer_query
from service.schemas.parameters import CustomerOptions, Fields

HTML: Final = "text/html"


def add_mail_routes(app: FastAPI) -> None:
    app.router.add_api_route(
        "/v1/customers/{customer_id:id}/recommendations.html",
        recommendations_block,
        methods=["GET"],
        response_class=Response,
        responses=PROBLEMS
        | {200: {"content": {HTML: {}}, "description": "A block, empty where the slate is"}},
        tags=["mails"],
        route_class_override=QueryRoute,
    )


async def recommendations_block(
    request: Request, customer_id: CustomerId, options: Annotated[CustomerOptions, Query()]
) -> Response:
    """The slate of a customer as HTML: a table with inline styles, at most 600 px wide, no script."""
    responder: Responder = request.app.state.responder
    shown = options.model_copy(
        update={"fields": Fields.CARD, "placement": options.placement or EMAIL}
    )
    served = await responder.respond(
        customer_query(request, customer_id, shown), limited=request.state.limited
    )
    return reply(request, responder, replace(served, body=block(served.body)), HTML)


def block(body: bytes) -> bytes:
    """An answer with cards as a mail shows it. Markup in it is text."""
    return _template().render(recommendations=orjson.loads(body)["recommendations"]).encode()


@cache
def _template() -> Template:
    loader = PackageLoader("service.routes")
    return Environment(
        loader=loader,
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    ).get_template("slate.html")
