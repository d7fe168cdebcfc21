"""Feeds: one document for everyone, for systems that fetch a web feed now and then."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final, NamedTuple

from fastapi import Path, Query, Request, Response
from pydantic import WithJsonSchema

from service.answering.answer_computer import catalogue_for
from service.answering.feed import FEEDS, build_feed
from service.answering.query import AS_LEARNED, AWAY, QueryKind, RecommendationQuery
from service.answering.render import make_tag
from service.answering.responder import SHARED_COUNTERS, Responder
from service.errors import PROBLEMS, NotFound, problem_schema
from service.model.loaded_model import LoadedModel
from service.routes.registration import Operation, Tag
from service.routes.request_context import get_responder
from service.routes.responses import JSON, NO_STORE, cacheable_response
from service.routes.route_classes import QueryRoute
from service.schemas.answers import Feed
from service.schemas.parameters import FeedOptions

MAX_AGE: Final = "public, max-age=300"
FeedName = Annotated[
    str,
    Path(description="Name of the feed."),
    WithJsonSchema({"enum": list(FEEDS), "examples": ["popular"]}),
]


class ComputedFeed(NamedTuple):
    """A feed, and the position of the store it was computed at, None where the store is away."""

    stamp: int | None
    body: bytes


async def shop_feed(
    request: Request, name: FeedName, options: Annotated[FeedOptions, Query()]
) -> Response:
    """Return the popular or the new products of the shop, equal for everyone.

    A feed is at most 3.3 MB. It is never refused for too many calls, since that would end a
    mailing.
    """
    if name not in FEEDS:
        raise NotFound(f"There is no such feed; there are: {', '.join(FEEDS)}.")
    responder = get_responder(request)
    query = RecommendationQuery(
        QueryKind.POPULAR,
        options.locale or responder.settings.default_locale,
        category=options.category,
        market=options.market,
        filter=options.filter,
    )
    model = responder.model()
    key = responder.cache_key(model, query, f" feed {name} {options.n}")
    cached = await responder.find_cached(key, SHARED_COUNTERS)
    if cached is not None:
        return cacheable_response(request, cached, make_tag(cached), MAX_AGE)
    computed = await asyncio.to_thread(_compute, responder, model, query, name, options.n)
    if computed.stamp is None:  # as far as is known without the store: nobody should keep it
        return Response(computed.body, headers=NO_STORE, media_type=JSON)
    responder.cache_value(key, computed.stamp, computed.body)
    return cacheable_response(request, computed.body, make_tag(computed.body), MAX_AGE)


def _compute(
    responder: Responder, model: LoadedModel, query: RecommendationQuery, name: str, n: int
) -> ComputedFeed:
    stamp, knowledge = None, AWAY
    live = responder.catalogues.as_known(model)
    looked_up = responder.computer.look_up(model, None)
    if looked_up is not None:
        live, records = looked_up
        stamp = records.stamp
        knowledge = AS_LEARNED
    live = catalogue_for(query, live)
    return ComputedFeed(stamp, build_feed(name, n, live, query, responder.presentation, knowledge))


UNKNOWN_FEED: Final = {404: problem_schema("There is no feed of that name.")}
OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/feeds/{name:id}.json",
        shop_feed,
        summary="Fetch a feed of popular or new products",
        tag=Tag.MAILS,
        answer=Feed,
        route_class=QueryRoute,
        responses=PROBLEMS | UNKNOWN_FEED,
    ),
)
