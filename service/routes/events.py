"""Events: what happened in the shop, and what customers say about its products."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial
from statistics import fmean
from typing import Annotated, Any, Final

import orjson
from fastapi import Body, Query, Request, Response

from models.data.timestamps import format_timestamp
from service.answering.responder import Responder
from service.errors import PROBLEMS, TOO_LARGE, QuotaExceeded, describe_rejected
from service.http.authorization import get_caller
from service.routes.looks import note_look
from service.routes.registration import Operation, Tag
from service.routes.request_context import get_responder, read_store, write_store
from service.routes.responses import JSON, uncached_json
from service.routes.route_classes import ProductId, QueryRoute
from service.schemas.events import (
    EventOptions,
    EventsAnswer,
    EventsBody,
    NewestEvents,
    RatingsAnswer,
    ValidatedEvents,
    describe_event,
    validate_events,
)
from service.schemas.pages import Listing, PagingOptions
from service.signing import recommendation_ids
from service.store.events import (
    NumberedEvent,
    Rating,
    Written,
    list_newest,
    read_ratings,
    write,
)

BY_NUMBER: Final[Listing[NumberedEvent]] = Listing(
    lambda found: (found.number,), (int,), newest_first=True
)
NOTHING_WRITTEN: Final = Written(frozenset(), frozenset())
BY_TIME: Final[Listing[Rating]] = Listing(
    lambda rating: (rating.time, rating.number), (int, int), newest_first=True
)
ERASED: Final = {
    "field": "customer_id",
    "problem": "belongs to a customer who asked to be forgotten",
}


async def post_events(request: Request, options: Annotated[EventsBody, Body()]) -> Response:
    """Store 1 to 1,000 events. They show in the very next answer.

    The answer is a 202 once every accepted event is durable. An event that is invalid is listed
    under `rejected`, and does not affect the others: so is one whose `recommendation_id` was not
    signed by this service.
    """
    caller = get_caller(request)
    bodies = [caller.own_event(body) for body in options.events]
    # In a thread: a thousand take 20 ms.
    now = int(time.time())
    secret = get_responder(request).presentation.links.secret
    is_signed = partial(recommendation_ids.is_signed, secret)
    validated = await asyncio.to_thread(validate_events, bodies, now, is_signed)
    written = NOTHING_WRITTEN
    if validated.events:
        reported = [caller.attest(event, now) for event in validated.events]
        quota = caller.quota(get_responder(request).settings, now)
        written = await write_store(request, partial(write, reported=reported, quota=quota))
        if quota is not None and written.over_quota:
            raise QuotaExceeded(quota.max_lines, quota.max_bytes, quota.wait_seconds)
    answer = _summarize(options.events, validated, written)
    return Response(orjson.dumps(answer), 202, media_type=JSON)


def _summarize(
    bodies: Sequence[Any], validated: ValidatedEvents, written: Written
) -> dict[str, Any]:
    indices = validated.indices
    problems = validated.rejected | {indices[number]: [ERASED] for number in written.of_erased}
    return {
        "accepted": len(indices) - len(written.repeated) - len(written.of_erased),
        "repeated": sorted(indices[number] for number in written.repeated),
        "rejected": describe_rejected(bodies, problems, "event_id"),
    }


async def get_events(request: Request, options: Annotated[EventOptions, Query()]) -> Response:
    """Return the events that were reported last, newest first.

    They are all in the store that training reads. That somebody looked stands in the audit log.
    """
    await note_look(request, options.customer_id)
    place = BY_NUMBER.read_place(options)
    below = place[0] if place else None
    read = partial(list_newest, choice=options.choice(), limit=options.limit + 1, below=below)
    page = BY_NUMBER.cut(await read_store(request, read), options)
    find_title = partial(_find_title, get_responder(request))
    events = [describe_event(found, find_title) for found in page.entries]
    return uncached_json({"events": events, "next": page.next})


def _find_title(responder: Responder, product_id: str) -> str | None:
    model = responder.active.current
    if model is None:
        return None
    catalogue = responder.catalogues.as_known(model).model.recommender.catalogue
    item = catalogue.ids.find(product_id)
    return catalogue.title[item] or None if item >= 0 else None


async def product_ratings(
    request: Request, product_id: ProductId, options: Annotated[PagingOptions, Query()]
) -> Response:
    """Return how many customers rated a product, the mean, and what they wrote."""
    ratings = await read_store(request, partial(read_ratings, product_id=product_id))
    page = BY_TIME.page([rating for rating in ratings if rating.words], options)
    with_words = [
        {"time": format_timestamp(rating.time), "rating": rating.stars, "words": rating.words}
        for rating in page.entries
    ]
    mean = round(fmean(rating.stars for rating in ratings), 2) if ratings else None
    return uncached_json(
        {
            "product_id": product_id,
            "count": len(ratings),
            "mean": mean,
            "ratings": with_words,
            "next": page.next,
        }
    )


OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/events",
        get_events,
        summary="List the newest events",
        tag=Tag.EVENTS,
        answer=NewestEvents,
        route_class=QueryRoute,
    ),
    Operation(
        "GET",
        "/v1/products/{product_id:id}/ratings",
        product_ratings,
        summary="Read the ratings of a product",
        tag=Tag.EVENTS,
        answer=RatingsAnswer,
        route_class=QueryRoute,
    ),
    Operation(
        "POST",
        "/v1/events",
        post_events,
        summary="Report events",
        tag=Tag.EVENTS,
        answer=EventsAnswer,
        status=202,
        responses=PROBLEMS | TOO_LARGE,
    ),
)
