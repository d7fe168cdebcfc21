"""Rankings: the order of given products, for category pages and search results."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Body, Request, Response

from service.answering.query import QueryKind
from service.errors import PROBLEMS, TOO_LARGE
from service.http.authorization import get_caller
from service.routes.queries import caller_query
from service.routes.registration import Operation, Tag
from service.routes.request_context import get_responder
from service.routes.responses import slate_response
from service.schemas.rankings import RankingAnswer, RankingOptions, RuleUse


async def rank_products(request: Request, options: Annotated[RankingOptions, Body()]) -> Response:
    """Return 1 to 1,000 given products in the order in which they are worth showing to a customer.

    For whom nothing is known, or who did not consent, they stand in the order of what sells,
    flagged.
    """
    customer_id, session_id = get_caller(request).own_ids(options.customer_id, options.session_id)
    query = caller_query(
        request,
        QueryKind.RANKING,
        options,
        customer_id=customer_id,
        session_id=session_id,
        recent=options.recent,
        basket=options.basket,
        n=len(options.product_ids),
        given=options.product_ids,
        with_rules=options.rules is RuleUse.APPLY,
        out_of_stock=options.out_of_stock,
        explained=options.reasons,
    )
    responder = get_responder(request)
    served = await responder.respond(query, limited=request.state.limited)
    return slate_response(request, responder, served)


OPERATIONS: Final = (
    Operation(
        "POST",
        "/v1/rankings",
        rank_products,
        summary="Put given products in order",
        tag=Tag.PRODUCTS,
        answer=RankingAnswer,
        responses=PROBLEMS | TOO_LARGE,
    ),
)
