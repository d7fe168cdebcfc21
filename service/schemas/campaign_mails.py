"""What mails of a campaign showed, as it is told."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from pydantic import ConfigDict, Field

from models.mail.mailings import MailKind
from models.slate import ReasonKind, Source, Strategy
from service.schemas.answers import ProductReference
from service.schemas.base import AnswerModel, examples
from service.schemas.pages import Next

MAILED_PRODUCT: Final[dict[str, Any]] = {
    "id": "1082185",
    "title": "Bananas",
    "source": "own_purchases",
    "reason": "buy_again",
}
SHOWN_MAIL: Final[dict[str, Any]] = {
    "customer_id": "2034",
    "time": "2026-11-22T09:00:00Z",
    "strategy": "personal",
    "model_version": "20261121T200000Z-1f0c9a52d7be",
    "occasion": None,
    "experiment": None,
    "variant": None,
    "products": [MAILED_PRODUCT],
    "stand_ins": [],
}


class MailedProduct(ProductReference):
    """A product that a mail showed."""

    model_config = ConfigDict(json_schema_extra=examples(MAILED_PRODUCT))
    title: str | None = Field(description="Title of the product by now. Null: it has none.")
    source: Source = Field(description="Recommender that put the product into the mail.")
    reason: ReasonKind = Field(description="Kind of the reason that stood with it.")


class RecordedMail(AnswerModel):
    """What a mail showed a customer first, and shows them again."""

    model_config = ConfigDict(json_schema_extra=examples(SHOWN_MAIL))
    customer_id: str = Field(description="Customer who was shown it.")
    time: datetime = Field(description="When it was first fetched.")
    strategy: Strategy = Field(description="How the slate was made.")
    model_version: str = Field(description="Model that made it.")
    occasion: MailKind | None = Field(description="What happened to the customer. Null: nothing.")
    experiment: str | None = Field(description="Experiment that the mail is in. Null: none.")
    variant: str | None = Field(description="Its variant. Null: none.")
    products: list[MailedProduct] = Field(description="Products it showed, in their order.")
    stand_ins: list[str] = Field(
        description="Products that were shown later in the place of some that may not be shown "
        "any more."
    )


class CampaignMailsAnswer(AnswerModel):
    """What mails of a campaign showed."""

    model_config = ConfigDict(json_schema_extra=examples({"mails": [SHOWN_MAIL], "next": None}))
    mails: list[RecordedMail] = Field(description="The mails, newest first.")
    next: Next
