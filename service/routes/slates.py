"""The addresses under /v1 that answer with products."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Annotated, Any, Final

from fastapi import Body, FastAPI, Query, Request, Response
from fastapi.routing import APIRoute
from starlette.convertors import register_url_convertor

from service.answering.query import QueryKind, RecommendationQuery
from service.answering.responder import Responder
from service.errors import PROBLEMS, TOO_LARGE, problem_schema
from service.http.authorization import get_caller
from service.routes.queries import build_query
from service.routes.responses import reply
from service.routes.route_classes import CustomerId, IdConvertor, OrderId, ProductId, QueryRoute
from service.schemas.answers import AnswerBody, BundleAnswer, SlateAnswer
from service.schemas.parameters import (
    BasketOptions,
    BundleOptions,
    CustomerOptions,
    Options,
    PopularOptions,
    SessionOptions,
)

UNKNOWN_ORDER: Final[dict[int | str, dict[str, Any]]] = {
    404: problem_schema("No order of that id was reported")
}


def add_routes(app: FastAPI) -> None:
    """An id takes all that it can, so what stands at the end of the path decides which address it is."""
    register_url_convertor("id", IdConvertor())
    _add(
        app,
        "GET",
        "/v1/customers/{customer_id:id}/recommendations",
        customer_recommendations,
        SlateAnswer,
    )
    _add(app, "POST", "/v1/recommendations", session_recommendations, SlateAnswer)
    _add(app, "GET", "/v1/products/{product_id:id}/similar", similar_products, SlateAnswer)
    _add(app, "GET", "/v1/popular", popular_products, SlateAnswer)
    _add(app, "GET", "/v1/products/{product_id:id}/bundles", product_bundles, BundleAnswer)
    _add(app, "POST", "/v1/baskets/bundles", basket_bundles, BundleAnswer)
    _add(
        app,
        "GET",
        "/v1/orders/{order_id:id}/follow-up",
        order_follow_up,
        SlateAnswer,
        UNKNOWN_ORDER,
    )


def _add(
    app: FastAPI,
    method: str,
    path: str,
    endpoint: Callable[..., Awaitable[Response]],
    answer: type[AnswerBody],
    more: Mapping[int | str, dict[str, Any]] = MappingProxyType({}),
) -> None:
    problems = {**PROBLEMS, **(TOO_LARGE if method == "POST" else {}), **more}
    add = partial(
        app.router.add_api_route, route_class_override=QueryRoute if method == "GET" else APIRoute
    )
    add(
        path,
        endpoint,
        methods=[method],
        response_model=answer,
        responses=problems,
        tags=["products"],
    )


async def customer_recommendations(
    request: Request, customer_id: CustomerId, options: Annotated[CustomerOptions, Query()]
) -> Response:
    """A slate for one customer. 200 for every well-formed id: who is not known gets what is popular, flagged."""
    return await _answer(request, customer_query(request, customer_id, options))


def customer_query(
    request: Request, customer_id: str, options: CustomerOptions
) -> RecommendationQuery:
    """Return the query for a customer: by address, in a batch, as a block. Raises Forbidden."""
    get_caller(request).check_campaign(options.campaign)
    return _query(
        request,
        QueryKind.CUSTOMER,
        options,
        customer_id=customer_id,
        order_id=options.order_id,
        repeat=options.repeat,
    )


async def session_recommendations(
    request: Request, options: Annotated[SessionOptions, Body()]
) -> Response:
    """A slate for a visit: from what was looked at and put into the basket, with or without a known customer."""
    get_caller(request).check_campaign(options.campaign)
    customer_id, session_id = get_caller(request).own_ids(options.customer_id, options.session_id)
    query = _query(
        request,
        QueryKind.CUSTOMER,
        options,
        customer_id=customer_id,
        session_id=session_id,
        order_id=options.order_id,
        recent=options.recent,
        basket=options.basket,
        repeat=options.repeat,
    )
    return await _answer(request, query)


async def similar_products(
    request: Request, product_id: ProductId, options: Annotated[Options, Query()]
) -> Response:
    """Products like this one. An unknown product gets what is popular, flagged."""
    query = _query(request, QueryKind.SIMILAR, options, product_id=product_id)
    return await _answer(request, query)


async def popular_products(
    request: Request, options: Annotated[PopularOptions, Query()]
) -> Response:
    """What is popular now; by category, market and window."""
    query = _query(request, QueryKind.POPULAR, options, window_days=options.window_days)
    return await _answer(request, query)


async def product_bundles(
    request: Request, product_id: ProductId, options: Annotated[BundleOptions, Query()]
) -> Response:
    """Units of this product and what is bought together with it."""
    query = _query(request, QueryKind.BUNDLES, options, product_id=product_id, size=options.size)
    return await _answer(request, query)


async def basket_bundles(request: Request, options: Annotated[BasketOptions, Body()]) -> Response:
    """What completes this basket, one product a unit."""
    query = _query(request, QueryKind.BASKET, options, basket=options.basket)
    return await _answer(request, query)


async def order_follow_up(
    request: Request, order_id: OrderId, options: Annotated[Options, Query()]
) -> Response:
    """What goes with an order that was reported: nothing of it, nothing that is not needed twice."""
    query = _query(request, QueryKind.ORDER, options, order_id=order_id)
    return await _answer(request, query)


def _query(request: Request, kind: QueryKind, options: Options, **more: Any) -> RecommendationQuery:
    responder: Responder = request.app.state.responder
    return build_query(kind, options, responder.settings.default_locale, **more)


async def _answer(request: Request, query: RecommendationQuery) -> Response:
    responder: Responder = request.app.state.responder
    return reply(request, responder, await responder.respond(query, limited=request.state.limited))
