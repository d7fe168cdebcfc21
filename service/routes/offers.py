"""Offers of the shop to its customers, and their single-use codes."""

from __future__ import annotations

import time
from functools import partial
from typing import Annotated, Any, Final

from fastapi import Body, Path, Query, Request, Response
from sqlalchemy import Connection

from service.errors import PROBLEMS, TOO_LARGE, Conflict, NotFound, problem_schema
from service.routes.registration import Operation, Tag
from service.routes.request_context import actor_of, read_store, write_store
from service.routes.responses import uncached_json
from service.routes.route_classes import BareRoute, QueryRoute
from service.routes.value_warnings import find_value_warnings
from service.schemas.offers import OfferBody, OfferDocument, OffersAnswer, StoredOffer
from service.schemas.pages import Listing, PagingOptions
from service.schemas.parameters import Id
from service.store.offers import (
    OFFERS,
    GivenCodes,
    add_codes,
    count_codes,
    find_foreign,
    remove_free_codes,
)
from service.store.shop_documents import Document
from service.store.writer import Change

OfferId = Annotated[
    Id,
    Path(description="Id of the offer, which you choose. Unique in the shop.", examples=["thanks"]),
]
Described = dict[str, Any]
BY_OFFER_ID: Final[Listing[Described]] = Listing(lambda one: (one["offer"]["id"],), (str,))
MAX_OFFERS: Final = 200
NO_OFFER: Final = "There is no offer of that id."
NO_CODES: Final = GivenCodes(0, 0)


async def get_offers(request: Request, options: Annotated[PagingOptions, Query()]) -> Response:
    """Return the offers of the shop, ordered by id, and how many codes of each are left."""
    page = BY_OFFER_ID.page(await read_store(request, _read_all), options)
    return uncached_json({"offers": page.entries, "next": page.next})


async def get_offer(request: Request, offer_id: OfferId) -> Response:
    """Return one offer of the shop, and how many of its codes are left."""
    for described in await read_store(request, _read_all):
        if described["offer"]["id"] == offer_id:
            return await _answer(request, described)
    raise NotFound(NO_OFFER)


async def put_offer(
    request: Request, offer_id: OfferId, content: Annotated[OfferBody, Body()]
) -> Response:
    """Create an offer, or replace the one with this id. It stands in the very next answer.

    Single-use codes are added to those that it has. None that was given is given again. Values of
    `customers` that nobody has stand under `warnings`.
    """
    work = partial(_put, offer_id, content, int(time.time()), actor_of(request))
    return await _answer(request, await write_store(request, work))


async def delete_offer(request: Request, offer_id: OfferId) -> Response:
    """Delete an offer and return it. Codes that nobody was given are deleted with it."""
    work = partial(_delete, offer_id, int(time.time()), actor_of(request))
    before = await write_store(request, work)
    return uncached_json({"offer": {"id": offer_id, **before}})


async def _answer(request: Request, described: Described) -> Response:
    """Answer with an offer, and with what may be mistaken in it as far as a model tells."""
    warnings = await find_value_warnings(request, described["offer"].get("customers", {}))
    return uncached_json({**described, "warnings": warnings})


def _read_all(connection: Connection) -> list[Described]:
    counts = count_codes(connection)
    documents = OFFERS.read_all(connection).items()
    return [_describe(name, document, counts.get(name, NO_CODES)) for name, document in documents]


def _describe(offer_id: str, document: Document, counts: GivenCodes) -> Described:
    codes = counts._asdict() if document.get("single_use") else None
    return {"offer": {"id": offer_id, **document}, "codes": codes}


def _put(offer_id: str, content: OfferBody, now: int, actor: str, change: Change) -> Described:
    """Raises Conflict and Invalid."""
    names = OFFERS.read_texts(change.connection).keys() | {offer_id}
    if len(names) > MAX_OFFERS:
        raise Conflict(f"A shop may have {MAX_OFFERS} offers at most; delete one that has ended.")
    codes = content.codes or []
    foreign = find_foreign(change.connection, offer_id, codes)
    if foreign:
        raise Conflict(f"{foreign[0]!r} is a code of another offer, or was; give it other codes.")
    document = content.document()
    OFFERS.put(change, offer_id, document, time=now, actor=actor)
    add_codes(change, offer_id, codes)
    return _describe(offer_id, document, count_codes(change.connection).get(offer_id, NO_CODES))


def _delete(offer_id: str, now: int, actor: str, change: Change) -> Document:
    """Raises NotFound."""
    before = OFFERS.put(change, offer_id, None, time=now, actor=actor)
    if before is None:
        raise NotFound(NO_OFFER)
    remove_free_codes(change, offer_id)
    return before


OFFER: Final = "/v1/offers/{offer_id:id}"
NOT_FOUND: Final = {404: problem_schema(NO_OFFER)}
TOO_MANY_OFFERS: Final = {
    409: problem_schema("There are as many offers as there may be, or another one has a code.")
}
OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/offers",
        get_offers,
        summary="List the shop's offers",
        tag=Tag.RULES,
        answer=OffersAnswer,
        route_class=QueryRoute,
    ),
    Operation(
        "GET",
        OFFER,
        get_offer,
        summary="Read an offer",
        tag=Tag.RULES,
        answer=OfferDocument,
        responses=PROBLEMS | NOT_FOUND,
        route_class=BareRoute,
    ),
    Operation(
        "PUT",
        OFFER,
        put_offer,
        summary="Create or replace an offer",
        tag=Tag.RULES,
        answer=OfferDocument,
        responses=PROBLEMS | TOO_LARGE | TOO_MANY_OFFERS,
        route_class=BareRoute,
    ),
    Operation(
        "DELETE",
        OFFER,
        delete_offer,
        summary="Delete an offer",
        tag=Tag.RULES,
        answer=StoredOffer,
        responses=PROBLEMS | NOT_FOUND,
        route_class=BareRoute,
    ),
)
