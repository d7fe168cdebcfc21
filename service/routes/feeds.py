"""`GET /v1/feeds/{name}.json`: one document for everybody, for systems that fetch a web feed now and then."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Any, Final

from fastapi import FastAPI, Path, Query, Request, Response
from pydantic import Field, WithJsonSchema

from models.updates.customer import NO_UPDATE
from service.answering.feed import FEEDS, feed
from service.answering.query import AWAY, QueryKind, RecommendationQuery, StoreKnowledge
from service.answering.responder import EVERYONE, STAMP, Responder
from service.errors import PROBLEMS, NotFound, problem_schema
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
    about = (
        f"{model.version} {responder.live.edition(model, int(time.time()))} feed {name} {options.n}"
    )
    key = query.key(about, responder.links.secret + responder.store.identity)
    newest = responder.store.revisions.newest(EVERYONE)
    packed = await responder.cache.get(key)
    if packed is None or int.from_bytes(packed[:STAMP], "little") < newest:
        stamp, body = await asyncio.to_thread(_made, responder, name, options.n, query)
        if stamp is None:  # as far as it is known without the store: nobody should keep it
            return Response(body, headers={"Cache-Control": "no-store"}, media_type=JSON)
        packed = stamp.to_bytes(STAMP, "little") + body
        responder.cache.put(key, packed)
    return kept(request, packed[STAMP:], MAX_AGE)


def _made(
    responder: Responder, name: str, n: int, query: RecommendationQuery
) -> tuple[int | None, bytes]:
    """In a thread: the feed and the position of the store that it was made at, None where the store is away."""
    found = responder.known(None)
    shop, stamp, known = responder.live.as_known(responder.model()), None, AWAY
    if found is not None:
        shop, visitor = found
        stamp, known = visitor.stamp, StoreKnowledge(NO_UPDATE, visitor.position.newest)
    return stamp, feed(name, n, shop.today(int(time.time())), query, responder.links, known)
