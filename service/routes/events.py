"""`POST /v1/events`: what happened in the shop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from statistics import fmean
from typing import Annotated, Any

import orjson
from fastapi import Body, FastAPI, Query, Request, Response
from pydantic import Field

from models.data.timestamps import format_timestamp
from service.errors import PROBLEMS, TOO_LARGE, field_problems, printable_id
from service.http.authorization import get_caller
from service.routes.route_classes import ProductId
from service.routes.store_calls import durable, looked_up
from service.schemas.answers import Schema
from service.schemas.events import EventsBody, Judged, judge
from service.schemas.parameters import ParameterModel
from service.store.events import Event, Written, ratings_of, write

NOTHING = Written(frozenset(), frozenset())
ERASED = {"field": "customer_id", "problem": "belongs to a customer who asked to be forgotten"}


class RatingsOptions(ParameterModel):
    n: Annotated[int, Field(ge=1, le=1000, description="how many of those with words")] = 100


class EventProblem(Schema):
    field: str
    problem: str


class Rejected(Schema):
    index: int = Field(description="place in the call, from 0")
    event_id: str | None
    errors: list[EventProblem]


class EventsAnswer(Schema):
    """Every event of the call is in one of the three."""

    accepted: int = Field(description="new, and durable now")
    repeated: list[int] = Field(
        description="places of events that were known already; nothing changed"
    )
    rejected: list[Rejected]


class RatingTold(Schema):
    time: datetime
    rating: float = Field(description="1 to 5 stars")
    words: str | None


class RatingsAnswer(Schema):
    """Of the newest rating of each customer, before the login or after; nobody is named."""

    product_id: str
    count: int
    mean: float | None
    ratings: list[RatingTold] = Field(description="those with words, newest first")


def add_event_routes(app: FastAPI) -> None:
    app.add_api_route(
        "/v1/products/{product_id:id}/ratings",
        product_ratings,
        methods=["GET"],
        response_model=RatingsAnswer,
        responses=PROBLEMS,
        tags=["events"],
    )
    app.add_api_route(
        "/v1/events",
        post_events,
        methods=["POST"],
        status_code=202,
        response_model=EventsAnswer,
        responses=PROBLEMS | TOO_LARGE | {202: {"model": EventsAnswer}},
        tags=["events"],
    )


async def post_events(request: Request, options: Annotated[EventsBody, Body()]) -> Response:
    """1 to 1,000 events. 202 once every accepted one is durable; a bad one is named and costs no other."""
    caller = get_caller(request)
    given = [caller.own_event(one) for one in options.events]
    judged = await asyncio.to_thread(judge, given, int(time.time()))  # a thousand take 20 ms
    written = await durable(request, partial(_write, judged.events)) if judged.events else NOTHING
    return Response(
        orjson.dumps(_told(options.events, judged, written)), 202, media_type="application/json"
    )


async def product_ratings(
    request: Request, product_id: ProductId, options: Annotated[RatingsOptions, Query()]
) -> Response:
    """What customers say about a product: how many rated it, the mean, and their words."""
    found = await looked_up(request, partial(ratings_of, product_id=product_id))
    spoken = [
        {"time": format_timestamp(when), "rating": stars, "words": words}
        for when, stars, words in found
        if words
    ]
    mean = round(fmean(stars for _, stars, _ in found), 2) if found else None
    told = {
        "product_id": product_id,
        "count": len(found),
        "mean": mean,
        "ratings": spoken[: options.n],
    }
    return Response(
        orjson.dumps(told), headers={"Cache-Control": "no-store"}, media_type="application/json"
    )


def _write(events: Sequence[Event], change: Any) -> Written:
    return write(change, events)


def _told(given: Sequence[Any], judged: Judged, written: Written) -> Mapping[str, Any]:
    rejected = {place: field_problems(errors) for place, errors in judged.rejected.items()}
    rejected |= {judged.places[place]: [ERASED] for place in written.of_erased}
    return {
        "accepted": len(judged.events) - len(written.repeated) - len(written.of_erased),
        "repeated": sorted(judged.places[place] for place in written.repeated),
        "rejected": [
            {"index": place, "event_id": printable_id(given[place], "event_id"), "errors": errors}
            for place, errors in sorted(rejected.items())
        ],
    }
