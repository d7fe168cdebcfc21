"""Calls that recommend products for a customer, a visit, a product, a basket or an order."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Body, Query, Request, Response

from service.answering.query import QueryKind, RecommendationQuery
from service.errors import PROBLEMS, TOO_LARGE, problem_schema
from service.http.authorization import get_caller
from service.routes.queries import caller_query, customer_query
from service.routes.registration import Operation, Tag
from service.routes.responses import answer_query
from service.routes.route_classes import CustomerId, OrderId, ProductId, SlateRoute
from service.schemas.answers import BundleAnswer, SlateAnswer
from service.schemas.parameters import (
    BasketOptions,
    BundleOptions,
    CustomerOptions,
    Options,
    PopularOptions,
    SessionOptions,
)


def customer_recommendations(
    request: Request, customer_id: CustomerId, options: Annotated[CustomerOptions, Query()]
) -> RecommendationQuery:
    """Return a slate for one customer, best product first.

    Every well-formed id gets a 200. A customer who is not known gets popular products, flagged by
    `fallback` and `fallback_reason`.
    """
    return customer_query(request, customer_id, options)


async def session_recommendations(
    request: Request, options: Annotated[SessionOptions, Body()]
) -> Response:
    """Return a slate for a visit, from what was looked at and what is in the basket.

    It works with or without a known customer.
    """
    caller = get_caller(request)
    customer_id, session_id = caller.own_ids(options.customer_id, options.session_id)
    query = caller_query(
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
    return await answer_query(request, query)


def similar_products(
    request: Request, product_id: ProductId, options: Annotated[Options, Query()]
) -> RecommendationQuery:
    """Return products that are bought by the same customers as this one.

    They are filled up with popular products of its category. An unknown product gets popular
    products, flagged.
    """
    return caller_query(request, QueryKind.SIMILAR, options, product_id=product_id)


def popular_products(
    request: Request, options: Annotated[PopularOptions, Query()]
) -> RecommendationQuery:
    """Return the best sellers of the last days, those of the market first."""
    return caller_query(request, QueryKind.POPULAR, options, window_days=options.window_days)


def product_bundles(
    request: Request, product_id: ProductId, options: Annotated[BundleOptions, Query()]
) -> RecommendationQuery:
    """Return bundles of this product with products that are bought together with it."""
    return caller_query(
        request, QueryKind.BUNDLES, options, product_id=product_id, size=options.size
    )


async def basket_bundles(request: Request, options: Annotated[BasketOptions, Body()]) -> Response:
    """Return products that complete this basket, one in each bundle."""
    customer_id, _ = get_caller(request).own_ids(options.customer_id, None)
    query = caller_query(
        request, QueryKind.BASKET, options, basket=options.basket, for_customer=customer_id
    )
    return await answer_query(request, query)


def order_follow_up(
    request: Request, order_id: OrderId, options: Annotated[Options, Query()]
) -> RecommendationQuery:
    """Return products that go with an order that was reported.

    None of its own products is among them, and none of a category that nobody needs twice.
    """
    return caller_query(request, QueryKind.ORDER, options, order_id=order_id)


UNKNOWN_ORDER: Final = {404: problem_schema("No order of that id was reported.")}
OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/customers/{customer_id:id}/recommendations",
        customer_recommendations,
        summary="Recommend products for a customer",
        tag=Tag.PRODUCTS,
        answer=SlateAnswer,
        route_class=SlateRoute,
    ),
    Operation(
        "POST",
        "/v1/recommendations",
        session_recommendations,
        summary="Recommend products for a visit",
        tag=Tag.PRODUCTS,
        answer=SlateAnswer,
        responses=PROBLEMS | TOO_LARGE,
    ),
    Operation(
        "GET",
        "/v1/products/{product_id:id}/similar",
        similar_products,
        summary="Recommend products similar to a product",
        tag=Tag.PRODUCTS,
        answer=SlateAnswer,
        route_class=SlateRoute,
    ),
    Operation(
        "GET",
        "/v1/popular",
        popular_products,
        summary="Recommend popular products",
        tag=Tag.PRODUCTS,
        answer=SlateAnswer,
        route_class=SlateRoute,
    ),
    Operation(
        "GET",
        "/v1/products/{product_id:id}/bundles",
        product_bundles,
        summary="Recommend bundles around a product",
        tag=Tag.PRODUCTS,
        answer=BundleAnswer,
        route_class=SlateRoute,
    ),
    Operation(
        "POST",
        "/v1/baskets/bundles",
        basket_bundles,
        summary="Recommend products that complete a basket",
        tag=Tag.PRODUCTS,
        answer=BundleAnswer,
        responses=PROBLEMS | TOO_LARGE,
    ),
    Operation(
        "GET",
        "/v1/orders/{order_id:id}/follow-up",
        order_follow_up,
        summary="Recommend products that go with an order",
        tag=Tag.PRODUCTS,
        answer=SlateAnswer,
        responses=PROBLEMS | UNKNOWN_ORDER,
        route_class=SlateRoute,
    ),
)
