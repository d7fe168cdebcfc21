"""Campaigns as a shop opens them and as they are shown."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field

from models.mail.mailings import MailKind
from service.schemas.base import AnswerModel, ParameterModel, examples
from service.schemas.pages import Next
from service.schemas.parameters import WHOLE_NUMBER, Moment

CAMPAIGN_EXAMPLE: Final[dict[str, Any]] = {
    "campaign": "spring",
    "kind": "newsletter",
    "model_version": "20261121T200000Z-1f0c9a52d7be",
    "as_of": "2026-11-21T23:55:00Z",
    "opened": "2026-11-22T09:00:00Z",
    "closes": "2026-11-25T09:00:00Z",
    "window_hours": 72,
    "not_twice": 3,
}


class CampaignBody(ParameterModel):
    """Pins of a campaign. Fields that are left out keep their value.

    A new campaign, or one that has closed, takes the defaults in their place.
    """

    model_config = ConfigDict(
        strict=True,
        json_schema_extra=examples({"kind": "replenishment", "window_hours": 24}),
    )
    kind: Annotated[
        MailKind | None,
        Field(
            strict=False,
            description="Kind of the mailing. By default the kind it is named after, or "
            "newsletter.",
            examples=["replenishment"],
        ),
    ] = None
    window_hours: Annotated[
        int | None,
        Field(
            ge=1,
            le=8760,
            description="Hours for which its slates stay the same.",
            examples=[24],
        ),
        WHOLE_NUMBER,
    ] = None
    not_twice: Annotated[
        int | None,
        Field(
            ge=0,
            le=20,
            description="Number of earlier mailings whose products are not shown again.",
            examples=[3],
        ),
        WHOLE_NUMBER,
    ] = None
    model_version: Annotated[
        str | None,
        Field(
            max_length=100,
            description="Model that answers. By default the one in service.",
            examples=["20261121T200000Z-1f0c9a52d7be"],
        ),
    ] = None
    as_of: Annotated[
        Moment | None,
        Field(
            description="Moment to answer for: no later event counts. By default shop time, with "
            "what customers did until the campaign was opened.",
            examples=["2026-11-21"],
        ),
    ] = None
    closed: Annotated[
        bool,
        Field(
            description="Whether it is closed now. The next call with its name opens it again.",
            examples=[False],
        ),
    ] = False


class CampaignAnswer(AnswerModel):
    """A campaign, and what it is pinned to."""

    model_config = ConfigDict(json_schema_extra=examples(CAMPAIGN_EXAMPLE))
    campaign: str = Field(description="Name of the campaign.")
    kind: MailKind = Field(description="Kind of the mailing.")
    model_version: str = Field(
        description="Model that answers. Kinds that are mailed when something happens to a "
        "customer are answered by the model in service."
    )
    as_of: datetime = Field(
        description="Moment the slates are for. Kinds that are mailed when something happens to "
        "a customer use shop time."
    )
    opened: datetime = Field(description="When it was opened.")
    closes: datetime = Field(description="When it closes. The next call after that opens it again.")
    window_hours: int = Field(description="Hours for which its slates stay the same.")
    not_twice: int = Field(
        description="Number of earlier mailings whose products are not shown again."
    )


class CampaignsAnswer(AnswerModel):
    """Campaigns, open and closed."""

    model_config = ConfigDict(
        json_schema_extra=examples({"campaigns": [CAMPAIGN_EXAMPLE], "next": None})
    )
    campaigns: list[CampaignAnswer] = Field(description="The campaigns, newest first.")
    next: Next
