"""Queries from the options that a caller gives."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from service.answering.query import QueryKind, RecommendationQuery
from service.http.authorization import get_caller
from service.routes.request_context import get_responder
from service.schemas.parameters import CustomerOptions, Fields, ListOptions, Options


def customer_query(
    request: Request, customer_id: str, options: CustomerOptions
) -> RecommendationQuery:
    """Return the query for a customer: by address, in a batch, as a block. Raises Forbidden."""
    return caller_query(
        request,
        QueryKind.CUSTOMER,
        options,
        customer_id=customer_id,
        order_id=options.order_id,
        repeat=options.repeat,
    )


def caller_query(
    request: Request,
    kind: QueryKind,
    options: ListOptions,
    order_id: str | None = None,
    **more: Any,
) -> RecommendationQuery:
    """Return the query of the caller, in their own locale or the shop's. Raises Forbidden."""
    caller = get_caller(request)
    if isinstance(options, Options):
        caller.check_campaign(options.campaign)
    owner = caller.order_owner(order_id)
    default_locale = get_responder(request).settings.default_locale
    return build_query(kind, options, default_locale, order_id=order_id, order_owner=owner, **more)


def build_query(
    kind: QueryKind, options: ListOptions, default_locale: str, **more: Any
) -> RecommendationQuery:
    """Return the query that options ask for; `more` are fields of it that not all options have."""
    if isinstance(options, Options):
        more |= {"n": options.n, "strict": options.strict, "campaign": options.campaign}
    return RecommendationQuery(
        kind,
        options.locale or default_locale,
        placement=options.placement,
        exclude=options.exclude,
        category=options.category,
        brand=options.brand,
        min_price=options.min_price,
        max_price=options.max_price,
        market=options.market,
        filter=options.filter,
        as_of=options.as_of,
        deadline_ms=options.deadline_ms,
        with_cards=options.fields is Fields.CARD,
        **more,
    )
