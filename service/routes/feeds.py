"""`GET /v1/feeds/{name}.json`: one document for everybody, for systems that fetch a web feed now and then."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Annotated, Any, Final

from fastapi import FastAPI, Path, Query, Request, Response
from pydantic import Field, WithJsonSchema

from models.updates.customer import NO_UPDATE
from service.answering.answer_computer import catalogue_for
from service.answering.feed import FEEDS, feed
from service.answering.query import AWAY, QueryKind, RecommendationQuery, StoreKnowledge
from service.answering.responder import SHARED_COUNTERS, Responder
from service.errors import PROBLEMS, NotFound, problem_schema
from service.model.loaded_model import LoadedModel
from service.routes.responses import JSON, kept
from service.schemas.answers import Feed
from service.schemas.parameters import WHOLE, Locale, Name, ParameterModel

MAX_AGE: Final = "public, max-age=300"
UNKNOWN_FEED: Final[dict[int | str, dict[str, Any]]] = {
    404: problem_schema("There is no feed of that name")
}


class FeedOptions(ParameterModel):
    n: Annotated[int, Field(ge=1, le=1000, description="how many products"), WHOLE] = 100
    category: Annotated[Name | None, Field(description="only this category")] = None
    market: Annotated[Name | None, Field(description="only what is sold there")] = None
    locale: Annotated[Locale | None, Field(description="how prices are written")] = None


def add_feed_routes(app: FastAPI) -> None:
    app.add_api_route(
        "/v1/feeds/{name:id}.json",
        shop_feed,
        methods=["GET"],
        response_model=Feed,
        responses=PROBLEMS | UNKNOWN_FEED,
        tags=["mails"],
    )


async def shop_feed(
    request: Request,
    name: Annotated[str, Path(description="which"), WithJsonSchema({"enum": list(FEEDS)})],
    options: Annotated[FeedOptions, Query()],
) -> Response:
    """What is popular, or new in the shop: the same for everyone, 3.3 MB at most. Never a 429, which ends mailings."""
    if name not in FEEDS:
        raise NotFound(f"There is no such feed; there are: {', '.join(FEEDS)}.")
    responder: Responder = request.app.state.responder
    query = RecommendationQuery(
        QueryKind.POPULAR,
        options.locale or responder.settings.default_locale,
        category=options.category,
        market=options.market,
    )
    model = responder.model()
    key = responder.cache_key(model, query, f" feed {name} {options.n}")
    cached = await responder.find_cached(key, SHARED_COUNTERS)
    if cached is not None:
        return kept(request, cached, MAX_AGE)
    make = partial(_make_feed, responder, model, name, options.n, query)
    stamp, body = await asyncio.to_thread(make)
    if stamp is None:  # as far as it is known without the store: nobody should keep it
        return Response(body, headers={"Cache-Control": "no-store"}, media_type=JSON)
    responder.cache_value(key, stamp, body)
    return kept(request, body, MAX_AGE)


def _make_feed(
    responder: Responder, model: LoadedModel, name: str, n: int, query: RecommendationQuery
) -> tuple[int | None, bytes]:
    """Return the position of the store that it was made at, None while it is away; and the feed."""
    stamp, knowledge = None, AWAY
    live = responder.catalogues.as_known(model)
    looked_up = responder.computer.look_up(model, None)
    if looked_up is not None:
        live, records = looked_up
        stamp = records.stamp
        knowledge = StoreKnowledge(NO_UPDATE, records.position.newest)
    live = catalogue_for(query, live)
    return stamp, feed(name, n, live, query, responder.links, knowledge)
