"""Pages: up to ten slates in one call, in which nothing is shown twice."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import Body, Request, Response

from service.answering.query import QueryKind, RecommendationQuery
from service.answering.shop_page import PagePart, PageQuery
from service.errors import PROBLEMS, TOO_LARGE
from service.http.authorization import get_caller
from service.routes.registration import Operation, Tag
from service.routes.request_context import get_responder
from service.routes.responses import slate_response
from service.schemas.parameters import Fields
from service.schemas.shop_pages import AnyPart, PageAnswer, PageOptions


async def answer_page(request: Request, options: Annotated[PageOptions, Body()]) -> Response:
    """Return up to ten slates of one page. No product is in two of them.

    Each part is what its own call would answer without what the parts above it show, flagged on its
    own. One deadline holds for the whole: parts that are not ready by then are popular products, or
    empty.
    """
    responder = get_responder(request)
    page = _page_query(request, options, responder.settings.default_locale)
    served = await responder.respond_page(page, limited=request.state.limited)
    return slate_response(request, responder, served)


def _page_query(request: Request, options: PageOptions, default_locale: str) -> PageQuery:
    customer_id, session_id = get_caller(request).own_ids(options.customer_id, options.session_id)
    visitor = RecommendationQuery(
        QueryKind.CUSTOMER,
        options.locale or default_locale,
        exclude=options.exclude,
        market=options.market,
        as_of=options.as_of,
        deadline_ms=options.deadline_ms,
        with_cards=options.fields is Fields.CARD,
        customer_id=customer_id,
        session_id=session_id,
        recent=options.recent,
        basket=options.basket,
        for_customer=customer_id,
    )
    parts = [PagePart(part.name, part_query(visitor, part)) for part in options.parts]
    return PageQuery(tuple(parts), visitor)


def part_query(visitor: RecommendationQuery, part: AnyPart) -> RecommendationQuery:
    """Return the query of a part, which is that of its own call."""
    kind = QueryKind(part.kind)
    values = vars(visitor) | {
        "kind": kind,
        "n": part.n,
        "placement": part.placement,
        "exclude": tuple(sorted({*visitor.exclude, *part.exclude})),
        "category": part.category,
        "brand": part.brand,
        "min_price": part.min_price,
        "max_price": part.max_price,
        "filter": part.filter,
    }
    if not part.is_personal:
        values |= {"customer_id": None, "session_id": None, "recent": ()}
        if kind is not QueryKind.BASKET:
            values["basket"] = ()
    return RecommendationQuery(**(values | part.fields_of_query()))


OPERATIONS: Final = (
    Operation(
        "POST",
        "/v1/pages",
        answer_page,
        summary="Recommend products for all parts of a page",
        tag=Tag.PRODUCTS,
        answer=PageAnswer,
        responses=PROBLEMS | TOO_LARGE,
    ),
)
