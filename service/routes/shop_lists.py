"""Lists of their own: what is new, cheaper, back or best rated, and what a customer looked at."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

from fastapi import Path, Query, Request, Response
from pydantic import WithJsonSchema

from models.shop_lists import LISTS, ShopList
from service.answering.query import QueryKind, RecommendationQuery
from service.errors import PROBLEMS, NotFound, problem_schema
from service.http.authorization import get_caller
from service.routes.queries import caller_query
from service.routes.registration import Operation, Tag
from service.routes.request_context import get_responder
from service.routes.responses import answer_query
from service.routes.route_classes import CustomerId, QueryRoute, SlateRoute
from service.schemas.shop_lists import ListAnswer, NamedListOptions, ShopListOptions

ListName = Annotated[
    str,
    Path(description="Name of the list."),
    WithJsonSchema({"enum": list(LISTS), "examples": ["price-dropped"]}),
]


async def shop_list(
    request: Request, name: ListName, options: Annotated[NamedListOptions, Query()]
) -> Response:
    """Return products that are new, cheaper, back in stock or best rated.

    It is the same for everyone, unless it names a customer. Nothing else fills the list up. It may
    be empty.
    """
    if name not in list(LISTS):
        raise NotFound(f"There is no such list; there are: {', '.join(LISTS)}.")
    listed = ShopList(name)
    customer_id = await _find_customer(request, listed, options.customer_id)
    query = caller_query(
        request, QueryKind.LIST, options, n=options.n, shop_list=listed, for_customer=customer_id
    )
    return await answer_query(request, query)


async def _find_customer(request: Request, listed: ShopList, named: str | None) -> str | None:
    """Return the customer of a list: the one of the call, or of a token whom a rule may be for.

    Without such a rule all tokens share one answer. Raises Forbidden.
    """
    customer_id, _ = get_caller(request).own_ids(named, None)
    if named is not None or customer_id is None or listed is not ShopList.NEW:
        return named
    responder = get_responder(request)
    live = await asyncio.to_thread(responder.computer.find_live, responder.active.current)
    return str(customer_id) if live is not None and live.opens_early else None


def recently_viewed(
    request: Request, customer_id: CustomerId, options: Annotated[ShopListOptions, Query()]
) -> RecommendationQuery:
    """Return what a customer looked at in the last 30 days, newest first.

    It is empty, flagged, without their consent to be personalised.
    """
    return caller_query(
        request,
        QueryKind.LIST,
        options,
        n=options.n,
        shop_list=ShopList.RECENTLY_VIEWED,
        customer_id=customer_id,
    )


UNKNOWN_LIST: Final = {404: problem_schema("There is no list of that name.")}
OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/lists/{name:id}",
        shop_list,
        summary="Read a list of new, cheaper, returned or best rated products",
        tag=Tag.PRODUCTS,
        answer=ListAnswer,
        responses=PROBLEMS | UNKNOWN_LIST,
        route_class=QueryRoute,
    ),
    Operation(
        "GET",
        "/v1/customers/{customer_id:id}/recently-viewed",
        recently_viewed,
        summary="Read what a customer looked at lately",
        tag=Tag.PRODUCTS,
        answer=ListAnswer,
        route_class=SlateRoute,
    ),
)
