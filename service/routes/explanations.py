"""Explanations: what was behind a customer's slate, and why one product is not in it."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

from fastapi import Query, Request, Response

from service.answering.explanation import explain_slate
from service.answering.query import QueryKind, RecommendationQuery
from service.routes.looks import note_look
from service.routes.registration import Operation, Tag
from service.routes.request_context import get_responder
from service.routes.responses import uncached_json
from service.routes.route_classes import CustomerId, QueryRoute
from service.schemas.explanations import ExplainAnswer, ExplainOptions


async def explain_recommendations(
    request: Request, customer_id: CustomerId, options: Annotated[ExplainOptions, Query()]
) -> Response:
    """Return a customer's slate with everything that was behind it.

    These are the candidates, the sources that proposed them, the features that ranked them, and
    what rules took out. `product_id` asks why one product is shown, or why it is not. That
    somebody looked stands in the audit log.
    """
    await note_look(request, customer_id)
    responder = get_responder(request)
    query = RecommendationQuery(
        QueryKind.CUSTOMER,
        options.locale or responder.settings.default_locale,
        customer_id=customer_id,
        n=options.n,
        strict=options.strict,
        repeat=options.repeat,
        placement=options.placement,
        exclude=options.exclude,
        category=options.category,
        brand=options.brand,
        min_price=options.min_price,
        max_price=options.max_price,
        market=options.market,
        filter=options.filter,
        as_of=options.as_of,
    )
    return uncached_json(
        await asyncio.to_thread(
            explain_slate, responder, query, options.product_id, options.candidates
        )
    )


OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/customers/{customer_id:id}/explain",
        explain_recommendations,
        summary="Explain a customer's slate",
        tag=Tag.CUSTOMERS,
        answer=ExplainAnswer,
        name="explain",
        route_class=QueryRoute,
    ),
)
