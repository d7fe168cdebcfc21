"""Recipients of a campaign now, and what it would show them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, Final

from fastapi import Query, Request, Response
from sqlalchemy import Connection

from models.mail.mailings import MAILINGS
from service.answering.query import QueryKind, RecommendationQuery
from service.mail.campaigns import kind_of
from service.mail.due_mails import Place, find_due_mails
from service.mail.mail_record import window_start
from service.routes.campaigns import CAMPAIGN, CampaignId
from service.routes.looks import note_look
from service.routes.registration import Operation, Tag
from service.routes.request_context import get_responder, read_store
from service.routes.responses import uncached_json
from service.schemas.campaign_recipients import DueMailsAnswer, DueMailsOptions
from service.schemas.pages import Listing
from service.store import campaigns
from service.store.campaigns import Campaign
from service.store.events import list_latest_customers

LATEST_LINES: Final = 10_000  # of events, in which customers are found whom no model knows yet
BY_LOOKING: Final[Listing[Place]] = Listing(tuple, (int, str))


async def get_due_mails(
    request: Request, campaign_id: CampaignId, options: Annotated[DueMailsOptions, Query()]
) -> Response:
    """Return for whom the mail of a campaign is due now, and what it would show them.

    The mails are made as the campaign would send them now: pinned as it is, or as its first call
    would open it, and without what earlier ones showed. Nothing is recorded. At most 200 customers
    are looked at for an answer: those the shop told of last, then those the model knows, by id. A
    mail that goes to all is due for those whose slate would be personal. That somebody looked
    stands in the audit log.
    """
    await note_look(request, None)
    place = BY_LOOKING.read_place(options)

    def read(connection: Connection) -> tuple[Campaign | None, list[tuple[int, str]]]:
        told = list_latest_customers(connection, LATEST_LINES)
        return campaigns.find(connection, campaign_id), told

    campaign, told = await read_store(request, read)
    kind = kind_of(campaign_id) if campaign is None else campaign.kind
    responder = get_responder(request)
    query = RecommendationQuery(
        QueryKind.CUSTOMER,
        options.locale or responder.settings.default_locale,
        n=options.n,
        placement=options.placement,
        campaign=campaign_id,
        in_mail=True,
        rehearsed=True,
    )
    work = partial(find_due_mails, responder, query, MAILINGS[kind], told, place, options.limit)
    due = await asyncio.to_thread(work)
    sent: set[str] = set()
    if campaign is not None:
        ids = [mail["customer_id"] for mail in due.mails]
        sent = await read_store(request, partial(_find_sent, campaign, ids))
    return uncached_json(
        {
            "campaign": campaign_id,
            "kind": kind,
            "due": [_describe(mail, mail["customer_id"] in sent) for mail in due.mails],
            "looked_at": due.looked_at,
            "next": None if due.last is None else BY_LOOKING.write_cursor(due.last),
        }
    )


def _find_sent(campaign: Campaign, ids: list[str], connection: Connection) -> set[str]:
    """Return who was sent a mail of a campaign since it was last opened, or in its window."""
    start = window_start(campaign, int(time.time()))
    return {
        record.customer_id
        for customer_id in ids
        for record in campaigns.read_mails(connection, customer_id)
        if record.campaign_id == campaign.campaign_id and record.time > start
    }


def _describe(answer: Mapping[str, Any], is_sent: bool) -> dict[str, Any]:
    products = [
        {
            "id": product["id"],
            "title": product["title"],
            "source": product["source"],
            "reason": product["reason"]["kind"],
        }
        for product in answer["recommendations"]
    ]
    return {
        "customer_id": answer["customer_id"],
        "occasion": answer["occasion"],
        "is_sent": is_sent,
        "strategy": answer["strategy"],
        "model_version": answer["model_version"],
        "products": products,
    }


OPERATIONS: Final = (
    Operation(
        "GET",
        f"{CAMPAIGN}/due",
        get_due_mails,
        summary="List whose mail of a campaign is due",
        tag=Tag.CAMPAIGNS,
        answer=DueMailsAnswer,
    ),
)
