"""What the mails of a campaign showed, as their records say."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any, Final

import orjson
from fastapi import Query, Request, Response
from sqlalchemy import Connection

from models.data.customers import PERSONALIZE_EMAIL
from models.data.timestamps import format_timestamp
from service.answering.responder import Responder
from service.errors import PROBLEMS, Invalid, StoreUnavailable, problem_schema
from service.model.live_catalogue import LiveCatalogue
from service.model.loaded_model import LoadedModel
from service.routes.campaigns import CAMPAIGN, CampaignId, find_campaign
from service.routes.looks import note_look
from service.routes.registration import Operation, Tag
from service.routes.request_context import get_responder, read_store
from service.routes.responses import uncached_json
from service.schemas.campaign_mails import CampaignMailsAnswer
from service.schemas.pages import NO_CURSOR, Listing, PagingOptions
from service.store import campaigns
from service.store.campaigns import MailRecord

BY_TIME: Final[Listing[MailRecord]] = Listing(
    lambda record: (record.time, record.ref.hex()), (int, str), newest_first=True
)


async def get_campaign_mails(
    request: Request, campaign_id: CampaignId, options: Annotated[PagingOptions, Query()]
) -> Response:
    """Return what the mails of a campaign showed since it was last opened, newest first.

    Customers who refuse personal mails by now are left out, so a page may hold fewer than its
    limit. That somebody looked stands in the audit log.
    """
    await note_look(request, None)
    below = _read_place(options)

    def read(connection: Connection) -> list[MailRecord]:
        campaign = find_campaign(campaign_id, connection)
        return campaigns.list_mails(connection, campaign, options.limit + 1, below)

    page = BY_TIME.cut(await read_store(request, read), options)
    responder = get_responder(request)
    work = partial(_describe, responder, responder.model(), page.entries)
    return uncached_json({"mails": await asyncio.to_thread(work), "next": page.next})


def _read_place(options: PagingOptions) -> tuple[int, bytes] | None:
    """Return the time and the reference behind which a page begins. Raises Invalid."""
    place = BY_TIME.read_place(options)
    if place is None:
        return None
    try:
        return place[0], bytes.fromhex(place[1])
    except ValueError:
        errors = [{"field": "after", "problem": NO_CURSOR}]
        raise Invalid(f"after: {NO_CURSOR}", errors=errors) from None


def _describe(
    responder: Responder, model: LoadedModel, records: Sequence[MailRecord]
) -> list[dict[str, Any]]:
    live = responder.computer.find_live(model)
    if live is None:
        raise StoreUnavailable
    return [
        _format(live, record)
        for record in records
        if _allows_mails(responder, model, live, record.customer_id)
    ]


def _allows_mails(
    responder: Responder, model: LoadedModel, live: LiveCatalogue, customer_id: str
) -> bool:
    knowledge = responder.computer.read_words(model, live, customer_id)
    if knowledge is None:
        raise StoreUnavailable
    update = knowledge.update
    recommender = live.model.recommender
    return not update.forgotten and recommender.allows(customer_id, PERSONALIZE_EMAIL, update)


def _format(live: LiveCatalogue, record: MailRecord) -> dict[str, Any]:
    facts = orjson.loads(record.document)
    catalogue = live.model.recommender.catalogue
    products = []
    for product_id, _, source, kind, *_ in facts["products"]:
        item = catalogue.ids.find(product_id)
        title = catalogue.title[item] or None if item >= 0 else None
        products.append({"id": product_id, "title": title, "source": source, "reason": kind})
    experiment, variant = facts.get("variant") or (None, None)
    occasion = facts["occasion"]
    return {
        "customer_id": record.customer_id,
        "time": format_timestamp(record.time),
        "strategy": facts["strategy"],
        "model_version": facts["model_version"],
        "occasion": occasion["kind"] if occasion else None,
        "experiment": experiment,
        "variant": variant,
        "products": products,
        "stand_ins": facts["also"],
    }


UNKNOWN: Final = {404: problem_schema("There is no campaign of that name.")}
OPERATIONS: Final = (
    Operation(
        "GET",
        f"{CAMPAIGN}/mails",
        get_campaign_mails,
        summary="List what the mails of a campaign showed",
        tag=Tag.CAMPAIGNS,
        answer=CampaignMailsAnswer,
        responses=PROBLEMS | UNKNOWN,
    ),
)
