"""Mails of a campaign that are due, as they are told."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field

from models.mail.mailings import MailKind
from models.slate import Strategy
from service.patterns import PLACEMENT
from service.schemas.answers import Occasion
from service.schemas.base import AnswerModel, examples
from service.schemas.campaign_mails import MAILED_PRODUCT, MailedProduct
from service.schemas.pages import Next, PagingOptions
from service.schemas.parameters import WHOLE_NUMBER, Locale, Size

DUE_MAIL: Final[dict[str, Any]] = {
    "customer_id": "2034",
    "occasion": {
        "kind": "win_back",
        "text": "It has been 40 days since your last order",
        "until": "2027-10-22T09:00:00Z",
    },
    "is_sent": False,
    "strategy": "personal",
    "model_version": "20261121T200000Z-1f0c9a52d7be",
    "products": [MAILED_PRODUCT],
}


class DueMailsOptions(PagingOptions):
    """A page of the mails that are due, and what they are to show."""

    limit: Annotated[
        int,
        Field(ge=1, le=100, description="Most mails in the answer.", examples=[10]),
        WHOLE_NUMBER,
    ] = 10
    n: Size = 4
    placement: Annotated[
        str,
        Field(
            pattern=PLACEMENT,
            description="Placement that the mail system asks for: with another one, or another "
            "`n`, a mail that was sent is made anew.",
            examples=["email"],
        ),
    ] = "email"
    locale: Annotated[
        Locale | None, Field(description="Locale of the occasion.", examples=["de_DE"])
    ] = None


class DueMail(AnswerModel):
    """A mail that is due for a customer, and what it would show now."""

    model_config = ConfigDict(json_schema_extra=examples(DUE_MAIL))
    customer_id: str = Field(description="Customer for whom it is due.")
    occasion: Occasion | None = Field(
        description="Why it is due. Null: a mail of this kind goes to all."
    )
    is_sent: bool = Field(
        description="Whether they were sent a mail of this campaign since it was opened, or in "
        "its window if an event starts it."
    )
    strategy: Strategy = Field(description="How the slate is made.")
    model_version: str = Field(description="Model that makes it.")
    products: list[MailedProduct] = Field(description="Products it would show, in their order.")


class DueMailsAnswer(AnswerModel):
    """Mails of a campaign that are due."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                "campaign": "win_back",
                "kind": "win_back",
                "due": [DUE_MAIL],
                "looked_at": 120,
                "next": None,
            }
        )
    )
    campaign: str = Field(description="Name of the campaign.")
    kind: MailKind = Field(description="Kind of its mails.")
    due: list[DueMail] = Field(description="Mails that are due of the customers looked at.")
    looked_at: int = Field(description="Number of customers who were looked at, due or not.")
    next: Next
