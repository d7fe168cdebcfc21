"""Campaigns: what a mailing is pinned to, and what it must not repeat."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Annotated, Any, Final

from fastapi import Body, Path, Query, Request, Response
from sqlalchemy import Connection

from models.data.timestamps import format_timestamp
from service.answering.responder import Responder
from service.errors import PROBLEMS, TOO_LARGE, DamagedVersion, NotFound, problem_schema
from service.mail.campaigns import put_campaign as store_campaign
from service.model.loaded_model import LoadedModel
from service.patterns import NO_NUL
from service.routes.registration import Operation, Tag
from service.routes.request_context import actor_of, get_responder, read_store, write_store
from service.routes.responses import uncached_json
from service.routes.route_classes import BareRoute, QueryRoute
from service.schemas.campaigns import CampaignAnswer, CampaignBody, CampaignsAnswer
from service.schemas.pages import Listing, PagingOptions
from service.store import campaigns
from service.store.campaigns import Campaign
from service.store.writer import Change

CampaignId = Annotated[
    str,
    Path(
        min_length=1,
        max_length=100,
        pattern=NO_NUL,
        description="Name of the mailing, as calls send it in `campaign`.",
        examples=["spring"],
    ),
]
BY_OPENING: Final[Listing[Campaign]] = Listing(
    lambda campaign: (campaign.opened, campaign.campaign_id), (int, str), newest_first=True
)


async def get_campaigns(request: Request, options: Annotated[PagingOptions, Query()]) -> Response:
    """Return the campaigns there were, newest first."""
    place = BY_OPENING.read_place(options)
    read = partial(campaigns.list_newest, limit=options.limit + 1, below=place)
    page = BY_OPENING.cut(await read_store(request, read), options)
    listed = [_format(campaign) for campaign in page.entries]
    return uncached_json({"campaigns": listed, "next": page.next})


async def get_campaign(request: Request, campaign_id: CampaignId) -> Response:
    """Return what a campaign is pinned to, when it closes and what it does not repeat."""
    campaign = await read_store(request, partial(find_campaign, campaign_id))
    return uncached_json(_format(campaign))


async def put_campaign(
    request: Request, campaign_id: CampaignId, content: Annotated[CampaignBody, Body()]
) -> Response:
    """Open a campaign before its first mail, change it, or close it.

    Slates that were shown stay the same. Without this call, the first slate with a campaign's name
    opens it.
    """
    responder = get_responder(request)
    model = await asyncio.to_thread(_find_model, responder, content.model_version)
    clock = int(time.time())
    work = partial(
        store_campaign,
        campaign_id=campaign_id,
        model=model,
        settings=responder.settings,
        shop_time=responder.catalogues.shop_time_of(responder.model()),
        clock=clock,
        changes=content.model_dump(exclude_none=True, exclude={"closed"}),
        closed=content.closed,
    )
    campaign = await write_store(request, work)
    await asyncio.to_thread(responder.active.pin, campaign.model_version, campaign.closes, clock)
    return uncached_json(_format(campaign))


async def delete_campaign(request: Request, campaign_id: CampaignId) -> Response:
    """Delete a campaign and return it. The next call with its name opens a new one.

    What its mails showed stays known, so that other campaigns need not repeat it; links in them
    work on.
    """
    work = partial(
        _delete, campaign_id=campaign_id, clock=int(time.time()), actor=actor_of(request)
    )
    return uncached_json(_format(await write_store(request, work)))


def _delete(change: Change, campaign_id: str, clock: int, actor: str) -> Campaign:
    campaign = find_campaign(campaign_id, change.connection)
    campaigns.remove(change, campaign, time=clock, actor=actor)
    return campaign


def _format(campaign: Campaign) -> dict[str, Any]:
    return {
        "campaign": campaign.campaign_id,
        "kind": campaign.kind,
        "model_version": campaign.model_version,
        "as_of": format_timestamp(campaign.as_of),
        "opened": format_timestamp(campaign.opened),
        "closes": format_timestamp(campaign.closes),
        "window_hours": campaign.window_hours,
        "not_twice": campaign.not_twice,
    }


def _find_model(responder: Responder, version: str | None) -> LoadedModel:
    """Raises NotFound and DamagedVersion."""
    if version is None:
        return responder.model()
    if version not in responder.active.registry.names():
        raise NotFound("There is no version of that name in the registry.")
    model = responder.active.pinned(version)
    if model is None:
        raise DamagedVersion("The version is damaged; GET /v1/models lists those that are whole.")
    return model


def find_campaign(campaign_id: str, connection: Connection) -> Campaign:
    """Return a campaign, open or closed. Raises NotFound."""
    campaign = campaigns.find(connection, campaign_id)
    if campaign is None:
        raise NotFound(
            "There is no campaign of that name; the first call with it, or a PUT, opens one."
        )
    return campaign


CAMPAIGN: Final = "/v1/campaigns/{campaign_id:id}"
UNKNOWN: Final = {404: problem_schema("There is no campaign or version of that name.")}
DAMAGED: Final = {409: problem_schema("The version is damaged.")}
OPERATIONS: Final = (
    Operation(
        "GET",
        "/v1/campaigns",
        get_campaigns,
        summary="List campaigns",
        tag=Tag.CAMPAIGNS,
        answer=CampaignsAnswer,
        route_class=QueryRoute,
    ),
    Operation(
        "GET",
        CAMPAIGN,
        get_campaign,
        summary="Read a campaign",
        tag=Tag.CAMPAIGNS,
        answer=CampaignAnswer,
        responses=PROBLEMS | UNKNOWN,
        route_class=BareRoute,
    ),
    Operation(
        "PUT",
        CAMPAIGN,
        put_campaign,
        summary="Open or change a campaign",
        tag=Tag.CAMPAIGNS,
        answer=CampaignAnswer,
        responses=PROBLEMS | TOO_LARGE | UNKNOWN | DAMAGED,
        route_class=BareRoute,
    ),
    Operation(
        "DELETE",
        CAMPAIGN,
        delete_campaign,
        summary="Delete a campaign",
        tag=Tag.CAMPAIGNS,
        answer=CampaignAnswer,
        responses=PROBLEMS | UNKNOWN,
        route_class=BareRoute,
    ),
)
