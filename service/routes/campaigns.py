"""Campaigns: what a mailing is pinned to, and what it must not repeat."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Annotated, Any, Final

import orjson
from fastapi import Body, FastAPI, Path, Request, Response
from pydantic import ConfigDict, Field
from sqlalchemy import Connection

from models.data.timestamps import format_timestamp
from models.mail.mailings import MailKind
from service.answering.responder import Responder
from service.errors import PROBLEMS, TOO_LARGE, DamagedVersion, NotFound, problem_schema
from service.mail.campaigns import put
from service.model.loaded_model import LoadedModel
from service.routes.store_calls import durable, looked_up
from service.schemas.answers import Schema
from service.schemas.parameters import NO_NUL, WHOLE, Moment, ParameterModel
from service.store import campaigns
from service.store.campaigns import Campaign

CampaignId = Annotated[
    str,
    Path(
        min_length=1,
        max_length=100,
        pattern=NO_NUL,
        description="the name that calls give as `campaign`",
    ),
]
UNKNOWN: Final[dict[int | str, dict[str, Any]]] = {
    404: problem_schema("There is no campaign or version of that name")
}
DAMAGED: Final[dict[int | str, dict[str, Any]]] = {409: problem_schema("The version is damaged")}


class CampaignBody(ParameterModel):
    """What is left out stays as it was; of a new campaign, or one whose window has passed, it is what holds now."""

    model_config = ConfigDict(
        strict=True,
        json_schema_extra={"examples": [{"kind": "replenishment", "window_hours": 24}]},
    )
    kind: Annotated[
        MailKind | None,
        Field(strict=False, description="by default what its name says, or newsletter"),
    ] = None
    window_hours: Annotated[
        int | None,
        Field(ge=1, le=8760, description="how long its slates stay what they are"),
        WHOLE,
    ] = None
    not_twice: Annotated[
        int | None,
        Field(ge=0, le=20, description="of how many mails before it nothing is repeated"),
        WHOLE,
    ] = None
    model_version: Annotated[
        str | None, Field(max_length=100, description="by default the one in service")
    ] = None
    as_of: Annotated[
        Moment | None, Field(description="nothing after it counts; by default the newest event")
    ] = None


class CampaignAnswer(Schema):
    campaign: str
    kind: MailKind
    model_version: str = Field(
        description="kinds that are mailed when something happens take the one in service"
    )
    as_of: str = Field(description="those take the newest event")
    opened: str
    closes: str = Field(description="then the next call opens it again")
    window_hours: int
    not_twice: int


class CampaignsAnswer(Schema):
    campaigns: list[CampaignAnswer] = Field(description="newest first")


def add_campaign_routes(app: FastAPI) -> None:
    path, add = "/v1/campaigns/{campaign_id:id}", partial(app.add_api_route, tags=["campaigns"])
    add(
        "/v1/campaigns",
        get_campaigns,
        methods=["GET"],
        response_model=CampaignsAnswer,
        responses=PROBLEMS,
    )
    add(
        path,
        get_campaign,
        methods=["GET"],
        response_model=CampaignAnswer,
        responses=PROBLEMS | UNKNOWN,
    )
    problems = PROBLEMS | TOO_LARGE | UNKNOWN | DAMAGED
    add(path, put_campaign, methods=["PUT"], response_model=CampaignAnswer, responses=problems)


async def get_campaigns(request: Request) -> Response:
    """Every campaign there was."""
    return _json(
        {"campaigns": [told(campaign) for campaign in await looked_up(request, campaigns.listed)]}
    )


async def get_campaign(request: Request, campaign_id: CampaignId) -> Response:
    """What a campaign is pinned to."""
    return _json(told(await looked_up(request, partial(_campaign, campaign_id))))


async def put_campaign(
    request: Request, campaign_id: CampaignId, content: Annotated[CampaignBody, Body()]
) -> Response:
    """Open a campaign before its first mail, or say something else of it. Slates that were shown stay what they are."""
    responder: Responder = request.app.state.responder
    model = await asyncio.to_thread(_model, responder, content.model_version)
    work = partial(
        put,
        campaign_id=campaign_id,
        model=model,
        settings=responder.settings,
        clock=int(time.time()),
        given=content.model_dump(exclude_none=True),
    )
    made = await durable(request, work)
    await asyncio.to_thread(responder.active.pin, made.model_version, made.closes)
    return _json(told(made))


def told(campaign: Campaign) -> dict[str, Any]:
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


def _model(responder: Responder, version: str | None) -> LoadedModel:
    if version is None:
        return responder.model()
    if version not in responder.active.registry.names():
        raise NotFound("There is no version of that name in the registry.")
    found = responder.active.pinned(version)
    if found is None:
        raise DamagedVersion("The version is damaged; GET /v1/models lists those that are whole.")
    return found


def _campaign(campaign_id: str, connection: Connection) -> Campaign:
    found = campaigns.of(connection, campaign_id)
    if found is None:
        raise NotFound(
            "There is no campaign of that name; the first call with it, or a PUT, opens one."
        )
    return found


def _json(body: Any) -> Response:
    return Response(
        orjson.dumps(body), headers={"Cache-Control": "no-store"}, media_type="application/json"
    )
